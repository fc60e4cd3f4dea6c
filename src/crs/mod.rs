//! Coordinate systems (坐标系): the only place that knows another one than WGS 84.
//!
//! What comes in is converted once, at the edge, to [`Position<Wgs84>`](crate::domain::position::Position);
//! what goes out is converted once on its way. `lon`/`x` is always east and `lat`/`y` always
//! north here, whatever the authority's axis order.
//!
//! | system | how | where |
//! |-|-|-|
//! | EPSG:4326, EPSG:4490 | the same numbers; CGCS2000's drift of ~3 cm a year is ignored | |
//! | GCJ-02, BD-09 | closed formula there, iterated inverse back | [`gcj02`], [`bd09`] |
//! | EPSG:3857 | closed formula | [`mercator`] |
//! | EPSG:4549, EPSG:4528 | PROJ | [`Converter`] |
//!
//! # PROJ, whatever lies on the machine
//!
//! PROJ looks a code such as `EPSG:4549` up in `proj.db`. The static build embeds one, but a
//! `proj.db` found first on the search path (`PROJ_DATA`, `PROJ_LIB`, `~/.local/share/proj`, the build's
//! own folder) wins, so a stranger's machine could change or break the answers; and a process can
//! change its own environment only by unsafe means, and a context's search path only by adding to it.
//! Guli therefore never looks a code up: the Gauss-Krüger systems are one PROJ operation with all
//! of its parameters, as EPSG's registry has them. PROJ still opens a database when it makes
//! an operation, and says so on stderr when it cannot, but takes nothing from it; `proj.ini`
//! decides nothing that the operation leaves open. A test runs the conversions in a process whose
//! `PROJ_DATA` is a trap, another compares the operation with the registry.
//!
//! Made so, a transformer costs a few milliseconds where a look-up takes 50–200 ms, which is why each
//! thread can have its own (see [`CrsService`]).

use std::fmt;
use std::str::FromStr;

mod converter;
mod service;

pub mod bd09;
pub mod gcj02;
pub mod mercator;
pub mod outline;

pub use converter::{Converter, CrsError};
pub use service::CrsService;

use crate::domain::said::{Said, say};

/// A coordinate system that Guli speaks: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Crs {
    /// EPSG:4326, WGS 84 in degrees.
    #[default]
    Wgs84,
    /// EPSG:4490, CGCS2000 (2000 国家大地坐标系) in degrees.
    Cgcs2000,
    /// EPSG:4549, CGCS2000 / 3-degree Gauss-Krüger CM 120E (3 度带), metres, eastings around 500,000.
    Gk120,
    /// EPSG:4528, the same with the zone number 40 before the easting.
    Gk40,
    /// EPSG:3857, Web Mercator, metres.
    WebMercator,
    /// GCJ-02 (火星坐标): what Amap, `WeChat` and Tencent show.
    Gcj02,
    /// BD-09: what Baidu shows.
    Bd09,
}

/// Which pair of members a position in the system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrsKind {
    /// Degrees: `lon` and `lat`.
    Geographic,
    /// Metres: `x` and `y`.
    Projected,
}

/// A name that is not on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCrs {
    pub got: String,
}

impl From<UnknownCrs> for Said {
    fn from(UnknownCrs { got }: UnknownCrs) -> Self {
        let names = Crs::names();
        say!("unknown coordinate system {got:?}: allowed are {names}", "未知的坐标系 {got:?}，可用的有 {names}")
    }
}

impl Crs {
    /// Every system, in the order of the documentation.
    pub const ALL: &[Self] =
        &[Self::Wgs84, Self::Cgcs2000, Self::Gk120, Self::Gk40, Self::WebMercator, Self::Gcj02, Self::Bd09];

