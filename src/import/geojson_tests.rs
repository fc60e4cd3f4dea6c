use super::super::draft::Draft;
use super::super::tests::{codes, covers, rows};
use super::super::{Row, field::Kind};
use super::*;

const A: &str = r#"{"type":"Feature","id":7,"geometry":{"type":"Point","coordinates":[120.38,36.12]},"properties":{"external_id":"a]}\"","category":"0101","owner":null,"opening_mm":600}}"#;

fn found(text: &str) -> Vec<Row> {
    rows(text.as_bytes(), &covers("x.geojson"))
}

fn collection(features: &[&str]) -> String {
    format!("{{\"type\":\"FeatureCollection\",\"features\":[{}]}}", features.join(",\n"))
}

#[test]
fn features_are_cut_wherever_they_stand() {
    for text in [
        collection(&[A, A]),
        format!(
            "{{\"bbox\":[1,2,3,4], \"name\":\"features\", \"features\" : [ {A} , {A} ] , \"x\":{{\"features\":[1]}}, \"type\":\"FeatureCollection\"}}\n\n"
        ),
        collection(&[&A.replace(',', ",\r\n"), A]),
    ] {
        let rows = found(&text);
        assert_eq!(rows.len(), 2, "{rows:?}");
        for row in &rows {
            let Some(Draft::Cover(cover)) = &row.draft else { panic!("{rows:?}") };
            assert_eq!((cover.external_id.as_str(), cover.spec.opening_mm), ("a]}\"", Some(600)));
        }
    }
    assert_eq!(
        found(&collection(&[&A.replace(',', ",\n"), A])).iter().map(|row| row.line).collect::<Vec<_>>(),
        [1, 10]
    );
    assert_eq!(found(&collection(&[])).len(), 0);
    assert!(found(A)[0].draft.is_some());
}

#[test]
fn a_truncated_file_is_malformed_at_its_end() {
    let text = collection(&[A, A]);
    for cut in [text.len() - 1, text.len() - 2, text.len() - 40, 10] {
        let rows = found(&text[..cut]);
        let last = codes(&rows).pop().unwrap();
        assert!(last.ends_with("malformed"), "{cut} {rows:?}");
        assert!(rows.last().unwrap().findings[0].detail.english.starts_with("the file ends too early"), "{rows:?}");
    }
}

#[test]
fn what_is_no_collection_is_malformed() {
    for text in [
        "",
        "[]",
        "null",
        "{}",
        "<html></html>",
        "{\"type\":\"Feature\"",
        "{\"type\":\"Topology\",\"features\":[]}",
        "{]",
    ] {
        assert!(codes(&found(text))[0].ends_with("malformed"), "{text}");
    }
    for features in [format!("{A} {A}"), format!(",{A}"), format!("{A},,{A}"), "1}}".to_owned()] {
        assert_eq!(codes(&found(&collection(&[&features]))).last().unwrap().split(' ').next_back(), Some("malformed"));
    }
}

#[test]
fn a_bad_feature_rejects_itself_only() {
    for bad in [
        "17",
        "null",
        "\"]\"",
        "[1,2]",
        "{\"type\":\"Feature\"}",
        &A.replace("120.38", "NaN"),
        &A.replace("120.38", "1e999"),
        &A.replace("[120.38,36.12]", "[120.38]"),
        &A.replace("600", &format!("{}{}", "[".repeat(500), "]".repeat(500))),
    ] {
        let rows = found(&collection(&[A, bad, A]));
        assert_eq!(rows.len(), 3, "{bad} {rows:?}");
        assert!(rows[0].draft.is_some() && rows[1].draft.is_none() && rows[2].draft.is_some(), "{bad} {rows:?}");
    }
}

#[test]
fn geometry_and_properties_are_judged() {
    for (from, to, code) in [
        ("[120.38,36.12]", "[36.12,120.38]", "position_invalid"),
        ("[120.38,36.12]", "[120.38,36.12,5,9]", "position_invalid"),
        ("[120.38,36.12]", "[120.38,361.2]", "position_invalid"),
        (
            "\"Point\",\"coordinates\":[120.38,36.12]",
            "\"MultiPoint\",\"coordinates\":[[120.38,36.12]]",
            "geometry_invalid",
        ),
        ("{\"type\":\"Point\",\"coordinates\":[120.38,36.12]}", "null", "value_missing"),
        ("600", "{\"mm\":600}", "value_invalid"),
        ("600", "\"6\\u0000\"", "value_invalid"),
        ("\"external_id\":\"a]}\\\"\"", "\"external_id\":null", "value_missing"),
    ] {
        assert!(A.contains(from), "{from}");
        assert_eq!(codes(&found(&A.replace(from, to))), [format!("1:1 {code}")], "{to}");
    }
}

