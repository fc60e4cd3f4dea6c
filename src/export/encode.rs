//! Features as bytes.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;

use bytes::Bytes;
use geo::algorithm::orient::{Direction, Orient as _};
use geo::{LineString, Polygon};

use super::row::{At, Cell, Row, columns};
use super::{Ask, Format, Layer};
use crate::crs::{Crs, CrsService};
use crate::domain::position::Position;
use crate::domain::said::english;
use crate::service::error::{Result, ServiceError};

/// West, south, east, north of what was written, in its own coordinate system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extent([f64; 4]);

impl Default for Extent {
    fn default() -> Self {
        Self([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY])
    }
}

impl Extent {
    fn add(&mut self, x: f64, y: f64) {
        *self = self.with(Self([x, y, x, y]));
    }

    pub(super) fn with(self, other: Self) -> Self {
        let ([a, b, c, d], [west, south, east, north]) = (self.0, other.0);
        Self([a.min(west), b.min(south), c.max(east), d.max(north)])
    }
}

/// Some features, written.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    /// Of a collection each feature begins with a comma; lines end with themselves.
    pub(super) bytes: Bytes,
    pub(super) features: usize,
    pub(super) extent: Extent,
    /// Of the bytes.
    pub(super) mark: u64,
}

/// Names bytes.
pub(super) fn mark(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

const fn has_points(layer: Layer) -> bool {
    matches!(layer, Layer::Covers | Layer::WorkOrders)
}

/// What stands before the features.
pub(super) fn head(ask: &Ask) -> Vec<u8> {
    match ask.format {
        Format::GeoJson => {
            let mut head = br#"{"type":"FeatureCollection","#.to_vec();
            if ask.crs != Crs::Wgs84 {
                // RFC 7946 knows WGS 84 only: another system is said in so many words, as on lines.
                head.extend(format!(r#""coordinate_system":"{}","#, ask.crs).bytes());
            }
            // GDAL and QGIS still read what was said before there was an RFC, and take east first whatever the authority says.
            if let Some(code) = ask.crs.epsg().filter(|_| ask.crs != Crs::Wgs84) {
                let name = format!("urn:ogc:def:crs:EPSG::{code}");
                head.extend(format!(r#""crs":{{"type":"name","properties":{{"name":"{name}"}}}},"#).bytes());
            }
            head.extend(br#""features":["#);
            head
        }
        Format::GeoJsonLines => Vec::new(),
        Format::Csv => {
            let (east, north) = ask.crs.kind().members();
            let places: &[&str] = if has_points(ask.layer) { &[east, north] } else { &["geometry"] };
            let names: Vec<_> = columns(ask.layer).iter().chain(places).copied().collect();
            format!("{}\r\n", names.join(",")).into_bytes()
        }
    }
}

/// What stands after them.
pub(super) fn tail(format: Format, extent: Extent) -> Vec<u8> {
    if format != Format::GeoJson {
        return Vec::new();
    }
    let [west, south, east, north] = extent.0;
    if west > east {
        return b"]}\n".to_vec();
    }
    format!("\n],\"bbox\":[{west},{south},{east},{north}]}}\n").into_bytes()
}

/// Writes features.
///
/// # Errors
/// A place where the coordinate system is not used.
pub(super) fn rows(ask: &Ask, rows: &[Row]) -> Result<Encoded> {
    let mut writer = Writer {
        out: Vec::with_capacity(rows.len() * 600),
        crs: ask.crs,
        extent: Extent::default(),
        names: names(ask),
    };
    for row in rows {
        match ask.format {
            Format::GeoJson => {
                writer.out.extend(b",\n");
                writer.feature(row, None)?;
            }
            Format::GeoJsonLines => {
                // A line stands alone, so each says its system where it is not WGS 84.
                writer.feature(row, (ask.crs != Crs::Wgs84).then_some(ask.crs))?;
                writer.out.push(b'\n');
            }
            Format::Csv => writer.record(row)?,
        }
    }
    Ok(Encoded { mark: mark(&writer.out), bytes: writer.out.into(), features: rows.len(), extent: writer.extent })
}

/// The members of `properties`, each with the comma before it and the colon after.
fn names(ask: &Ask) -> Vec<String> {
    let members = columns(ask.layer).iter().enumerate();
    members.map(|(at, name)| format!("{}\"{name}\":", if at == 0 { "" } else { "," })).collect()
}

struct Writer {
    out: Vec<u8>,
    crs: Crs,
    extent: Extent,
    names: Vec<String>,
}

impl Writer {
    fn feature(&mut self, row: &Row, note: Option<Crs>) -> Result<()> {
        let cells = row.cells();
        self.out.extend(br#"{"type":"Feature","#);
        if let Some(crs) = note {
            let _ = write!(self.out, r#""coordinate_system":"{crs}","#);
        }
        if let Some(code) = cells.first() {
            self.out.extend(br#""id":"#);
            json(&mut self.out, code);
        }
        self.out.extend(br#","geometry":"#);
        self.geometry(row.at())?;
        self.out.extend(br#","properties":{"#);
        for (name, cell) in self.names.iter().zip(&cells) {
            self.out.extend(name.bytes());
            json(&mut self.out, cell);
        }
        self.out.extend(b"}}");
        Ok(())
    }

    fn geometry(&mut self, at: At<'_>) -> Result<()> {
        match at {
            At::Point(at) => {
                let (x, y) = self.pair(at.lon(), at.lat())?;
                let _ = write!(self.out, r#"{{"type":"Point","coordinates":[{x},{y}]}}"#);
            }
            At::Area(outline) => {
                self.out.extend(br#"{"type":"MultiPolygon","coordinates":["#);
                for (at, polygon) in outline.orient(Direction::Default).iter().enumerate() {
                    self.polygon(at, polygon, [b"[", b"]", b"[", b","])?;
                }
                self.out.extend(b"]}");
            }
        }
        Ok(())
    }

    /// A polygon of a list: with what opens and closes a ring and a pair, and stands within a pair.
    fn polygon(&mut self, at: usize, polygon: &Polygon<f64>, signs: [&[u8]; 4]) -> Result<()> {
        let [open, close, ..] = signs;
        self.separate(at);
        self.out.extend(open);
        let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
        for (at, ring) in rings.enumerate() {
            self.separate(at);
            self.out.extend(open);
            self.ring(ring, signs)?;
            self.out.extend(close);
        }
        self.out.extend(close);
        Ok(())
    }

    fn ring(&mut self, ring: &LineString<f64>, [_, _, pair, between]: [&[u8]; 4]) -> Result<()> {
        for (at, point) in ring.0.iter().enumerate() {
            let (x, y) = self.pair(point.x, point.y)?;
            self.separate(at);
            self.out.extend(pair);
            let _ = write!(self.out, "{x}");
            self.out.extend(between);
            let _ = write!(self.out, "{y}");
            if !pair.is_empty() {
                self.out.push(b']');
            }
        }
        Ok(())
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            self.out.push(b',');
        }
    }

    /// East and north as they go out, with at most 1e-8° or 1 mm.
    fn pair(&mut self, lon: f64, lat: f64) -> Result<(f64, f64)> {
        let at = Position::new(lon, lat).map_err(|e| ServiceError::Internal(format!("a boundary: {}", english(e))))?;
        let (x, y) = match self.crs {
            Crs::Wgs84 => (at.lon(), at.lat()),
            crs => CrsService::new().from_wgs84(crs, at).map_err(|e| ServiceError::parameter("out_crs", e))?,
        };
        self.extent.add(x, y);
        Ok((x, y))
    }

    /// A record of CSV (RFC 4180).
    fn record(&mut self, row: &Row) -> Result<()> {
        for cell in row.cells() {
            match &cell {
                Cell::Null => {}
                Cell::Text(text) => quoted(&mut self.out, text),
                other => json(&mut self.out, other),
            }
            self.out.push(b',');
        }
        match row.at() {
            At::Point(at) => {
                let (x, y) = self.pair(at.lon(), at.lat())?;
                let _ = write!(self.out, "{x},{y}");
            }
            At::Area(outline) => {
                self.out.extend(b"\"MULTIPOLYGON (");
                for (at, polygon) in outline.orient(Direction::Default).iter().enumerate() {
                    self.polygon(at, polygon, [b"(", b")", b"", b" "])?;
                }
                self.out.extend(b")\"");
            }
        }
        self.out.extend(b"\r\n");
        Ok(())
    }
}

fn json(out: &mut Vec<u8>, cell: &Cell<'_>) {
    // Writing to memory does not fail.
    let _ = match cell {
        Cell::Null => write!(out, "null"),
        Cell::Text(text) => serde_json::to_writer(&mut *out, text).map_err(Into::into),
        Cell::Integer(number) => write!(out, "{number}"),
        Cell::Number(number) => write!(out, "{number}"),
        Cell::Flag(flag) => write!(out, "{flag}"),
    };
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    if !text.contains([',', '"', '\r', '\n']) {
        out.extend(text.bytes());
        return;
    }
    out.push(b'"');
    out.extend(text.replace('"', "\"\"").bytes());
    out.push(b'"');
}
