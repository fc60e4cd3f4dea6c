//! Medians, and numbers as people read them.

use std::time::Duration;

/// The value that so many of a thousand values are not above.
pub(crate) fn quantile(values: &mut [Duration], per_mille: usize) -> Duration {
    values.sort_unstable();
    values.get((values.len() * per_mille / 1_000).min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

pub(crate) fn median(mut values: Vec<Duration>) -> Duration {
    quantile(&mut values, 500)
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A time in the unit that suits it.
pub(crate) fn time(time: Duration) -> String {
    let micros = micros(time);
    if micros < 1e3 {
        format!("{micros:.1} µs")
    } else if micros < 1e6 {
        format!("{:.2} ms", micros / 1e3)
    } else {
        format!("{:.1} s", micros / 1e6)
    }
}

/// So many in a second.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second >= 10_000.0 { format!("{:.1}k/s", per_second / 1e3) } else { format!("{per_second:.0}/s") }
}

/// Random numbers that are the same in every run.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// From -1 to 1.
    pub(crate) fn swing(&mut self) -> f64 {
        self.next() as f64 / f64::from(1u32 << 30) - 1.0
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = usize::try_from(self.next()).unwrap_or(0) % (i + 1);
            items.swap(i, j);
        }
    }
}