#[test]
fn the_features_own_id_serves() {
    let text = r#"[[profile]]
        name = "x"
        file = "x.geojson"
        kind = "covers"
        source = "370203-WAT01"
        columns = { external_id = "id", category = "category" }"#;
    let profile = super::super::profile::Profiles::parse(text, "import.toml").unwrap().remove(0);
    let rows = rows(A.as_bytes(), &profile);
    assert!(matches!(&rows[0].draft, Some(Draft::Cover(cover)) if cover.external_id == "7"), "{rows:?}");
}

#[test]
fn grids_are_read_with_outline_and_either_length_of_code() {
    let grid = |code: &str, ring: &str| {
        format!(
            r#"{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[[{ring}]]}},"properties":{{"code":{code},"name":"海晏社区第三网格"}}}}"#
        )
    };
    let square = "[120.38,36.12],[120.381,36.12],[120.381,36.121],[120.38,36.121],[120.38,36.12]";
    let bowtie = "[120.38,36.12],[120.381,36.121],[120.381,36.12],[120.38,36.121],[120.38,36.12]";
    let open = "[120.38,36.12],[120.381,36.12],[120.381,36.121],[120.38,36.121]";
    let many: Vec<_> = (0..100_000).map(|i| format!("[{},36]", 120.0 + f64::from(i) / 1e6)).collect();
    let text = collection(&[
        &grid("37020303300205", square),
        &grid("\"370203033002005\"", square),
        &grid("\"3702030330020\"", square),
        &grid("370203033002006", bowtie),
        &grid("370203033002007", open),
        &grid("370203033002008", &many.join(",")),
    ]);
    let mut profile = covers("x.geojson");
    profile = Profile::default_for(&profile.file, Kind::Grids).unwrap();
    let rows = rows(text.as_bytes(), &profile);
    for row in &rows[..2] {
        assert!(
            matches!(&row.draft, Some(Draft::Grid(grid)) if grid.area.code.to_string() == "370203033002005"),
            "{row:?}"
        );
    }
    assert_eq!(
        codes(&rows),
        ["3:3 code_invalid", "4:4 geometry_invalid", "5:5 geometry_invalid", "6:6 geometry_invalid"]
    );
}

#[test]
fn a_file_that_says_another_coordinate_system_is_not_taken_for_wgs84() {
    let said = |member: &str| collection(&[A]).replacen('{', &format!("{{{member},"), 1);
    let gcj = r#""coordinate_system":"GCJ-02""#;
    let urn = |name: &str| format!(r#""crs":{{"type":"name","properties":{{"name":"urn:ogc:def:crs:{name}"}}}}"#);
    for member in [gcj.to_owned(), urn("EPSG::4549"), urn("EPSG::3857")] {
        let rows = found(&said(&member));
        assert!(rows.len() == 1 && rows[0].is_break && rows[0].row == 0, "{member} {rows:?}");
        assert!(
            rows[0].findings[0].detail.english.starts_with("the file says that its coordinates are in"),
            "{rows:?}"
        );
    }
    for member in [urn("OGC:1.3:CRS84"), urn("EPSG::4326")] {
        assert!(found(&said(&member))[0].draft.is_some(), "{member}");
    }
    // Line by line too; and whoever says what system it is knows better.
    let line = A.replacen('{', &format!("{{{gcj},"), 1);
    assert!(rows(line.as_bytes(), &covers("x.geojsonl"))[0].is_break);
    let stated = covers("x.geojsonl").with_crs(Crs::Wgs84);
    assert!(rows(line.as_bytes(), &stated)[0].draft.is_some());
}

#[test]
fn what_is_no_feature_is_said_without_the_parsers_places() {
    let why = |text: &str| found(text)[0].findings[0].detail.english.to_string();
    assert!(why(&collection(&[&A.replace("120.38", "NaN")])).starts_with("no JSON object: it is cut off"));
    let other = why(&collection(&["{\"type\":\"Point\"}"]));
    assert!(other.starts_with("no GeoJSON feature: ") && !other.contains("column"), "{other}");
    let whole = &rows(collection(&[A]).as_bytes(), &covers("x.geojsonl"))[0].findings[0];
    assert!(whole.detail.english.contains("format = \"geojson\""), "{whole:?}");
}
