//! One thread's converter, with the PROJ transformer that cannot leave it.

use proj::Proj;

use super::{Crs, bd09, gcj02, mercator};
use crate::domain::position::{Axis, Position, PositionError, Wgs84};
use crate::domain::said::{Said, say};

/// Why numbers are no position in the coordinate system that they were declared in.
#[derive(Debug, Clone, PartialEq)]
pub enum CrsError {
    /// Not finite, or out of the range that any position has.
    Position(PositionError),
    /// Finite, but far from where the system is used: most often another system, or exchanged axes.
    OutsideArea { crs: Crs, axis: Axis, min: f64, max: f64, got: f64 },
    /// PROJ refused.
    Projection { crs: Crs, reason: String },
}

impl From<PositionError> for CrsError {
    fn from(error: PositionError) -> Self {
        Self::Position(error)
    }
}

impl From<CrsError> for Said {
    fn from(error: CrsError) -> Self {
        match error {
            CrsError::Position(error) => error.into(),
            CrsError::OutsideArea { crs, axis, min, max, got } => say!(
                "{axis} of {crs} must lie between {min} and {max}, got {got}{hint}",
                "{crs} 的 {axis} 必须在 {min} 到 {max} 之间，收到 {got}{hint}",
                hint = hint(crs, got),
            ),
            CrsError::Projection { crs, reason } => {
                say!("{crs} could not be converted: {reason}", "{crs} 坐标无法转换：{reason}")
            }
        }
    }
}

impl CrsError {
    /// The member at fault; `None` where both are.
    pub fn axis(&self) -> Option<Axis> {
        match self {
            Self::Position(error) => Some(error.axis()),
            Self::OutsideArea { axis, .. } => Some(*axis),
            Self::Projection { .. } => None,
        }
    }
}

/// The two mistakes that the number itself gives away.
fn hint(crs: Crs, got: f64) -> Said {
    match crs {
        Crs::Gk120 if (40_000_000.0..41_000_000.0).contains(&got) => {
            say!(": with the zone number it is EPSG:4528", "：带带号的是 EPSG:4528")
        }
        Crs::Gk40 if (0.0..1_000_000.0).contains(&got) => {
            say!(": without the zone number it is EPSG:4549", "：不带带号的是 EPSG:4549")
        }
        Crs::Gk120 | Crs::Gk40 if got.abs() <= 180.0 => say!(": is it in degrees?", "：是否以度为单位？"),
        Crs::Gk120 if (1_900_000.0..6_200_000.0).contains(&got) => {
            say!(": x is east, y is north", "：x 向东，y 向北")
        }
        _ => Said::new("", ""),
    }
}

/// Gauss-Krüger around 120° E on GRS 1980, the ellipsoid of CGCS2000, from radians to metres east
/// of the central meridian and north of the equator: EPSG:4549 and EPSG:4528 without their false
/// eastings. The exact (Poder-Engsager) series is named because `proj.ini` may choose another default.
const GK_120: &str = "+proj=tmerc +lat_0=0 +lon_0=120 +k=1 +x_0=0 +y_0=0 +ellps=GRS80 +units=m +algo=poder_engsager";

/// False eastings in metres.
const GK120_EAST: f64 = 500_000.0;
const GK40_EAST: f64 = 40_500_000.0;

/// Half the width of what a Gauss-Krüger zone of three degrees is used for, with half a degree of
/// overlap: 2° at the equator, in metres.
const GK_HALF_WIDTH: f64 = 223_000.0;
/// Southern and northern end of China's zones, in metres from the equator: the equator to 55.8° N.
const GK_NORTH: (f64, f64) = (0.0, 6_190_000.0);

/// Converts between WGS 84 and the other systems. Cheap to make, not [`Send`]; its
/// transformer is made when first needed.
///
/// ```
/// use guli::crs::{Converter, Crs};
/// let mut converter = Converter::new();
/// let at = converter.to_wgs84(Crs::Gk120, 534_210.297, 3_998_924.758).unwrap();
/// assert!((at.lon() - 120.38).abs() < 1e-8 && (at.lat() - 36.12).abs() < 1e-8);
/// ```
#[derive(Default)]
pub struct Converter {
    gauss_krueger: Option<Proj>,
}

