use encoding_rs::GB18030;

use super::super::Row;
use super::super::draft::Draft;
use super::super::profile::Profiles;
use super::super::tests::{codes, covers, rows};
use super::*;

/// A water company's file: Chinese headers, Gauss-Krüger, its own words.
fn water() -> Profile {
    let text = r#"
        [[profile]]
        name = "water"
        file = "covers-water.csv"
        kind = "covers"
        crs = "EPSG:4549"
        source = "370203-WAT01"
        columns = { external_id = "编号", x = "东坐标", y = "北坐标", status = "状态", opening_mm = "口径" }
        constants = { category = "0101", owner = "370203-WAT01" }
        values.status = { "在用" = "in_service", "废弃" = "abandoned", "不详" = "" }
    "#;
    Profiles::parse(text, "import.toml").unwrap().remove(0)
}

const WATER: &str = "编号,北坐标,东坐标,状态,口径,备注\n\
    W1,3998924.758,534210.297,在用,600,\n\
    W2,3998924.758,534210.297,坏,600,备注\n";

fn ids(rows: &[Row]) -> Vec<String> {
    let id = |row: &Row| match &row.draft {
        Some(Draft::Cover(cover)) => cover.external_id.clone(),
        _ => "!".to_owned(),
    };
    rows.iter().map(|row| format!("{}@{} {}", row.row, row.line, id(row))).collect()
}

#[test]
fn gb18030_with_chinese_headers_and_a_bom_read_alike() {
    let bytes = [WATER.as_bytes().to_vec(), GB18030.encode(WATER).0.to_vec(), format!("\u{FEFF}{WATER}").into_bytes()];
    for bytes in bytes {
        let rows = rows(&bytes, &water());
        assert_eq!(ids(&rows), ["1@2 W1", "2@3 !"]);
        let Some(Draft::Cover(cover)) = &rows[0].draft else { panic!("{rows:?}") };
        assert!((cover.position.lon() - 120.38).abs() < 2e-8 && (cover.position.lat() - 36.12).abs() < 2e-8);
        assert_eq!((cover.original.east, cover.spec.opening_mm), (534_210.297, Some(600)));
        let finding = &rows[1].findings[0];
        assert_eq!(finding.column.as_deref(), Some("状态"));
        assert_eq!(
            finding.detail.english,
            "unknown word \"坏\"; allowed: 不详, 在用, 废弃, planned, in_service, abandoned, removed"
        );
    }
}

#[test]
fn the_wrong_encoding_is_found() {
    let gb = GB18030.encode(WATER).0;
    let mut profile = water();
    profile.encoding = Some(encoding_rs::UTF_8);
    assert_eq!(codes(&rows(&gb, &profile)), ["0:1 encoding_invalid"]);
    // Declared the other way round, the header is nonsense.
    profile.encoding = Some(GB18030);
    assert_eq!(codes(&rows(WATER.as_bytes(), &profile)), ["0:1 encoding_invalid"]);
    // A few broken bytes reject their row only.
    let mut bytes = WATER.as_bytes().to_vec();
    let last = bytes.windows(6).rposition(|six| six == "备注".as_bytes()).unwrap();
    bytes[last] = 0xFF;
    let rows = rows(&bytes, &water());
    assert_eq!(codes(&rows), ["2:3 encoding_invalid"]);
    assert_eq!(rows[1].findings[0].column.as_deref(), Some("备注"));
}

#[test]
fn headers_that_do_not_fit_are_named() {
    let missing = rows("编号,北坐标,状态\nW1,1,在用\n".as_bytes(), &water());
    assert_eq!(codes(&missing), ["0:1 column_missing", "0:1 column_missing"]);
    assert_eq!(missing[0].findings[0].column.as_deref(), Some("东坐标"));
    assert_eq!(missing[0].findings[0].detail.english, "the file's columns are: 编号, 北坐标, 状态");
    let twice = WATER.replace("备注", "状态");
    assert_eq!(codes(&rows(twice.as_bytes(), &water())), ["0:1 malformed"]);
    assert_eq!(codes(&rows(b"", &water())), ["0:1 malformed"]);
    // Without a profile, only what a cover cannot do without is missed.
    assert_eq!(codes(&rows(b"external_id,lon,category\n", &covers("x.csv"))), ["0:1 column_missing"]);
}

#[test]
fn rows_are_records_and_lines_are_lines() {
    let text = "\n\"external\r\n_id\",lon,lat,category,external_id\r\n\
        x,120.38,36.12,0101,\"a\r\nb\"\r\n\r\nx,120.38,36.12,0101,c\r\n\"1\n2\n3\",120.38,36.12,0101,d\nx,120.38,36.12,0101,e";
    let found = rows(text.as_bytes(), &covers("x.csv"));
    assert_eq!(ids(&found), ["1@4 a\nb", "2@7 c", "3@8 d", "4@11 e"]);
}

#[test]
fn a_row_of_another_length_is_one_fault_and_an_endless_one_the_last() {
    let text = "external_id,lon,lat,category\na,120.38,36.12\nb,120.38,36.12,0101\n";
    assert_eq!(codes(&rows(text.as_bytes(), &covers("x.csv"))), ["1:2 malformed"]);
    let mut endless = "external_id,lon,lat,category\n\"".to_owned();
    endless.push_str(&"a,120.38,36.12,0101\n".repeat(200_000));
    let found = rows(endless.as_bytes(), &covers("x.csv"));
    assert_eq!(found.len(), 1);
    assert!(found[0].findings[0].detail.english.contains("never closed"), "{found:?}");
}

