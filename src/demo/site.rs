//! Where a district of the demo lies, and what it is called: Shibei itself, or a copy of its outline elsewhere.

use super::mesh::STEP;
use super::offices;
use super::plane::{Frame, Vertex, vertex_of};
use super::rng::Rng;

/// As many districts as the lattice has cells.
pub const MOST_DISTRICTS: u32 = 2_000;

const SHIBEI: u64 = 370_203;
/// GB/T 2260 has given no province this number, so no district of the lattice has a real one's code.
const NO_PROVINCE: u64 = 38;

/// The cells of the lattice: so many side by side, which is what the three degrees about the meridian of 120° have room
/// for, and Shibei's is the thirteenth. Longitude and latitude from one to the next in 1e-8°: the outline measures
/// 0.129° and 0.093°, and the places [outside](super::deliver) of one lie in no other.
const COLUMNS: u32 = 20;
const WEST_OF_SHIBEI: u32 = 12;
const PITCH: Vertex = Vertex { lon: 14_800_000, lat: 12_000_000 };
const _: () = assert!(PITCH.lon % STEP == 0 && PITCH.lat % STEP == 0, "moved vertices are rounded like the others");

/// One district: by its number, from 0, which is Shibei.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    pub(super) number: u32,
    pub(super) code: u64,
    /// What all that is drawn begins with.
    pub(super) seed: u64,
    /// From Shibei to here.
    shift: Vertex,
}

impl Site {
    /// The district of a number; each draws from its own seed, Shibei from the world's.
    pub(super) fn of(seed: u64, number: u32) -> Self {
        let here = Self { number, code: code(number), seed, shift: shift(number) };
        if number == 0 { here } else { here.again(seed, 0) }
    }

    /// The same place with other streets.
    pub(super) fn again(self, seed: u64, attempt: u64) -> Self {
        Self { seed: Rng::keyed(seed, [10, u64::from(self.number), attempt]).next_u64(), ..self }
    }

    /// A position of Shibei's, here.
    pub(super) fn here(self, at: Vertex) -> Vertex {
        Vertex { lon: at.lon + self.shift.lon, lat: at.lat + self.shift.lat }
    }

    /// How far it lies from Shibei, in degrees.
    pub(super) fn moved(self) -> [f64; 2] {
        self.shift.degrees()
    }

    /// Metres about the middle of this district.
    pub(super) fn frame(self) -> Frame {
        Frame::about(self.moved())
    }

    /// What a text says of Shibei, said of this district.
    pub(super) fn named(self, text: &str) -> String {
        if self.number == 0 {
            return text.to_owned();
        }
        let name = format!("示范区{:04}", self.number + 1);
        text.replace("市北区", &name).replace("市北", &name)
    }

    /// The code of an organisation of the whole district.
    pub(super) fn office(self, own: &str) -> String {
        format!("{}-{own}", self.code)
    }

    /// The code of an owner by its place in the list of units.
    pub(super) fn unit(self, unit: usize) -> String {
        self.office(offices::UNITS[unit].0)
    }

    /// Degrees of Shibei's, here.
    pub(super) fn here_degrees(self, at: [f64; 2]) -> Vertex {
        self.here(vertex_of(at))
    }
}

/// 370203, then 380101, 380102, … 380199, 380201, …
fn code(number: u32) -> u64 {
    let Some(further) = number.checked_sub(1).map(u64::from) else { return SHIBEI };
    NO_PROVINCE * 10_000 + (further / 99 + 1) * 100 + further % 99 + 1
}

/// Row by row, by turns to the north and to the south of Shibei's.
fn shift(number: u32) -> Vertex {
    let column = i64::from((number + WEST_OF_SHIBEI) % COLUMNS) - i64::from(WEST_OF_SHIBEI);
    let turn = i64::from(number / COLUMNS);
    let row = if turn % 2 == 0 { -turn / 2 } else { turn.midpoint(1) };
    Vertex { lon: column * PITCH.lon, lat: row * PITCH.lat }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::id::DistrictCode;

    #[test]
    fn every_cell_of_the_lattice_is_another_and_lies_in_the_zone_and_in_china() {
        let (mut codes, mut cells) = (HashSet::new(), HashSet::new());
        for site in (0..MOST_DISTRICTS).map(|number| Site::of(7, number)) {
            assert!(DistrictCode::from_number(site.code).is_some_and(|code| codes.insert(code)), "{site:?}");
            assert!(cells.insert((site.shift.lon / PITCH.lon, site.shift.lat / PITCH.lat)));
            let (low, high) = (site.here_degrees([120.2999, 36.0673]), site.here_degrees([120.4293, 36.1607]));
            assert!(low.lon > 11_850_000_000 && high.lon < 12_150_000_000, "{site:?}");
            assert!(low.lat > 3_000_000_000 && high.lat < 4_250_000_000, "{site:?}");
        }
    }

    #[test]
    fn the_first_is_shibei_and_the_others_say_that_they_are_demo_districts() {
        let (first, second) = (Site::of(7, 0), Site::of(7, 1));
        assert_eq!((first.code, first.seed, first.moved()), (370_203, 7, [0.0, 0.0]));
        assert_eq!((first.named("市北区").as_str(), second.named("市北区").as_str()), ("市北区", "示范区0002"));
        assert_eq!((second.code, second.moved()), (380_101, [0.148, 0.0]));
        assert_eq!(second.named("青岛市北供水有限公司"), "青岛示范区0002供水有限公司");
        assert_eq!(second.unit(0), "380101-WAT01");
    }
}
