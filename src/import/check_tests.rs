use std::path::Path;

use super::super::field::Kind;
use super::super::tests::codes;
use super::super::{profile::Profiles, read};
use super::*;

fn square(west: f64, south: f64, east: f64, north: f64) -> MultiPolygon<f64> {
    MultiPolygon::new(vec![Rect::new((west, south), (east, north)).to_polygon()])
}

fn world<'a>(holder: &'a (dyn Fn(CoverCode) -> Option<Holder> + Sync), nearest: &'a Nearest<'a>) -> World<'a> {
    World {
        district: Some(Served::new("370203".parse().unwrap(), square(120.3, 36.06, 120.43, 36.17))),
        wanted: Some("370203".parse().unwrap()),
        subdistricts: ["370203033".parse().unwrap()].into(),
        communities: ["370203033002".parse().unwrap()].into(),
        grids: ["370203033002005".parse().unwrap()].into(),
        organizations: ["370203-WAT01".parse().unwrap()].into(),
        catalog: Catalog::national(),
        year: 2026,
        removed_areas: HashSet::new(),
        removed_organizations: HashSet::new(),
        asks: Asks { holder, nearest, takes: &|_| true },
    }
}

fn nobody(_: CoverCode) -> Option<Holder> {
    None
}

fn nothing(_: CategoryCode, _: Position<Wgs84>, _: Option<&OrgCode>) -> Option<Near> {
    None
}

fn checked(checker: &mut Checker<'_>, profile: &Profile, text: &str) -> Vec<Row> {
    checker.begin(profile);
    let mut rows: Vec<Row> = read(text.as_bytes(), profile, CrsService::new()).collect();
    for row in &mut rows {
        checker.check(row, profile);
    }
    rows
}

fn profile(file: &str, kind: Kind, source: &str) -> Profile {
    let mut profile = Profile::default_for(Path::new(file), kind).unwrap();
    profile.source = Some(source.parse().unwrap());
    profile
}

#[test]
fn each_imperfection_of_a_cover_has_its_finding() {
    let header = "external_id,lon,lat,category,code,owner,responsible_unit,installed\n";
    let profile = profile("covers.csv", Kind::Covers, "370203-WAT01");
    for (row, said) in [
        ("a,120.38,36.12,0101,,370203-WAT01,,2026", ""),
        (
            "a,36.12,120.38,0101,,370203-WAT01,,",
            "axes_swapped lat: inside the district if the two numbers are exchanged",
        ),
        (
            "a,121.38,36.12,0101,,370203-WAT01,,",
            "outside_district lon: lon 121.38, lat 36.12 lies outside district 370203",
        ),
        ("a,120.38,361.2,0101,,370203-WAT01,,", "position_invalid lat: lat must lie between -90 and 90, got 361.2"),
        ("a,120.38,36.12,0101,,,,", "owner_missing owner: no owner, and its category is not 0114 无主井盖"),
        ("a,120.38,36.12,0114,,,,", ""),
        ("a,120.38,36.12,0101,,370203-GAS01,,", "parent_missing owner: organization 370203-GAS01 does not exist"),
        (
            "a,120.38,36.12,0101,,370203-WAT01,370203-X1,",
            "parent_missing responsible_unit: organization 370203-X1 does not exist",
        ),
        (
            "a,120.38,36.12,0128,,370203-WAT01,,",
            "category_unknown category: category 0128 is not in this district's table",
        ),
        ("a,120.38,36.12,,3702040101000001,370203-WAT01,,", "code_invalid code: district 370204 is not served here"),
        ("a,120.38,36.12,0101,,370203-WAT01,,2027", "value_invalid installed: 2027 is still to come"),
    ] {
        let mut checker = Checker::new(world(&nobody, &nothing), CrsService::new());
        let rows = checked(&mut checker, &profile, &format!("{header}{row}\n"));
        let got: Vec<_> = rows[0]
            .findings
            .iter()
            .map(|f| format!("{} {}: {}", f.code.as_str(), f.column.as_deref().unwrap_or("-"), f.detail.english))
            .collect();
        assert_eq!(got.join("; "), said);
        assert_eq!(rows[0].is_rejected(), rows[0].findings.iter().any(Finding::is_error), "{row}");
    }
}

