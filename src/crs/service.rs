//! The converter that any thread may use.

use std::cell::RefCell;

use super::{Converter, Crs, CrsError};
use crate::domain::position::{Position, Wgs84};

thread_local! {
    static CONVERTER: RefCell<Converter> = RefCell::new(Converter::new());
}

/// A handle to the calling thread's [`Converter`]: [`Send`], [`Sync`], free to clone.
///
/// A PROJ transformer cannot leave its thread, so each thread that converts has its own, made at
/// its first Gauss-Krüger position or by [`CrsService::warm`] (milliseconds, once per thread).
/// From then on a conversion takes well under a microsecond, where a hop to a dedicated thread
/// and back takes tens of them. Nothing here waits: asynchronous code calls it as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct CrsService;

impl CrsService {
    pub const fn new() -> Self {
        Self
    }

    /// Makes the calling thread's transformer now, for instance in the runtime's `on_thread_start`.
    pub fn warm(self) -> Result<(), CrsError> {
        CONVERTER.with_borrow_mut(Converter::warm)
    }

    /// As [`Converter::to_wgs84`].
    pub fn to_wgs84(self, crs: Crs, east: f64, north: f64) -> Result<Position<Wgs84>, CrsError> {
        CONVERTER.with_borrow_mut(|converter| converter.to_wgs84(crs, east, north))
    }

    /// As [`Converter::from_wgs84`].
    pub fn from_wgs84(self, crs: Crs, position: Position<Wgs84>) -> Result<(f64, f64), CrsError> {
        CONVERTER.with_borrow_mut(|converter| converter.from_wgs84(crs, position))
    }

    /// As [`Converter::to_wgs84_all`].
    pub fn to_wgs84_all(self, crs: Crs, pairs: &mut [(f64, f64)]) -> Result<(), (usize, CrsError)> {
        CONVERTER.with_borrow_mut(|converter| converter.to_wgs84_all(crs, pairs))
    }

    /// As [`Converter::from_wgs84_all`].
    pub fn from_wgs84_all(self, crs: Crs, pairs: &mut [(f64, f64)]) -> Result<(), (usize, CrsError)> {
        CONVERTER.with_borrow_mut(|converter| converter.from_wgs84_all(crs, pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crs::VECTORS;

    #[test]
    fn threads_come_convert_and_go() {
        let service = CrsService::new();
        service.warm().unwrap();
        for _ in 0..20 {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(move || {
                        for [wgs84, .., gk] in VECTORS {
                            let at = Position::new(wgs84.0, wgs84.1).unwrap();
                            assert_eq!(service.from_wgs84(Crs::Gk120, at), Ok(gk));
                        }
                    });
                }
            });
        }
    }

    #[test]
    #[ignore = "a measurement: cargo test --release --lib crs::service -- --ignored --nocapture"]
    fn measure_what_a_transformer_costs() {
        let start = std::time::Instant::now();
        for _ in 0..100 {
            Converter::new().warm().unwrap();
        }
        let made = start.elapsed() / 100;
        let (mut converter, start) = (Converter::new(), std::time::Instant::now());
        for i in 0..100_000 {
            converter.to_wgs84(Crs::Gk120, 530_000.0 + f64::from(i) / 100.0, 3_998_924.0).unwrap();
        }
        println!("made in {made:?}, used in {:?}", start.elapsed() / 100_000);
    }
}
