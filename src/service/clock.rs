//! The only place that reads the time and draws random numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The host's clock, and an offset that tests move.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    offset_us: Arc<AtomicI64>,
}

impl Clock {
    /// Now, in whole microseconds.
    #[expect(clippy::disallowed_methods, reason = "this is the home of the time")]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now().as_microsecond() + self.offset_us.load(Ordering::Relaxed);
        Timestamp::from_microsecond(now).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Moves this clock and all its clones.
    pub fn advance(&self, by: SignedDuration) {
        self.offset_us.fetch_add(i64::try_from(by.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }

    /// A new identity, ordered by time.
    #[expect(clippy::disallowed_methods, reason = "this is the home of randomness")]
    pub fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    /// 128 random bits for a secret.
    pub fn secret(&self) -> u128 {
        u128::from_le_bytes(random())
    }
}

/// Random bytes from the operating system. A machine that has none cannot keep a secret, so it stops.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without randomness no key and no token would be secret")]
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}
