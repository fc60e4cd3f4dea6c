//! Outlines as well-known binary (WKB), which every GIS reads.

use geo::{Geometry, MultiPolygon};

use super::{Result, corrupt};

pub(super) fn write(outline: &MultiPolygon<f64>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    wkb::writer::write_multi_polygon(&mut bytes, outline, &wkb::writer::WriteOptions::default())
        .map_err(|e| corrupt("outline", e))?;
    Ok(bytes)
}

pub(super) fn read(bytes: &[u8]) -> Result<MultiPolygon<f64>> {
    use geo_traits::to_geo::ToGeoGeometry as _;
    let geometry = wkb::reader::read_wkb(bytes).map_err(|e| corrupt("outline", e))?;
    match geometry.to_geometry() {
        Geometry::MultiPolygon(outline) => Ok(outline),
        Geometry::Polygon(polygon) => Ok(MultiPolygon::new(vec![polygon])),
        _ => Err(corrupt("outline", "no polygon")),
    }
}

#[cfg(test)]
mod tests {
    use geo::{LineString, Polygon};

    use super::*;

    #[test]
    fn an_outline_survives_the_database() {
        let ring = LineString::from(vec![(120.3, 36.0), (120.4, 36.0), (120.4, 36.100_000_01), (120.3, 36.0)]);
        let outline = MultiPolygon::new(vec![Polygon::new(ring, Vec::new())]);
        assert_eq!(read(&write(&outline).unwrap()).unwrap(), outline);
        assert!(read(b"no").is_err());
    }
}
