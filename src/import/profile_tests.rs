use super::*;

const WATER: &str = r#"
[[profile]]
name = "water"
file = "covers-water.csv"
kind = "covers"
encoding = "GB18030"
crs = "EPSG:4549"
source = "370203-WAT01"
[profile.columns]
external_id = "编号"
x = "东坐标"
y = "北坐标"
status = "状态"
[profile.constants]
category = "0101"
[profile.values.status]
"在用" = "in_service"
"不详" = ""
"#;

fn error(text: &str) -> String {
    Profiles::parse(text, "import.toml").unwrap_err().to_string()
}

#[test]
fn a_clerks_profile_is_read() {
    let profiles = Profiles::parse(WATER, "import.toml").unwrap();
    let water = &profiles[0];
    assert_eq!((water.kind, water.format, water.crs()), (Kind::Covers, Format::Csv, Crs::Gk120));
    assert_eq!(water.encoding.unwrap().name(), "gb18030");
    assert_eq!((water.column(Field::X), water.column(Field::Owner)), (Some("东坐标"), None));
    assert_eq!(water.constant(Field::Category), Some("0101"));
    assert_eq!(water.words(Field::Status).unwrap()["在用"], "in_service");
    assert_eq!((water.label(Field::Status), water.label(Field::Owner)), ("状态", "owner"));
}

#[test]
fn errors_name_the_file_the_profile_and_the_key() {
    for (from, to, said) in [
        (
            "crs = \"EPSG:4549\"",
            "crs = \"EPSG:9999\"",
            "crs: unknown coordinate system \"EPSG:9999\": allowed are EPSG:4326",
        ),
        ("kind = \"covers\"", "kind = \"cover\"", "kind: \"cover\" is unknown; allowed: district, subdistricts"),
        ("kind = \"covers\"", "colour = 1\nkind = \"covers\"", "unknown field `colour`"),
        ("file = \"covers-water.csv\"\n", "", "missing field `file`"),
        ("covers-water.csv", "covers-water.xlsx", "file: covers-water.xlsx says no format by its extension"),
        ("\"GB18030\"", "\"GB2\"", "encoding: \"GB2\" is unknown"),
        ("370203-WAT01", "water", "source: organization code looks like 370203-WAT01, got \"water\""),
        ("source = \"370203-WAT01\"\n", "", "source: covers need the organisation"),
        ("external_id = \"编号\"\n", "", "columns.external_id: covers need this field"),
        ("x = \"东坐标\"\n", "", "columns.x: covers need this field"),
        ("x = \"东坐标\"", "lon = \"东坐标\"", "columns.lon: positions in EPSG:4549 are x and y"),
        (
            "status = \"状态\"",
            "state = \"状态\"",
            "columns.state: covers have no such field; they have external_id, code",
        ),
        ("category = \"0101\"", "status = \"in_service\"", "constants.status: the field has a column already"),
        (
            "= \"in_service\"",
            "= \"in use\"",
            "values.status.在用: \"in use\" is not one of Guli's words: planned, in_service",
        ),
        ("category = \"0101\"\n", "", "columns.category: covers need this field, or a code that contains it"),
    ] {
        assert!(WATER.contains(from), "{from}");
        let got = error(&WATER.replace(from, to));
        assert!(got.starts_with("import.toml: profile \"water\": ") && got.contains(said), "{got}");
    }
    assert!(error(&format!("{WATER}{WATER}")).contains("profile \"water\": name: there is another"));
    assert!(error("[[profile]]\nname = 'a'\nfile = 'x.csv'\nkind = 'grids'").contains("which csv cannot hold"));
    assert!(error("[[profile]\n").starts_with("import.toml: "));
    assert!(error("[settings]\n").contains("unknown field `settings`"));
    let missing = Profiles::read(Path::new("/nowhere/import.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/import.toml: "), "{missing}");
}

#[test]
fn a_file_without_a_profile_is_read_by_gulis_names() {
    let profile = Profile::default_for(Path::new("data/covers.csv"), Kind::Covers).unwrap();
    assert_eq!((profile.column(Field::Lon), profile.column(Field::X)), (Some("lon"), None));
    let profile = profile.with_crs(Crs::Gk40);
    assert_eq!((profile.column(Field::Lon), profile.column(Field::X)), (None, Some("x")));
    assert!(Profile::default_for(Path::new("covers.xlsx"), Kind::Covers).is_none());
}