    /// The canonical name, as on the wire and in an import profile.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wgs84 => "EPSG:4326",
            Self::Cgcs2000 => "EPSG:4490",
            Self::Gk120 => "EPSG:4549",
            Self::Gk40 => "EPSG:4528",
            Self::WebMercator => "EPSG:3857",
            Self::Gcj02 => "GCJ-02",
            Self::Bd09 => "BD-09",
        }
    }

    /// Its number in EPSG's registry, which does not have the commercial ones.
    pub fn epsg(self) -> Option<&'static str> {
        self.as_str().strip_prefix("EPSG:")
    }

    /// Whether its positions are degrees or metres.
    pub const fn kind(self) -> CrsKind {
        match self {
            Self::Wgs84 | Self::Cgcs2000 | Self::Gcj02 | Self::Bd09 => CrsKind::Geographic,
            Self::Gk120 | Self::Gk40 | Self::WebMercator => CrsKind::Projected,
        }
    }

    /// The canonical names of all systems, for messages.
    pub fn names() -> String {
        Self::ALL.iter().map(|crs| crs.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl CrsKind {
    /// The names of the two members: east, then north.
    pub const fn members(self) -> (&'static str, &'static str) {
        match self {
            Self::Geographic => ("lon", "lat"),
            Self::Projected => ("x", "y"),
        }
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Crs {
    type Err = UnknownCrs;

    /// Reads the canonical name in any case, with or without its `:` or `-`: `gcj02`, `epsg4549`.
    fn from_str(text: &str) -> Result<Self, UnknownCrs> {
        let plain = |name: &str| -> String {
            name.chars().filter(|c| !matches!(c, ':' | '-' | '_' | ' ')).map(|c| c.to_ascii_uppercase()).collect()
        };
        let wanted = if text.len() <= 40 { plain(text) } else { String::new() };
        Self::ALL
            .iter()
            .copied()
            .find(|crs| plain(crs.as_str()) == wanted)
            .ok_or_else(|| UnknownCrs { got: text.chars().take(40).collect() })
    }
}

/// The table of control points of the national and the commercial systems, in and around Shibei,
/// computed independently with PROJ 9.5.1 and in double precision:
/// WGS 84, GCJ-02, BD-09 (7 decimals), EPSG:4549 (1 mm).
#[cfg(test)]
pub(crate) const VECTORS: [[(f64, f64); 4]; 6] = [
    [(120.345, 36.085), (120.350_095_2, 36.085_228_1), (120.356_482_6, 36.091_536_1), (531_073.115, 3_995_029.353)],
    [(120.355, 36.095), (120.360_110_8, 36.095_247_7), (120.366_484_0, 36.101_603_2), (531_969.739, 3_996_142.207)],
    [(120.325, 36.09), (120.330_063_1, 36.090_191_6), (120.336_543_6, 36.096_187_0), (529_269.915, 3_995_577.956)],
    [(120.38, 36.12), (120.385_137_5, 36.120_286_1), (120.391_610_4, 36.126_377_2), (534_210.297, 3_998_924.758)],
    [(120.4, 36.1), (120.405_136_0, 36.100_291_9), (120.411_696_7, 36.106_029_8), (536_019.978, 3_996_712.745)],
    [(120.36, 36.15), (120.365_122_9, 36.150_268_4), (120.371_537_5, 36.156_622_3), (532_397.413, 4_002_246.769)],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::said::english;

    #[test]
    fn names_are_read_in_any_case() {
        for crs in Crs::ALL {
            assert_eq!(crs.to_string().parse(), Ok(*crs));
            assert_eq!(crs.to_string().to_lowercase().parse(), Ok(*crs));
        }
        for text in ["gcj02", "GCJ-02", "Gcj_02"] {
            assert_eq!(text.parse(), Ok(Crs::Gcj02));
        }
        assert_eq!(
            english("EPSG:2437".parse::<Crs>().unwrap_err()),
            "unknown coordinate system \"EPSG:2437\": allowed are EPSG:4326, EPSG:4490, EPSG:4549, EPSG:4528, EPSG:3857, GCJ-02, BD-09"
        );
        assert!("".parse::<Crs>().is_err());
    }
}