#[test]
fn swapped_metres_are_told_from_positions_that_are_elsewhere() {
    let text = r#"[[profile]]
        name = "x"
        file = "x.csv"
        kind = "covers"
        crs = "EPSG:4549"
        source = "370203-WAT01"
        columns = { external_id = "id", x = "Y坐标", y = "X坐标", owner = "owner" }
        constants = { category = "0101" }"#;
    let profile = Profiles::parse(text, "import.toml").unwrap().remove(0);
    let mut checker = Checker::new(world(&nobody, &nothing), CrsService::new());
    let rows = checked(
        &mut checker,
        &profile,
        "id,X坐标,Y坐标,owner\na,3998924.758,534210.297,370203-WAT01\nb,534210.297,3998924.758,370203-WAT01\nc,3998924.758,40534210.297,370203-WAT01\nd,3998924.758,634210.297,370203-WAT01\n",
    );
    assert_eq!(codes(&rows), ["2:3 axes_swapped", "3:4 position_invalid", "4:5 outside_district"]);
    assert_eq!(rows[1].findings[0].column.as_deref(), Some("Y坐标"));
}

#[test]
fn nothing_repeats_within_a_file_or_against_the_registry() {
    let holder = |code: CoverCode| {
        (code.sequence() == 9).then(|| Holder { source: "370203-WAT01".to_owned(), external_id: "mine".to_owned() })
    };
    let mut checker = Checker::new(world(&holder, &nothing), CrsService::new());
    let profile = profile("covers.csv", Kind::Covers, "370203-WAT01");
    let row = |id: &str, code: &str| format!("{id},120.38,36.12,0101,{code},370203-WAT01\n");
    let text = format!(
        "external_id,lon,lat,category,code,owner\n{}{}{}{}{}{}",
        row("a", "3702030101000001"),
        row("b", "3702030101000001"),
        row("a", "3702030101000002"),
        row("mine", "3702030101000009"),
        row("other", "37020301001000009"),
        row("none", ""),
    );
    let rows = checked(&mut checker, &profile, &text);
    assert_eq!(
        codes(&rows),
        ["2:3 code_repeated", "3:4 code_repeated", "5:6 code_repeated", "5:6 code_repeated", "6:7 code_invalid"]
    );
    assert_eq!(rows[1].findings[0].detail.english, "it stands in row 1 already");
    assert_eq!(rows[4].findings[1].detail.english, "3702030101000009 is the code of record mine of 370203-WAT01");
    // The next file begins anew.
    assert!(
        checked(
            &mut checker,
            &profile,
            &format!("external_id,lon,lat,category,code,owner\n{}", row("a", "3702030101000001"))
        )[0]
        .draft
        .is_some()
    );
}

#[test]
fn near_duplicates_are_found_in_the_registry_and_in_the_run() {
    let nearest = |category: CategoryCode, at: Position<Wgs84>, source: Option<&OrgCode>| {
        assert!(source.is_some() && category.number() == 101);
        let near = Position::new(120.31, 36.1).unwrap();
        Some(Near { name: Said::new("3702030101000007 of 370203-DRA01", ""), metres: near.distance_m(at) })
    };
    let mut checker = Checker::remembering(world(&nobody, &nearest), CrsService::new());
    let text = "external_id,lon,lat,category,owner\na,120.31,36.100005,0101,370203-WAT01\nb,120.38,36.12,0101,370203-WAT01\nc,120.38,36.12,0101,370203-WAT01\n";
    let water = profile("water.csv", Kind::Covers, "370203-WAT01");
    let rows = checked(&mut checker, &water, text);
    // The same source's own neighbours are its own affair.
    assert_eq!(codes(&rows), ["1:2 near_duplicate"]);
    assert_eq!(rows[0].findings[0].detail.english, "0.55 m from 3702030101000007 of 370203-DRA01");
    assert!(rows[0].draft.is_some());
    let drain = profile("drain.csv", Kind::Covers, "370203-DRA01");
    let rows =
        checked(&mut checker, &drain, "external_id,lon,lat,category,owner\nz,120.380003,36.12,0101,370203-WAT01\n");
    assert_eq!(codes(&rows), ["1:2 near_duplicate"]);
    assert!(rows[0].findings[0].detail.english.ends_with(" of water.csv"), "{rows:?}");
}

