//! A wire between a server and its database that can be cut, slowed, or left silent.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Whole,
    /// Each piece comes this much later.
    Slow(Duration),
    /// Connections stay, and nothing goes through: a cable that was pulled.
    Silent,
    /// Connections break, and new ones do too.
    Cut,
}

/// Stands before a port of this machine.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    wire: watch::Sender<Wire>,
}

impl Proxy {
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (wire, seen) = watch::channel(Wire::Whole);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let seen = seen.clone();
                if *seen.borrow() == Wire::Cut {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::join!(carry(near_in, far_out, seen.clone()), carry(far_in, near_out, seen));
                });
            }
        });
        Self { port: own, wire }
    }

    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut wire: watch::Receiver<Wire>) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut piece) => read,
            cut = wire.wait_for(|wire| *wire == Wire::Cut) => { drop(cut); return; }
        };
        let Ok(length @ 1..) = read else { return };
        let now = *wire.borrow();
        match now {
            Wire::Whole => {}
            Wire::Slow(by) => tokio::time::sleep(by).await,
            Wire::Silent => drop(wire.wait_for(|wire| *wire != Wire::Silent).await),
            Wire::Cut => return,
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
