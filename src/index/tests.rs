//! Two small districts, by hand and by chance.

use geo::{Distance as _, Geodesic, LineString, MultiPolygon, Point, Polygon};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::cover::{Accuracy, Spec, Status};
use crate::domain::grid::{Community, District, Grid, Subdistrict};
use crate::domain::id::Day;
use crate::domain::organization::OrgKind;
use crate::domain::resolve::Match;

type Ring = Vec<(f64, f64)>;

/// The origin of the tests; figures below are in 1e-5° from it, which is about a metre.
const WEST: f64 = 120.3;
const SOUTH: f64 = 36.0;

fn at(x: f64, y: f64) -> Position<Wgs84> {
    Position::new(WEST + x / 1e5, SOUTH + y / 1e5).unwrap()
}

fn line(ring: &Ring) -> LineString<f64> {
    ring.iter().chain(&ring[..1]).map(|&(x, y)| (at(x, y).lon(), at(x, y).lat())).collect()
}

fn square(x: f64, y: f64, side: f64) -> Ring {
    vec![(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
}

fn area(parts: &[(Ring, Vec<Ring>)]) -> MultiPolygon<f64> {
    parts.iter().map(|(outer, holes)| Polygon::new(line(outer), holes.iter().map(line).collect())).collect()
}

fn org(code: &str, name: &str) -> Organization {
    let (code, name) = (code.parse().unwrap(), name.to_owned());
    Organization { code, name, kind: OrgKind::Utility, credit_code: None, phone: None, version: 1 }
}

fn snapshot(code: &str, outline: MultiPolygon<f64>, grids: Vec<(&str, MultiPolygon<f64>)>) -> DistrictSnapshot {
    let grids = grids.into_iter().map(|(own, outline)| {
        let grid = Grid {
            code: format!("{code}{own}").parse().unwrap(),
            name: format!("网格{own}"),
            supervising_department: Some("370203005-K01".parse().unwrap()),
            outline,
            version: 1,
        };
        (grid, Some("王海".to_owned()))
    });
    let (sub, community) = (format!("{code}005"), format!("{code}005001"));
    let nowhere = || MultiPolygon::new(Vec::new());
    DistrictSnapshot {
        district: District { code: code.parse().unwrap(), name: "市北区".to_owned(), outline },
        subdistricts: vec![Subdistrict {
            code: sub.parse().unwrap(),
            name: "辽宁路街道".to_owned(),
            outline: nowhere(),
            version: 1,
        }],
        communities: vec![Community {
            code: community.parse().unwrap(),
            name: "海晏社区".to_owned(),
            outline: nowhere(),
            version: 1,
        }],
        grids: grids.collect(),
        organizations: vec![org("370203005-K01", "城管科"), org("370203-WAT01", "海润水务")],
        catalog: Catalog::national(),
        registry_seq: 7,
    }
}

/// Three by three grids of 100 in an outline of 300. 001 and 002 share a crooked edge; 005 has a hole
/// that is 010 and one that is nobody's; 006 and 009 leave a strip of 5 in the east to nobody; 007 has
/// two parts and a gap between them.
fn shibei() -> DistrictSnapshot {
    let plain = |x: f64, y: f64| area(&[(square(x, y, 100.0), vec![])]);
    let (hole, gap) = (square(140.0, 140.0, 20.0), square(110.0, 110.0, 5.0));
    let narrow = |y: f64| area(&[(vec![(200.0, y), (295.0, y), (295.0, y + 100.0), (200.0, y + 100.0)], vec![])]);
    let grids = vec![
        ("005001001", area(&[(vec![(0.0, 0.0), (100.0, 0.0), (103.0, 47.0), (100.0, 100.0), (0.0, 100.0)], vec![])])),
        (
            "005001002",
            area(&[(vec![(100.0, 0.0), (200.0, 0.0), (200.0, 100.0), (100.0, 100.0), (103.0, 47.0)], vec![])]),
        ),
        ("005001003", plain(200.0, 0.0)),
        ("005001004", plain(0.0, 100.0)),
        ("005001005", area(&[(square(100.0, 100.0, 100.0), vec![hole.clone(), gap])])),
        ("005001006", narrow(100.0)),
        ("005001007", area(&[(square(0.0, 200.0, 40.0), vec![]), (square(60.0, 200.0, 40.0), vec![])])),
        ("005001008", plain(100.0, 200.0)),
        ("005001009", narrow(200.0)),
        ("005001010", area(&[(hole, vec![])])),
    ];
    snapshot("370203", area(&[(square(0.0, 0.0, 300.0), vec![])]), grids)
}

/// East of it a district with a lower code and one grid.
fn shinan() -> DistrictSnapshot {
    let all = || area(&[(vec![(300.0, 0.0), (500.0, 0.0), (500.0, 300.0), (300.0, 300.0)], vec![])]);
    snapshot("370202", all(), vec![("001001001", all())])
}

fn cover(n: u32, x: f64, y: f64) -> Cover {
    let district = if x > 300.0 { "370202" } else { "370203" };
    Cover {
        id: CoverId(Uuid::from_u128(u128::from(n))),
        code: CoverCode::new(district.parse().unwrap(), "0103".parse().unwrap(), n).unwrap(),
        owner: Some("370203-WAT01".parse().unwrap()),
        responsible_unit: None,
        position: at(x, y),
        accuracy: Accuracy::A,
        spec: Spec::default(),
        status: Status::InService,
        grid: "370203005001001".parse().ok(),
        version: 1,
    }
}

fn index(covers: impl IntoIterator<Item = Cover>) -> Index {
    let index = Index::default();
    let mut builders = [shibei(), shinan()].map(|s| DistrictBuilder::new(s).unwrap());
    for cover in covers {
        let own = usize::from(cover.code.district().to_string() == "370202");
        builders[own].cover(cover).unwrap();
    }
    for builder in builders {
        index.replace(builder.finish());
    }
    index
}

/// The last digits of the grid and the whole metres to it, or the error.
fn check(what: &str, (x, y): (f64, f64), expect: &str) {
    let found = match index([]).grid_at(at(x, y)) {
        Ok(hit) => format!("{} {:.1}", &hit.grid.code.to_string()[4..], hit.distance_m),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expect, "{what}");
}

#[test]
fn a_position_has_one_grid() {
    check("inside", (50.0, 50.0), "03005001001 0.0");
    check("on a shared edge", (50.0, 100.0), "03005001001 0.0");
    check("on a shared edge of higher ones", (150.0, 200.0), "03005001005 0.0");
    check("where four meet", (100.0, 100.0), "03005001001 0.0");
    check("on the middle of a slanting edge", (101.5, 23.5), "03005001001 0.0");
    check("a tenth along it, which rounds", (100.3, 4.7), "03005001001 0.0");
    check("a thousandth of it, which rounds", (100.003, 0.047), "03005001001 0.0");
    check("a centimetre east of it", (101.51, 23.5), "03005001002 0.0");
    check("in the bulge", (102.5, 47.0), "03005001001 0.0");
    check("a corner of the bulge", (103.0, 47.0), "03005001001 0.0");
    check("in a hole that is a grid", (150.0, 150.0), "03005001010 0.0");
    check("on the edge of that hole", (140.0, 150.0), "03005001005 0.0");
    check("in a hole that is nobody's", (112.0, 112.5), "03005001005 1.8");
    check("in the second part", (80.0, 220.0), "03005001007 0.0");
    check("in the sliver between the parts", (45.0, 220.0), "03005001007 4.5");
    check("in the strip in the east", (297.0, 150.0), "03005001006 1.8");
    check("in the strip where two are equally far", (297.0, 200.0), "03005001006 1.8");
    check("on the outline's corner", (0.0, 0.0), "03005001001 0.0");
    check("on the outline's edge", (0.0, 150.0), "03005001004 0.0");
    check("on the border: the neighbour has the lower code", (300.0, 50.0), "02001001001 0.0");
    check("in the neighbour", (400.0, 50.0), "02001001001 0.0");
    check("outside", (-1.0, 50.0), "the position lies outside every district served here");
    check("a centimetre outside", (50.0, -0.01), "the position lies outside every district served here");
    check("far outside", (-3e6, 50.0), "the position lies outside every district served here");
}

#[test]
fn a_pin_finds_its_cover() {
    let index = index([cover(1, 50.0, 50.0), cover(2, 80.0, 50.0), cover(3, 50.0, 250.0)]);
    let found = index.resolve(&Pin::at(at(51.0, 50.0))).unwrap();
    assert_eq!((found.matched, found.registry_version.1), (Match::Matched, 7));
    assert_eq!(&*found.grid.grid.community.name, "海晏社区");
    assert_eq!(found.grid.grid.supervising_department.as_ref().unwrap().name, "城管科");
    let [first, second] = &found.candidates[..] else { panic!("{found:?}") };
    assert_eq!((first.cover.code.to_string().as_str(), second.cover.code.sequence()), ("3702030103000001", 2));
    assert!((first.distance_m - 0.9).abs() < 0.011 && first.confidence > 0.8);
    assert_eq!(first.cover.owner.as_ref().unwrap().name, "海润水务");
    assert_eq!(&*first.cover.category_name, "雨水井盖");
    assert_eq!(first.cover.grid.as_ref().unwrap().name, "网格005001001");
    let sum: f64 = found.candidates.iter().map(|c| c.confidence).sum();
    assert!((sum + found.none_confidence - 1.0).abs() < 1e-9);
    assert_eq!(index.resolve(&Pin::at(at(150.0, 150.0))).unwrap().matched, Match::Unregistered);
}

#[test]
fn the_search_crosses_the_border() {
    let index = index([cover(1, 295.0, 50.0), cover(2, 304.0, 50.0)]);
    let found = index.resolve(&Pin::at(at(301.0, 50.0))).unwrap();
    let codes: Vec<_> = found.candidates.iter().map(|c| c.cover.code.to_string()).collect();
    assert_eq!(codes, ["3702020103000002", "3702030103000001"]);
    assert_eq!(found.registry_version.0.to_string(), "370202");
    let far = index.resolve(&Pin::at(at(280.0, 50.0))).unwrap();
    assert_eq!(far.candidates.len(), 2);
}

#[test]
fn covers_change_in_place() {
    let index = index([cover(1, 50.0, 50.0)]);
    let first = |index: &Index| index.resolve(&Pin::at(at(50.0, 50.0))).unwrap().candidates.first().map(|c| c.cover.id);
    let old = cover(1, 50.0, 50.0);
    let moved = Cover { code: "3702030104000009".parse().unwrap(), version: 2, ..cover(1, 90.0, 50.0) };
    index.put_cover(moved).unwrap();
    assert_eq!((first(&index), index.cover(old.code)), (None, None));
    let view = index.cover("3702030104000009".parse().unwrap()).unwrap();
    assert_eq!((view.position, view.version, &*view.category_name), (at(90.0, 50.0), 2, "雨水箅子"));
    index.put_cover(Cover { status: Status::Removed, ..cover(1, 50.0, 50.0) }).unwrap();
    assert_eq!(first(&index), None);
    assert_eq!(index.cover(old.code).unwrap().status, Status::Removed);
    index.put_cover(old.clone()).unwrap();
    assert_eq!(first(&index), Some(old.id));
    index.put_organization(org("370203-WAT01", "新水务")).unwrap();
    assert_eq!(index.cover_by_id(old.id).unwrap().owner.unwrap().name, "新水务");
    assert!(index.remove_cover("370203".parse().unwrap(), old.id));
    assert!(!index.remove_cover("370203".parse().unwrap(), old.id));
    assert_eq!((first(&index), index.cover_by_id(old.id), index.cover_count()), (None, None, 0));
    let stranger = Cover { code: "3702040103000001".parse().unwrap(), ..old };
    assert_eq!(index.put_cover(stranger).unwrap_err().to_string(), "district 370204 is not served here");
}

#[test]
fn a_district_is_exchanged_whole() {
    let index = index([cover(1, 50.0, 50.0)]);
    let code = "370203".parse().unwrap();
    index.set_registry_seq(code, 9).unwrap();
    assert_eq!(index.registry_seq(code), Some(9));
    index.put_order(order(1, Some(1), 50.0, 50.0));
    let mut builder = DistrictBuilder::new(DistrictSnapshot { registry_seq: 12, ..shibei() }).unwrap().expect(1);
    builder.cover(cover(5, 10.0, 10.0)).unwrap();
    assert!(builder.cover(cover(6, 400.0, 10.0)).is_err());
    index.replace(builder.finish());
    assert_eq!((index.registry_seq(code), index.cover_count(), index.order_count()), (Some(12), 1, 1));
    assert_eq!(index.districts().iter().map(|d| d.code.to_string()).collect::<Vec<_>>(), ["370202", "370203"]);
    index.withdraw(code);
    assert!(index.resolve(&Pin::at(at(50.0, 50.0))).is_err());
}

fn order_code(n: u32) -> OrderCode {
    OrderCode::new("370203".parse().unwrap(), Day::new(2026, 11, 24), n)
}

fn number(code: OrderCode) -> i64 {
    code.number() % 1_000_000_000
}

fn order(n: u32, on: Option<u32>, x: f64, y: f64) -> OpenOrder {
    let reported_at = jiff::Timestamp::UNIX_EPOCH;
    OpenOrder {
        code: order_code(n),
        cover: on.map(|n| CoverId(Uuid::from_u128(u128::from(n)))),
        position: at(x, y),
        damage: crate::domain::catalog::DamageCode::new("missing").unwrap(),
        status: "dispatched",
        reported_at,
        report_count: 1,
        grid: "370203005001001".parse().unwrap(),
        due_at: reported_at,
        repaired_at: None,
        assignee: crate::domain::order::Assignee::Unit("370203-WAT01".parse().unwrap()),
    }
}

#[test]
fn open_orders_are_found_by_cover_and_by_place() {
    let index = index([]);
    let cover = CoverId(Uuid::from_u128(9));
    for order in [order(1, Some(9), 50.0, 50.0), order(2, None, 60.0, 50.0), order(3, Some(9), 200.0, 50.0)] {
        index.put_order(order);
    }
    let near =
        |radius| index.orders_near(at(58.0, 50.0), radius).iter().map(|(o, _)| number(o.code)).collect::<Vec<_>>();
    assert_eq!((near(20.0), near(5.0), near(20_000.0)), (vec![2, 1], vec![2], vec![2, 1, 3]));
    assert_eq!(number(index.order_on(cover).unwrap().code), 1);
    index.put_order(order(1, None, 250.0, 50.0));
    assert_eq!((near(20.0), number(index.order_on(cover).unwrap().code)), (vec![2], 3));
    index.remove_order(order_code(3));
    assert_eq!((index.order_on(cover), index.order_count()), (None, 2));
}

/// Put (with place and status) or remove (`None`) the cover with this number.
fn any_change() -> impl Strategy<Value = (u32, Option<(f64, f64, Status)>)> {
    let place = (0.0..300.0f64, 0.0..300.0f64, prop::sample::select(Status::ALL));
    (1u32..40, prop::option::weighted(0.8, place))
}

fn geodesic(a: Position<Wgs84>, b: Position<Wgs84>) -> f64 {
    Geodesic.distance(Point::new(a.lon(), a.lat()), Point::new(b.lon(), b.lat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn changed_in_place_is_the_same_as_built_anew(
        start in 0u32..40,
        changes in prop::collection::vec(any_change(), 0..80),
        (x, y) in (0.0..300.0f64, 0.0..300.0f64),
        accuracy in 0.0..80.0f64,
    ) {
        let place = |n: u32| (f64::from(n * 97 % 300), f64::from(n * 31 % 300));
        let mut known: std::collections::BTreeMap<u32, Cover> =
            (1..=start).map(|n| (n, cover(n, place(n).0, place(n).1))).collect();
        let changed = index(known.values().cloned());
        for (n, change) in changes {
            if let Some((x, y, status)) = change {
                let cover = Cover { status, ..cover(n, x, y) };
                changed.put_cover(cover.clone()).unwrap();
                known.insert(n, cover);
            } else {
                let was = changed.remove_cover("370203".parse().unwrap(), CoverId(Uuid::from_u128(u128::from(n))));
                prop_assert_eq!(was, known.remove(&n).is_some());
            }
        }
        let anew = index(known.values().cloned());
        let pin = Pin::new(at(x, y), accuracy, "0103".parse().ok(), 50).unwrap();
        let found = changed.resolve(&pin).unwrap();
        prop_assert_eq!(&found, &anew.resolve(&pin).unwrap());
        prop_assert_eq!(changed.cover_count(), known.len());
        let mut expected: Vec<_> = known.values()
            .filter(|c| c.status.is_resolvable() && geodesic(at(x, y), c.position) <= pin.reach_m())
            .map(|c| c.code)
            .collect();
        let mut codes: Vec<_> = found.candidates.iter().map(|c| c.cover.code).collect();
        codes.sort();
        expected.sort();
        prop_assert_eq!(codes, expected);
        for candidate in &found.candidates {
            let exact = geodesic(at(x, y), candidate.cover.position);
            prop_assert!((candidate.distance_m - exact).abs() < 0.0051, "{} {exact}", candidate.distance_m);
        }
        for cover in known.values() {
            prop_assert_eq!(changed.cover(cover.code).unwrap().id, cover.id);
            prop_assert_eq!(changed.cover_by_id(cover.id).unwrap().position, cover.position);
        }
    }
}

/// Past 65,536 covers the cells of a district that was empty are made narrower.
#[test]
fn many_that_came_one_by_one_are_found_as_if_they_had_come_at_once() {
    const COVERS: u32 = 66_000;
    let all = || area(&[(square(300.0, 0.0, 20_000.0), vec![])]);
    let empty = || DistrictBuilder::new(snapshot("370202", all(), vec![("001001001", all())])).unwrap();
    let place = |n: u32| (301.0 + f64::from(n % 250 * 79), f64::from(n / 250 * 75));
    let covers = || (1..=COVERS).map(|n| cover(n, place(n).0, place(n).1));
    let (grown, at_once) = (Index::default(), Index::default());
    grown.replace(empty().finish());
    covers().for_each(|cover| grown.put_cover(cover).unwrap());
    let mut builder = empty();
    covers().for_each(|cover| builder.cover(cover).unwrap());
    at_once.replace(builder.finish());
    for n in (1..=COVERS).step_by(1_000) {
        let (x, y) = place(n);
        let near = grown.covers_near(at(x, y), 150.0);
        assert!(near.iter().any(|(found, _)| found.code == cover(n, x, y).code));
        assert_eq!(near, at_once.covers_near(at(x, y), 150.0));
    }
}

#[test]
fn a_label_stands_inside_its_area() {
    let index = index([]);
    let mut seen = Vec::new();
    index.outlines_in(AreaLevel::Grid, [WEST, SOUTH, WEST + 3e-3, SOUTH + 3e-3], |outline| {
        let (lon, lat) = outline.label();
        let at = Position::new(lon, lat).unwrap();
        assert_eq!(index.grid_at(at).unwrap().grid.code.number(), outline.code, "{} at {lon} {lat}", outline.name);
        seen.push(outline.code);
    });
    assert!(seen.len() == 11 && seen.is_sorted(), "{seen:?}");
}

#[test]
fn a_map_shows_what_its_box_holds() {
    let index = index([cover(1, 50.0, 50.0), cover(2, 150.0, 50.0), cover(3, 400.0, 50.0)]);
    let all = [WEST, SOUTH, WEST + 5e-3, SOUTH + 3e-3];
    let districts: Vec<_> = index.map_stamps(all).into_iter().map(|(district, _)| district.to_string()).collect();
    assert_eq!(districts, ["370202", "370203"]);
    let shibei = "370203".parse().unwrap();
    let marks = index.cover_marks(shibei, all);
    assert_eq!(marks.marks.iter().map(|mark| mark.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(index.cover_marks(shibei, [WEST, SOUTH, WEST + 1e-3, SOUTH + 1e-3]).marks.len(), 1);
    assert_eq!(index.cover_spots(shibei, all).len(), 2);
    let before = index.map_stamps(all);
    index.put_cover(Cover { status: Status::Abandoned, ..cover(2, 150.0, 50.0) }).unwrap();
    index.set_registry_seq(shibei, 8).unwrap();
    let after = index.map_stamps(all);
    assert!(before[0] == after[0] && before[1] != after[1]);
    assert_eq!(before[1].1.of_areas(), after[1].1.of_areas());
}
