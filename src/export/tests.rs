//! How features are written, on features made by hand.

use std::sync::Arc;

use geo::{LineString, MultiPolygon, Polygon};
use serde_json::{Value, json};

use super::encode::{self, Extent};
use super::row::{AreaRow, Row, columns};
use super::*;
use crate::domain::cover::{Accuracy, Spec, Status};
use crate::domain::id::CoverId;
use crate::domain::organization::{OrgKind, Organization};
use crate::domain::position::Position;
use crate::index::CoverView;
use crate::store::areas::Area;

fn cover(lon: f64, lat: f64, owner: &str) -> Row {
    let owner = Organization {
        code: "370203-WAT01".parse().unwrap(),
        name: owner.to_owned(),
        kind: OrgKind::Utility,
        credit_code: None,
        phone: None,
        version: 1,
    };
    Row::Cover(Box::new(CoverView {
        id: CoverId(uuid::Uuid::nil()),
        code: "3702030103000123".parse().unwrap(),
        category_name: Arc::from("雨水井盖"),
        owner: Some(Arc::new(owner)),
        responsible_unit: None,
        spec: Spec { depth_mm: Some(1_250), ..Spec::default() },
        status: Status::InService,
        position: Position::new(lon, lat).unwrap(),
        accuracy: Accuracy::A,
        grid: None,
        version: 3,
    }))
}

fn written(ask: &Ask, rows: &[Row]) -> String {
    let encoded = encode::rows(ask, rows).unwrap();
    let mut text = encode::head(ask);
    text.extend_from_slice(if ask.format == Format::GeoJson { &encoded.bytes[1..] } else { &encoded.bytes });
    text.extend(encode::tail(ask.format, encoded.extent));
    String::from_utf8(text).unwrap()
}

#[test]
fn what_names_hold_breaks_no_format() {
    let name = "a \"quoted\", line\nand 古力\\";
    let rows = [cover(120.123_456_78, 36.1, name), cover(-0.000_000_01, 0.0, name)];
    let text = written(&Ask::whole(Layer::Covers, Format::GeoJson), &rows);
    let collection: Value = serde_json::from_str(&text).unwrap();
    let first = &collection["features"][0];
    assert_eq!(first["properties"]["owner_name"], name);
    assert_eq!((&first["properties"]["depth_m"], &first["properties"]["grid"]), (&json!(1.25), &Value::Null));
    assert!(text.contains("[120.12345678,36.1]") && text.contains("[-0.00000001,0]"), "{text}");
    assert_eq!(collection["bbox"], json!([-0.000_000_01, 0, 120.123_456_78, 36.1]));
    assert!(geojson::FeatureCollection::try_from(text.parse::<geojson::GeoJson>().unwrap()).is_ok());

    let text = written(&Ask::whole(Layer::Covers, Format::GeoJsonLines), &rows);
    assert_eq!(text.lines().filter(|line| line.parse::<geojson::Feature>().is_ok()).count(), 2, "{text}");

    let text = written(&Ask::whole(Layer::Covers, Format::Csv), &rows);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), columns(Layer::Covers).len() + 2);
    assert_eq!(&reader.records().next().unwrap().unwrap()[5], name);
}

#[test]
fn outer_rings_run_counter_clockwise_and_holes_clockwise() {
    let ring = |size: f64, at: f64| vec![(at, at), (at, at + size), (at + size, at + size), (at + size, at), (at, at)];
    // Both the wrong way round.
    let mut hole = ring(1.0, 1.0);
    hole.reverse();
    let polygon = Polygon::new(LineString::from(ring(3.0, 0.0)), vec![LineString::from(hole)]);
    let (name, outline) = ("d".to_owned(), MultiPolygon::new(vec![polygon]));
    let area = Area { code: 370_203, name, supervising_department: None, outline, version: 1 };
    let row = [Row::Area(Box::new(AreaRow::district(area)))];
    let text = written(&Ask::whole(Layer::Districts, Format::GeoJson), &row);
    let collection: Value = serde_json::from_str(&text).unwrap();
    let rings = &collection["features"][0]["geometry"]["coordinates"][0];
    let twice_area = |ring: &Value| -> f64 {
        let points: Vec<[f64; 2]> = serde_json::from_value(ring.clone()).unwrap();
        points.windows(2).map(|pair| pair[0][0] * pair[1][1] - pair[1][0] * pair[0][1]).sum()
    };
    assert!(twice_area(&rings[0]) > 0.0 && twice_area(&rings[1]) < 0.0, "{text}");
    let text = written(&Ask::whole(Layer::Districts, Format::Csv), &row);
    assert!(text.starts_with("code,name,version,geometry\r\n370203,d,1,\"MULTIPOLYGON (((") && text.contains("),("));
}

#[test]
fn an_empty_layer_is_still_a_collection() {
    let ask = Ask { crs: crate::crs::Crs::Gk120, ..Ask::whole(Layer::Covers, Format::GeoJson) };
    let mut text = encode::head(&ask);
    text.extend(encode::tail(ask.format, Extent::default()));
    let collection: Value = serde_json::from_slice(&text).unwrap();
    let name = "urn:ogc:def:crs:EPSG::4549";
    let expected = json!({
        "type": "FeatureCollection", "coordinate_system": "EPSG:4549", "features": [],
        "crs": {"type": "name", "properties": {"name": name}},
    });
    assert_eq!(collection, expected);
}

#[test]
fn a_place_out_of_the_system_is_refused() {
    let ask = Ask { crs: crate::crs::Crs::Gk120, ..Ask::whole(Layer::Covers, Format::Csv) };
    assert!(matches!(encode::rows(&ask, &[cover(10.0, 50.0, "x")]), Err(ServiceError::Invalid(_))));
}
