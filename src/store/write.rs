//! The connection that writes.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Postgres, SqliteConnection};

use super::head::Head;
use super::{Conn, Result, Rows, StoreError, Writing, dialect, write_unlocked};
use crate::domain::id::DistrictCode;

/// A connection that writes: the only one of an `SQLite` file, one of several of `PostgreSQL`.
#[derive(Debug)]
pub enum WriteConn {
    Sqlite(SqliteConnection),
    Postgres(PooledWriter),
}

/// A borrowed connection. One that is dropped within a transaction, or whose server did not answer, is closed and
/// never lent again.
#[derive(Debug)]
pub struct PooledWriter {
    conn: Option<PoolConnection<Postgres>>,
    is_open: bool,
    writing: Writing,
}

impl Drop for PooledWriter {
    fn drop(&mut self) {
        if self.is_open
            && let Some(conn) = self.conn.take()
        {
            drop(conn.detach());
        }
    }
}

/// How long a server may take to answer what is no work for it.
const PATIENCE: Duration = Duration::from_secs(10);

async fn answered(asked: impl Future<Output = Result<()>>) -> Result<()> {
    let silent = |_| StoreError::silent();
    tokio::time::timeout(PATIENCE, asked).await.map_err(silent)?
}

impl WriteConn {
    pub(super) fn pooled(conn: PoolConnection<Postgres>, writing: Writing) -> Self {
        Self::Postgres(PooledWriter { conn: Some(conn), is_open: false, writing })
    }

    /// How the rows of a commit group are best written.
    pub const fn writing(&self) -> Writing {
        match self {
            Self::Sqlite(_) => Writing::Apart,
            Self::Postgres(c) => c.writing,
        }
    }

    #[expect(clippy::expect_used, reason = "a pooled connection is taken only when it is dropped or closed")]
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(c) => Conn::Sqlite(c),
            Self::Postgres(c) => Conn::Postgres(c.conn.as_mut().expect("it is there until the end")),
        }
    }

    fn set_open(&mut self, is_open: bool) {
        if let Self::Postgres(c) = self {
            c.is_open = is_open;
        }
    }

    /// Begins the transaction of a piece of work of its own.
    pub async fn begin(&mut self) -> Result<()> {
        self.set_open(true);
        answered(dialect::begin(self.conn())).await
    }

    /// Begins the transaction that holds one commit group, and locks the head of its district; `None` if it has none.
    pub async fn begin_group(&mut self, district: DistrictCode) -> Result<Option<Head>> {
        self.set_open(true);
        match &mut self.conn() {
            Conn::Sqlite(c) => dialect::begin_group_in_file(c, district).await,
            Conn::Postgres(c) => dialect::begin_group(c, district).await,
        }
    }

    /// Whether it takes a commit group without a look at what is stored: all but Citus, which takes no statement that writes
    /// to several tables.
    pub fn takes_unlocked(&self) -> bool {
        matches!(self, Self::Sqlite(_)) || self.writing() == Writing::Together
    }

    /// Whether what [`write_unlocked`](Self::write_unlocked) writes is committed by that; else a commit follows.
    pub const fn commits_unlocked(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Writes a commit group without a look at what is stored: see [`write_unlocked`].
    pub async fn write_unlocked<'a>(
        &mut self,
        district: DistrictCode,
        heads: (&Head, &Head),
        rows: impl IntoIterator<Item = Rows<'a>>,
    ) -> Result<bool> {
        // Until the server has answered, nobody knows what became of it.
        self.set_open(true);
        let written = write_unlocked(&mut self.conn(), district, heads, rows).await?;
        self.set_open(false);
        Ok(written)
    }

    /// From here on the transaction sees the database as it is at its first reading, and only reads. Follows
    /// [`begin`](Self::begin).
    pub async fn snapshot(&mut self) -> Result<()> {
        dialect::snapshot(self.conn()).await
    }

    pub async fn commit(&mut self) -> Result<()> {
        dialect::commit(self.conn()).await?;
        self.set_open(false);
        Ok(())
    }

    /// Takes everything since [`begin`](Self::begin) back.
    pub async fn rollback(&mut self) -> Result<()> {
        answered(dialect::rollback(self.conn())).await?;
        self.set_open(false);
        Ok(())
    }

    /// Folds the write-ahead log back and closes; at a graceful end.
    pub async fn close(mut self) -> Result<()> {
        dialect::checkpoint(self.conn()).await?;
        match self {
            Self::Sqlite(c) => c.close().await?,
            Self::Postgres(_) => {}
        }
        Ok(())
    }
}