impl Converter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the transformer now instead of at its first use.
    pub fn warm(&mut self) -> Result<(), CrsError> {
        self.project(Crs::Gk120, (120_f64.to_radians(), 0.0), false).map(|_| ())
    }

    /// The WGS 84 position of `east` and `north` in `crs`: degrees or metres, by its kind.
    ///
    /// # Errors
    /// Numbers that are not finite, out of range, or outside where the system is used.
    pub fn to_wgs84(&mut self, crs: Crs, east: f64, north: f64) -> Result<Position<Wgs84>, CrsError> {
        let (lon, lat) = match crs {
            Crs::Wgs84 | Crs::Cgcs2000 => (east, north),
            Crs::Gcj02 | Crs::Bd09 => {
                Position::new(east, north)?;
                within(crs, (east, north), (Axis::Lon, Axis::Lat), gcj02::AREA)?;
                if crs == Crs::Gcj02 { gcj02::to_wgs84(east, north) } else { bd09::to_wgs84(east, north) }
            }
            Crs::WebMercator => {
                Position::new_plane(east, north)?;
                let m = mercator::MAX_METRES;
                within(crs, (east, north), (Axis::X, Axis::Y), [-m, -m, m, m])?;
                let (lon, lat) = mercator::to_wgs84(east, north);
                // The last millimetre before the antimeridian.
                (lon.clamp(-180.0, 180.0), lat)
            }
            Crs::Gk120 | Crs::Gk40 => {
                Position::new_plane(east, north)?;
                let middle = false_easting(crs);
                let (west, eastern) = (middle - GK_HALF_WIDTH, middle + GK_HALF_WIDTH);
                within(crs, (east, north), (Axis::X, Axis::Y), [west, GK_NORTH.0, eastern, GK_NORTH.1])?;
                let (lon, lat) = self.project(crs, (east - middle, north), true)?;
                (lon.to_degrees(), lat.to_degrees())
            }
        };
        Ok(Position::new(lon, lat)?)
    }

    /// `position` in `crs`, east first: degrees rounded to 1e-8 or metres rounded to 1 mm.
    ///
    /// # Errors
    /// A position outside where the system is used.
    pub fn from_wgs84(&mut self, crs: Crs, position: Position<Wgs84>) -> Result<(f64, f64), CrsError> {
        let (lon, lat) = (position.lon(), position.lat());
        let within = |area| within(crs, (lon, lat), (Axis::Lon, Axis::Lat), area);
        match crs {
            Crs::Wgs84 | Crs::Cgcs2000 => Ok((lon, lat)),
            Crs::Gcj02 => within(gcj02::AREA).map(|()| rounded(gcj02::from_wgs84(lon, lat), 1e8)),
            Crs::Bd09 => within(gcj02::AREA).map(|()| rounded(bd09::from_wgs84(lon, lat), 1e8)),
            Crs::WebMercator => within([-180.0, -mercator::MAX_LAT, 180.0, mercator::MAX_LAT])
                .map(|()| rounded(mercator::from_wgs84(lon, lat), 1e3)),
            Crs::Gk120 | Crs::Gk40 => {
                within([118.0, 0.0, 122.0, 55.8])?;
                let (x, y) = self.project(crs, (lon.to_radians(), lat.to_radians()), false)?;
                Ok(rounded((x + false_easting(crs), y), 1e3))
            }
        }
    }

    /// Converts many pairs to WGS 84 degrees, in place.
    ///
    /// # Errors
    /// The index of the first pair that is no position, and why; pairs before it are converted already.
    pub fn to_wgs84_all(&mut self, crs: Crs, pairs: &mut [(f64, f64)]) -> Result<(), (usize, CrsError)> {
        for (index, pair) in pairs.iter_mut().enumerate() {
            let position = self.to_wgs84(crs, pair.0, pair.1).map_err(|error| (index, error))?;
            *pair = (position.lon(), position.lat());
        }
        Ok(())
    }

    /// Converts many pairs of WGS 84 degrees to `crs`, in place.
    ///
    /// # Errors
    /// As [`Converter::to_wgs84_all`].
    pub fn from_wgs84_all(&mut self, crs: Crs, pairs: &mut [(f64, f64)]) -> Result<(), (usize, CrsError)> {
        for (index, pair) in pairs.iter_mut().enumerate() {
            let position = Position::new(pair.0, pair.1).map_err(|error| (index, error.into()))?;
            *pair = self.from_wgs84(crs, position).map_err(|error| (index, error))?;
        }
        Ok(())
    }

    fn project(&mut self, crs: Crs, pair: (f64, f64), inverse: bool) -> Result<(f64, f64), CrsError> {
        let failed = |reason: &dyn ToString| CrsError::Projection { crs, reason: reason.to_string() };
        let proj = match self.gauss_krueger.take() {
            Some(proj) => proj,
            None => Proj::new(GK_120).map_err(|error| failed(&error))?,
        };
        let converted = proj.project(pair, inverse).map_err(|error| failed(&error));
        self.gauss_krueger = Some(proj);
        converted
    }
}

const fn false_easting(crs: Crs) -> f64 {
    if matches!(crs, Crs::Gk40) { GK40_EAST } else { GK120_EAST }
}

/// Whether a pair lies in west, south, east, north.
fn within(crs: Crs, pair: (f64, f64), axes: (Axis, Axis), area: [f64; 4]) -> Result<(), CrsError> {
    let [west, south, east, north] = area;
    for (axis, got, min, max) in [(axes.0, pair.0, west, east), (axes.1, pair.1, south, north)] {
        if !(min..=max).contains(&got) {
            return Err(CrsError::OutsideArea { crs, axis, min, max, got });
        }
    }
    Ok(())
}

fn rounded(pair: (f64, f64), scale: f64) -> (f64, f64) {
    ((pair.0 * scale).round() / scale, (pair.1 * scale).round() / scale)
}

#[cfg(test)]
#[path = "converter_tests.rs"]
mod tests;