#[test]
fn every_bad_value_names_its_column() {
    let header = "external_id,lon,lat,category,code,depth_m,installed,opening_mm,shape,accuracy,owner\n";
    for (row, said) in [
        (",120.38,36.12,0101,,,,,,,", "value_missing external_id: external_id is needed"),
        ("a,,36.12,0101,,,,,,,", "value_missing lon: lon is needed"),
        ("a,NaN,36.12,0101,,,,,,,", "position_invalid lon: lon must be a finite number"),
        ("a,120.38,-inf,0101,,,,,,,", "position_invalid lat: lat must be a finite number"),
        ("a,120.38,北,0101,,,,,,,", "position_invalid lat: \"北\" is not a number"),
        (
            "a,36.12,120.38,0101,,,,,,,",
            "position_invalid lat: lat must lie between -90 and 90, got 120.38: are lon and lat swapped?",
        ),
        (
            "a,120.38,36.12,0199,,,,,,,",
            "category_unknown category: 0199 is not a category of GB/T 30428.2 or GB/T 47678.5",
        ),
        ("a,120.38,36.12,,,,,,,,", "value_missing category: a category is needed, or a code that contains it"),
        (
            "a,120.38,36.12,0103,3702030102000123,,,,,,",
            "code_invalid code: category 0103 contradicts code 3702030102000123",
        ),
        (
            "a,120.38,36.12,,370203010200012,,,,,,",
            "code_invalid code: cover code needs 16 digits (GB/T 30428.2) or 17 (GB/T 47678.5), got 15: \"370203010200012\"",
        ),
        ("a,120.38,36.12,0101,,0.1,,,,,", "value_invalid depth_m: \"0.1\" is no number from 0.2 to 20"),
        ("a,120.38,36.12,0101,,,1949,,,,", "value_invalid installed: \"1949\" is no whole number from 1950 to 2200"),
        ("a,120.38,36.12,0101,,,,600.5,,,", "value_invalid opening_mm: \"600.5\" is no whole number from 100 to 3000"),
        (
            "a,120.38,36.12,0101,,,,,oval,,",
            "value_invalid shape: unknown word \"oval\"; allowed: round, square, rectangular, triangular",
        ),
        ("a,120.38,36.12,0101,,,,,,D,", "value_invalid accuracy: unknown word \"D\"; allowed: A, B, C"),
        (
            "a,120.38,36.12,0101,,,,,,,water",
            "code_invalid owner: organization code looks like 370203-WAT01, got \"water\": \"water\"",
        ),
        ("a\0b,120.38,36.12,0101,,,,,,,", "value_invalid external_id: the character U+0000 is not allowed"),
    ] {
        let found = rows(format!("{header}{row}\n").as_bytes(), &covers("x.csv"));
        let finding = &found[0].findings[0];
        let column = finding.column.as_deref().unwrap_or("-");
        let got = format!("{} {column}: {}", finding.code.as_str(), finding.detail.english);
        assert_eq!(got, said);
        assert!(found[0].is_rejected() && found[0].findings.len() == 1, "{found:?}");
    }
    let good = rows(
        format!("{header}a,120.38,36.12,,37020301003000123,1.25,2019,700,round,A,370203-WAT01\n").as_bytes(),
        &covers("x.csv"),
    );
    let Some(Draft::Cover(cover)) = &good[0].draft else { panic!("{good:?}") };
    assert_eq!((cover.category.to_string().as_str(), cover.spec.depth_mm), ("0103", Some(1250)));
}

#[test]
fn a_quotation_mark_that_is_never_closed_is_told_where_it_stands() {
    let text = format!("{WATER}W3,\"3998924.758,534210.297,在用,600,\nW4,3998924.758,534210.297,在用,600,\n");
    let last = rows(text.as_bytes(), &water()).pop().unwrap();
    assert_eq!((last.row, last.line, last.is_break), (3, 4, true), "{last:?}");
    assert!(last.findings[0].detail.english.contains("quotation mark"), "{last:?}");
    // A cell may well end in a line's end.
    let text = format!("{WATER}W3,3998924.758,534210.297,在用,600,\"x\n\"\n");
    assert_eq!(ids(&rows(text.as_bytes(), &water()))[2], "3@4 W3");
}

#[test]
fn what_a_spreadsheet_leaves_behind_its_table_is_no_record() {
    let text = format!("{WATER},,,,,\n , ,,,,\nW3,3998924.758,534210.297,在用,600,\n");
    assert_eq!(ids(&rows(text.as_bytes(), &water())), ["1@2 W1", "2@3 !", "3@6 W3"]);
}

#[test]
fn another_delimiter_than_the_profile_says_is_seen() {
    let found = rows(WATER.replace(',', ";").as_bytes(), &water()).pop().unwrap().findings;
    assert!(found[0].detail.english.contains("should the profile say delimiter = \";\"?"), "{found:?}");
    let found = rows(WATER.replace(',', "\t").as_bytes(), &water()).pop().unwrap().findings;
    assert!(found[0].detail.english.contains("delimiter = \"\\t\""), "{found:?}");
}

#[test]
fn what_a_terminal_would_obey_is_no_text() {
    let row = &rows(WATER.replace("W1", "W\u{1B}[31m1").as_bytes(), &water())[0];
    assert_eq!(row.findings[0].detail.english, "the character U+001B is not allowed", "{row:?}");
}
