//! Many districts, made on all of the machine's cores; each by one of them, from its first area to its last cover.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::site::{MOST_DISTRICTS, Site};
use super::{Error, Options, Summary, district};

/// What the makers have to say.
enum News {
    /// So many covers more.
    Covers(u64),
    District(Result<Summary, Error>),
}

/// Which district is next, and whether there shall be one.
#[derive(Default)]
struct Queue {
    next: AtomicU32,
    stop: AtomicBool,
}

impl Queue {
    fn take(&self, districts: u32) -> Option<u32> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        (next < districts && !self.stop.load(Ordering::Relaxed)).then_some(next)
    }
}

/// Writes each district into the folder of its code; stops at the first that fails.
pub(super) fn generate(out: &Path, options: &Options, progress: &mut dyn FnMut(u64, u64)) -> Result<Summary, Error> {
    if options.districts > MOST_DISTRICTS {
        return Err(Error::TooMany { districts: options.districts });
    }
    let queue = Queue::default();
    let cores = thread::available_parallelism().map_or(1, usize::from).min(options.districts as usize);
    thread::scope(|scope| {
        let (tell, told) = channel();
        for _ in 0..cores {
            let (tell, queue) = (tell.clone(), &queue);
            scope.spawn(move || work(out, options, queue, &tell));
        }
        drop(tell);
        sum(&told, &queue, &mut |done| progress(done, options.covers))
    })
}

/// Makes one district after the other until there are no more.
fn work(out: &Path, options: &Options, queue: &Queue, tell: &Sender<News>) {
    let &Options { seed, covers, districts } = options;
    let before = |number: u32| covers * u64::from(number) / u64::from(districts);
    while let Some(number) = queue.take(districts) {
        let site = Site::of(seed, number);
        let (folder, share) = (out.join(site.code.to_string()), before(number + 1) - before(number));
        let mut told = 0;
        let made = district(&folder, site, share, &mut |done| {
            // It listens until the last of us is gone.
            let _ = tell.send(News::Covers(done - told));
            told = done;
        });
        let _ = tell.send(News::District(made));
    }
}

fn sum(told: &Receiver<News>, queue: &Queue, progress: &mut dyn FnMut(u64)) -> Result<Summary, Error> {
    let (mut all, mut done, mut failed) = (Summary::default(), 0, None);
    progress(done);
    for news in told {
        match news {
            News::Covers(more) => {
                done += more;
                progress(done);
            }
            News::District(Ok(summary)) => all.add(&summary),
            News::District(Err(error)) => {
                queue.stop.store(true, Ordering::Relaxed);
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(all), Err)
}