#[test]
fn a_run_builds_its_own_parents() {
    let mut empty = world(&nobody, &nothing);
    empty.district = None;
    (empty.subdistricts, empty.communities) = Default::default();
    (empty.grids, empty.organizations) = Default::default();
    let mut checker = Checker::new(empty, CrsService::new());
    let area = |code: &str, lon: f64| {
        format!(
            r#"{{"type":"Feature","properties":{{"code":"{code}","name":"x"}},"geometry":{{"type":"Polygon","coordinates":[[[{lon},36.1],[{0},36.1],[{0},36.2],[{lon},36.1]]]}}}}"#,
            lon + 0.1
        )
    };
    let mut step = |kind: Kind, text: &str| {
        let file = if text.starts_with('{') { "x.geojsonl" } else { "x.csv" };
        codes(&checked(&mut checker, &profile(file, kind, "370203-CMD01"), text))
    };
    let cover = "external_id,lon,lat,category,owner\na,120.35,36.12,0101,370203-WAT01\n";
    assert_eq!(step(Kind::Covers, cover), ["1:2 parent_missing", "1:2 parent_missing"]);
    assert_eq!(step(Kind::Subdistricts, &area("370203033", 120.3)), ["1:1 parent_missing"]);
    assert_eq!(step(Kind::District, &area("370203", 120.3)), [""; 0]);
    assert_eq!(step(Kind::District, &area("370204", 120.3)), ["1:1 code_invalid"]);
    assert_eq!(step(Kind::Communities, &area("370203033002", 120.3)), ["1:1 parent_missing"]);
    let two = format!("{}\n{}\n{}", area("370203033", 120.3), area("370203033", 120.3), area("370203034", 100.3));
    assert_eq!(step(Kind::Subdistricts, &two), ["2:2 code_repeated", "3:3 outside_district"]);
    assert_eq!(step(Kind::Communities, &area("370203033002", 120.3)), [""; 0]);
    assert_eq!(step(Kind::Grids, &area("370203033002005", 120.3)), [""; 0]);
    assert_eq!(step(Kind::Grids, &area("370203033003005", 120.3)), ["1:1 parent_missing"]);
    let organizations = "code,name,kind\n370203-WAT01,水务,utility\n370203-WAT01,水务,utility\n370202-X,x,utility\n";
    assert_eq!(step(Kind::Organizations, organizations), ["2:3 code_repeated", "3:4 code_invalid"]);
    assert_eq!(step(Kind::Covers, cover), [""; 0]);
    let people = "external_id,name,duty,area,organization\np,x,patrol,370203033002005,370203-WAT01\np,x,patrol,370203033,\n\
        p,x,patrol,370203033,\nq,x,patrol,370203099,370203-NO1\n";
    assert_eq!(step(Kind::People, people), ["3:4 code_repeated", "4:5 parent_missing", "4:5 parent_missing"]);
}

#[test]
fn the_edge_of_the_district_belongs_to_it_and_its_holes_do_not() {
    let mut outline = square(120.0, 36.0, 120.4, 36.4);
    let hole = square(120.1, 36.1, 120.2, 36.2).0.remove(0).exterior().clone();
    outline.0[0].interiors_push(hole);
    let served = Served::new("370203".parse().unwrap(), geo::Orient::orient(&outline, geo::orient::Direction::Default));
    for (lon, lat, inside) in
        [(120.3, 36.3, true), (120.0, 36.2, true), (120.4, 36.4, true), (120.15, 36.15, false), (120.5, 36.2, false)]
    {
        assert_eq!(served.covers(Position::new(lon, lat).unwrap()), inside, "{lon} {lat}");
    }
}
