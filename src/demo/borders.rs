//! Writing the areas, the organisations and the people.

use std::fmt::Write as _;
use std::path::Path;

use super::Error;
use super::areas::{self, Area, Areas, OUTLINE};
use super::files::{Format, Text};
use super::mesh::Mesh;
use super::offices::{self, Roll, section_code};
use super::plane::to_gcj02;
use super::sink::{Sink, Value};
use super::site::Site;

/// All files but those of covers, `flawed` as they are; gives the number of organisations and of duties.
pub(super) fn write(areas: &Areas, flawed: bool, out: &Path) -> Result<(usize, usize), Error> {
    let site = areas.site;
    let district = Area { code: site.code, name: site.named("市北区"), ring: areas.outline.clone(), section: 0 };
    let names = |first: &'static str, second: &'static str| vec![first, second];
    layer(&areas.mesh, &[district], "district", &names("code", "name"), out)?;
    layer(&areas.mesh, &areas.subdistricts, "subdistricts", &names("街道代码", "街道名称"), out)?;
    layer(&areas.mesh, &areas.communities, "communities", &names("社区代码", "社区名称"), out)?;
    layer(&areas.mesh, &areas.grids, "grids", &["网格编码", "网格名称", "责任科室"], out)?;
    let table = |file: &str, headers: &[&str]| {
        Sink::create(&out.join(file), Format::Csv { delimiter: b',', text: Text::Utf8, crlf: false }, headers, "")
    };
    let mut sink = table(offices::FILE, &["单位编码", "单位名称", "单位类型", "值班电话"])?;
    let organizations = offices::all(areas, flawed);
    for [code, name, kind, phone] in &organizations {
        let word = offices::KIND_WORDS.iter().find(|(_, k)| k.as_str() == kind).map_or("", |(word, _)| word);
        sink.record([code, name, word, phone].into_iter())?;
    }
    sink.finish()?;
    let mut sink = table("people.csv", &["人员编号", "姓名", "电话", "所属单位", "职责", "责任区编码"])?;
    let roll = Roll::call(areas);
    for line in &roll {
        sink.record(line.iter().map(String::as_str))?;
    }
    sink.finish()?;
    Ok((organizations.len(), roll.len()))
}

/// The outline as it is published, in GCJ-02: the original where nothing was moved.
pub(super) fn published(site: Site) -> Result<String, Error> {
    if site.number == 0 {
        return Ok(OUTLINE.to_owned());
    }
    let corners = areas::corners(site)?;
    let mut text = String::from("{\"type\": \"MultiPolygon\", \"coordinates\": [[[");
    // Clockwise and closed.
    for (k, corner) in corners.first().into_iter().chain(corners.iter().rev()).enumerate() {
        let [lon, lat] = to_gcj02(corner.degrees());
        let comma = if k == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}[{lon:.6}, {lat:.6}]");
    }
    let _ = write!(text, "]]], \"properties\": {{\"adcode\": \"{}\"}}}}", site.code);
    Ok(text)
}

fn layer(mesh: &Mesh, areas: &[Area], name: &str, columns: &[&str], out: &Path) -> Result<(), Error> {
    let mut sink = Sink::create(&out.join(format!("{name}.geojson")), Format::GeoJson, columns, name)?;
    for area in areas {
        let mut values = vec![Value::Text(area.code.to_string()), Value::Text(area.name.clone())];
        if columns.len() > 2 {
            values.push(Value::Text(section_code(area.code / 1_000_000, area.section)));
        }
        sink.feature(&polygon(mesh, &area.ring), columns, &values)?;
    }
    sink.finish()
}

/// A ring as `GeoJSON`, closed.
fn polygon(mesh: &Mesh, ring: &[u32]) -> String {
    let mut text = String::with_capacity(ring.len() * 26 + 64);
    text.push_str("{\"type\":\"Polygon\",\"coordinates\":[[");
    for (k, &id) in ring.iter().chain(ring.first()).enumerate() {
        let [lon, lat] = mesh.vertices[id as usize].degrees();
        let comma = if k == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}[{lon},{lat}]");
    }
    text.push_str("]]}");
    text
}
