use std::path::Path;

use proptest::prelude::*;

use super::field::Kind;
use super::finding::FindingCode;
use super::profile::Profiles;
use super::*;

/// The profile of a file of covers with Guli's own names.
pub(super) fn covers(file: &str) -> Profile {
    Profile::default_for(Path::new(file), Kind::Covers).unwrap()
}

pub(super) fn rows(bytes: &[u8], profile: &Profile) -> Vec<Row> {
    read(bytes, profile, CrsService::new()).collect()
}

/// `row:line code` of each finding.
pub(super) fn codes(rows: &[Row]) -> Vec<String> {
    let findings = rows.iter().flat_map(|row| &row.findings);
    findings.map(|finding| format!("{}:{} {}", finding.row, finding.line, finding.code.as_str())).collect()
}

/// An import may run on any thread, and move between awaits.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Rows<'_, std::fs::File>>();
    is_send::<check::Checker<'_>>();
};

#[test]
fn organizations_and_people_are_read() {
    let read = |kind, text: &str| rows(text.as_bytes(), &Profile::default_for(Path::new("x.csv"), kind).unwrap());
    let organizations = "code,name,kind,credit_code\n370203-WAT01,水务,utility,\n370203005-K01,城管科,section,9137020016357624XB\n\
        370203-X,x,firm,123\n";
    let found = read(Kind::Organizations, organizations);
    assert!(found[0].draft.is_some() && found[1].draft.is_some(), "{found:?}");
    assert_eq!(codes(&found), ["3:4 value_invalid", "3:4 value_invalid"]);
    let phones =
        "code,name,kind,phone\n370203-WAT01,水务,utility,0532-00000101\n370203-X,x,utility,\n370203-Y,y,utility,无\n";
    let found = read(Kind::Organizations, phones);
    let phone = |row: &Row| match &row.draft {
        Some(Draft::Organization(draft)) => draft.phone.as_ref().map(|phone| phone.as_str().to_owned()),
        _ => None,
    };
    assert_eq!((phone(&found[0]).as_deref(), phone(&found[1])), (Some("0532-00000101"), None));
    assert_eq!((found[1].draft.is_some(), found[2].draft.is_some()), (true, true));
    assert_eq!(codes(&found), ["3:4 phone_invalid"]);
    assert_eq!(found[2].findings[0].column.as_deref(), Some("phone"));
    let people = "external_id,name,duty,area,phone\np1,张三,grid_leader,37020303300205,无\n";
    let found = read(Kind::People, people);
    assert!(found[0].draft.is_some() && codes(&found) == ["1:2 phone_invalid"], "{found:?}");
    let people = "external_id,name,duty,area,phone\np1,张三,grid_leader,37020303300205,000\np1,张三,patrol,370203033002,\n\
        p2,李四,boss,370203033,\np3,王五,police,3702030,\n";
    let found = read(Kind::People, people);
    assert!(matches!(&found[0].draft, Some(Draft::Person(p)) if p.area.to_string() == "370203033002005"), "{found:?}");
    assert!(!format!("{:?}", found[0]).contains("张三"));
    assert_eq!(codes(&found), ["3:4 value_invalid", "4:5 code_invalid"]);
}

/// Bytes that are nearly a file, so that the readers get somewhere.
fn nearly(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let edit = (0..text.len(), prop::collection::vec(any::<u8>(), 0..3), 0..9_usize);
    prop::collection::vec(edit, 0..4).prop_map(move |edits| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, with, cut) in edits {
            let at = at.min(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, with);
        }
        bytes
    })
}

const CSV: &str = "external_id,lon,lat,category,name\na,120.38,36.12,0101,\"x\ny\"\nb,120.38,36.12,0102,井盖\n";
const JSON: &str = r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Polygon","coordinates":
    [[[120.38,36.12],[120.381,36.12],[120.381,36.121],[120.38,36.12]]]},"properties":{"code":"370203","name":"市北区"}}]}"#;

fn no_reader_panics(bytes: &[u8]) {
    for file in ["x.csv", "x.geojson", "x.geojsonl"] {
        for kind in [Kind::Covers, Kind::District, Kind::People] {
            rows(bytes, &Profile::default_for(Path::new(file), kind).unwrap());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        no_reader_panics(&bytes);
    }

    #[test]
    fn a_damaged_csv_is_read(bytes in nearly(CSV)) {
        no_reader_panics(&bytes);
    }

    #[test]
    fn a_damaged_geojson_is_read(bytes in nearly(JSON)) {
        no_reader_panics(&bytes);
    }
}

#[test]
#[ignore = "a measurement: cargo test --release --lib import::tests -- --ignored --nocapture"]
fn measure_mapping() {
    use std::fmt::Write as _;
    let count = 200_000;
    let mut text =
        "external_id,x,y,category,owner,accuracy,status,shape,opening_mm,material,load_class,installed\n".to_owned();
    let mut json = String::new();
    for i in 0..count {
        let _ = writeln!(
            text,
            "W{i},{:.3},3998924.758,0101,370203-WAT01,A,in_service,round,600,ductile_iron,D400,2015",
            530_000.0 + f64::from(i) / 100.0
        );
        let lon = 120.3 + f64::from(i) / 1e7;
        let _ = writeln!(
            json,
            r#"{{"type":"Feature","geometry":{{"type":"Point","coordinates":[{lon},36.12]}},"properties":{{"external_id":"W{i}","category":"0101","owner":"370203-WAT01","accuracy":"A","opening_mm":600,"material":"ductile_iron"}}}}"#
        );
    }
    let collection =
        format!("{{\"type\":\"FeatureCollection\",\"features\":[{}]}}", json.trim_end().replace('\n', ","));
    for (file, text) in [("x.csv", &text), ("x.geojson", &collection), ("x.geojsonl", &json)] {
        let crs = if file == "x.csv" { crate::crs::Crs::Gk120 } else { crate::crs::Crs::Gcj02 };
        let profile = covers(file).with_crs(crs);
        let start = std::time::Instant::now();
        let good = read(text.as_bytes(), &profile, CrsService::new()).filter(|row| row.draft.is_some()).count();
        assert_eq!(good, usize::try_from(count).unwrap());
        println!("{file}: {:?} for 1.7 million rows", start.elapsed() * 17 / 2);
    }
}

#[test]
fn a_district_writes_its_own_tables() {
    let profile = |kind: &str| {
        let toml = format!("[[profile]]\nname = \"x\"\nfile = \"x.csv\"\nkind = \"{kind}\"\n");
        Profiles::parse(&toml, "import.toml").unwrap().remove(0)
    };
    let read_all =
        |kind: &str, text: &str| -> Vec<Row> { read(text.as_bytes(), &profile(kind), CrsService::new()).collect() };
    let rows = read_all("categories", "code,name,name_en,enabled\n0128,公交井盖,bus,true\n0199,x,x,true\n");
    assert!(matches!(&rows[0].draft, Some(Draft::Category(category)) if category.enabled));
    assert_eq!(rows[1].findings[0].code, FindingCode::CategoryUnknown);
    let rows = read_all(
        "damages",
        "code,name,urgency,secure_limit,target,repair_limit\nleaning,倾斜,2,15min,S,2wd\nLeaning,x,4,soon,T,\n",
    );
    assert!(matches!(&rows[0].draft, Some(Draft::Damage(damage)) if damage.repair.to_string() == "2wd"));
    let columns: Vec<_> = rows[1].findings.iter().filter_map(|finding| finding.column.as_deref()).collect();
    assert_eq!(columns, ["code", "urgency", "target", "secure_limit", "repair_limit"]);
}
