//! Pages of lists: their cursors, and the box that narrows them.

use serde::Serialize;
use utoipa::ToSchema;

use super::params::Params;
use crate::crs::{Crs, CrsService};
use crate::domain::said::{Said, say};
use crate::service::error::{Fault, Result, ServiceError};

/// Items of a page unless asked otherwise, and the most that may be asked for.
pub const DEFAULT_LIMIT: usize = 20;
pub const MOST: usize = 1_000;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Items<T> {
    pub items: Vec<T>,
    /// Opaque: the next page is the same query with `cursor` set to this.
    pub next: Option<String>,
}

/// A cursor says where a page of a list ended. Opaque, and good for that list alone.
pub fn cursor(list: &str, parts: &[&str]) -> String {
    let text = parts.join("\u{1f}");
    let mut out = String::new();
    for byte in text.as_bytes().iter().chain(&check(list, text.as_bytes())) {
        out.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')));
    }
    out
}

/// What ends a cursor.
fn check(list: &str, body: &[u8]) -> [u8; 4] {
    let whole = [list.as_bytes(), b"\x1e", body].concat();
    let [a, b, c, d, ..] = crate::service::keys::hash(&whole);
    [a, b, c, d]
}

/// Reads a cursor that [`cursor`] gave for this list.
pub fn read_cursor(list: &str, text: &str, parts: usize) -> Result<Vec<String>> {
    let broken = || {
        let detail = say!("this cursor was not given out for this list", "此游标并非由本列表给出");
        ServiceError::Malformed(Fault::parameter("cursor", detail))
    };
    let bytes: Option<Vec<u8>> = text
        .is_ascii()
        .then(|| (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()).collect())
        .flatten();
    let bytes = bytes.filter(|bytes| bytes.len() > 4 && text.len().is_multiple_of(2)).ok_or_else(broken)?;
    let (body, end) = bytes.split_at(bytes.len() - 4);
    if check(list, body) != *end {
        return Err(broken());
    }
    let text = std::str::from_utf8(body).map_err(|_| broken())?;
    let found: Vec<String> = text.split('\u{1f}').map(str::to_owned).collect();
    if found.len() == parts { Ok(found) } else { Err(broken()) }
}

/// What is said of a cursor that another query was answered with.
pub fn of_another_query() -> ServiceError {
    let detail = say!("this cursor belongs to another query", "此游标属于另一个查询");
    ServiceError::Malformed(Fault::parameter("cursor", detail))
}

/// `bbox=west,south,east,north` in `crs` → degrees.
pub fn bbox(params: &mut Params<'_>, crs: Crs) -> Result<Option<[f64; 4]>> {
    let Some(text) = params.text("bbox") else { return Ok(None) };
    let bad = |detail: Said| ServiceError::Malformed(Fault::parameter("bbox", detail));
    let numbers: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let Some([west, south, east, north]) = numbers.and_then(|numbers| <[f64; 4]>::try_from(numbers).ok()) else {
        return Err(bad(say!(
            "a bbox has four numbers: west,south,east,north",
            "bbox 应为四个数：west,south,east,north（西、南、东、北）"
        )));
    };
    if west > east || south > north {
        return Err(bad(say!(
            "a bbox goes from west to east and from south to north; it does not cross the antimeridian",
            "bbox 应自西向东、自南向北，不跨 180° 经线"
        )));
    }
    let service = CrsService::new();
    let mut bounds = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for (x, y) in [(west, south), (west, north), (east, south), (east, north)] {
        let at = service.to_wgs84(crs, x, y).map_err(|e| bad(e.into()))?;
        bounds = [bounds[0].min(at.lon()), bounds[1].min(at.lat()), bounds[2].max(at.lon()), bounds[3].max(at.lat())];
    }
    Ok(Some(bounds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tampered_cursor_is_refused() {
        let good = cursor("grids", &["370203", "17"]);
        assert_eq!(read_cursor("grids", &good, 2).unwrap(), ["370203", "17"]);
        assert!(read_cursor("covers", &good, 2).is_err());
        let mut bad = good.clone().into_bytes();
        bad[1] = if bad[1] == b'3' { b'4' } else { b'3' };
        assert!(read_cursor("grids", std::str::from_utf8(&bad).unwrap(), 2).is_err());
        assert!(["zz", "", "é"].iter().all(|text| read_cursor("grids", text, 1).is_err()));
    }
}
