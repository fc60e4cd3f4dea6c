//! That the grids share out the ground exactly, whatever is done to them.

use geo::{Area as _, BooleanOps as _, Coord, LineString, Polygon};

use super::*;

/// A town of four grids with edges that go askew; the bend of the one in the middle is both grids'.
const BEND: [f64; 2] = [120.380_123_45, 36.119_012_34];
const SOUTH: [f64; 2] = [120.381_234_56, 36.11];
const NORTH: [f64; 2] = [120.379_012_34, 36.13];

/// Square metres, there.
const SQUARE_DEGREE: f64 = 90_000.0 * 111_000.0;

fn outline(ring: &[[f64; 2]]) -> MultiPolygon<f64> {
    let ring: Vec<_> = ring.iter().map(|[x, y]| Coord { x: *x, y: *y }).collect();
    MultiPolygon::new(vec![Polygon::new(LineString::new(ring), Vec::new())])
}

fn west(bend: [f64; 2]) -> Vec<[f64; 2]> {
    vec![[120.37, 36.11], SOUTH, bend, NORTH, [120.37, 36.13], [120.37, 36.11]]
}

fn east(bend: [f64; 2]) -> Vec<[f64; 2]> {
    vec![SOUTH, [120.39, 36.11], [120.39, 36.13], NORTH, bend, SOUTH]
}

async fn askew() -> Town {
    Town::seeded(async |writer| {
        let whole = square(120.37, 36.11, 120.39, 36.13);
        let parts = [
            area(370_203_005, "辽宁路街道", whole.clone()),
            area(370_203_005_001, "海晏社区", whole),
            area(WEST.parse().unwrap(), "西", outline(&west(BEND))),
            area(EAST.parse().unwrap(), "东", outline(&east(BEND))),
        ];
        seed_areas(writer, &parts).await;
    })
    .await
}

fn geometry(ring: &[[f64; 2]]) -> Value {
    json!({"type": "Polygon", "coordinates": [ring]})
}

/// What an answer shows, in degrees.
fn read(geometry: &Value) -> MultiPolygon<f64> {
    let polygons = geometry["coordinates"].as_array().unwrap().iter();
    let ring = |ring: &Value| -> LineString<f64> {
        let at = |at: &Value| Coord { x: at[0].as_f64().unwrap(), y: at[1].as_f64().unwrap() };
        LineString::new(ring.as_array().unwrap().iter().map(at).collect())
    };
    let polygons = polygons.map(|rings| {
        let mut rings: Vec<_> = rings.as_array().unwrap().iter().map(ring).collect();
        Polygon::new(rings.remove(0), rings)
    });
    MultiPolygon::new(polygons.collect())
}

impl Town {
    async fn redraw(&self, query: &str, grids: Value) -> Got {
        self.post(&format!("/v1/grids/redraw{query}")).key(PLANNER).json(json!({ "grids": grids })).await
    }

    async fn whole(&self, code: &str, query: &str) -> Value {
        self.get(&format!("/v1/grids/{code}{query}")).key(PLANNER).get().await.body
    }

    /// Square metres of the town in no grid and in two, without any tolerance; in the plane, for the edges of slivers are long.
    async fn seams(&self) -> (f64, f64) {
        let listed = self.get("/v1/grids?district=370203").key(PLANNER).get().await.body;
        let grids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|grid| read(&grid["geometry"])).collect();
        assert!(grids.len() > 1, "{listed}");
        let all = grids.iter().fold(MultiPolygon::new(Vec::new()), |all, grid| all.union(grid));
        let gap = square(120.37, 36.11, 120.39, 36.13).difference(&all).unsigned_area() * SQUARE_DEGREE;
        let twice = grids.iter().enumerate().flat_map(|(n, a)| grids[n + 1..].iter().map(move |b| a.intersection(b)));
        (gap, twice.map(|shared| shared.unsigned_area()).sum::<f64>() * SQUARE_DEGREE)
    }
}

#[tokio::test]
async fn a_move_of_millimetres_is_none_however_often_it_is_made() {
    let town = askew().await;
    let mut bend = BEND;
    for step in 1..=10 {
        bend = [bend[0] - 2e-8, bend[1]];
        let moved = town.redraw("", json!([{"code": WEST, "name": "西", "geometry": geometry(&west(bend))}])).await;
        // What is no longer the same as before is told as what it is.
        assert_eq!(moved.status.as_u16(), if step <= 4 { 200 } else { 422 }, "{step} {}", moved.body);
    }
    let at_once =
        town.redraw("", json!([{"code": WEST, "name": "西", "geometry": geometry(&west([BEND[0] - 5e-8, BEND[1]]))}]));
    assert_eq!(at_once.await.body["areas"][0]["version"], 1);
    // From where it lies now each time.
    for _ in 0..20 {
        let mut now = town.whole(WEST, "").await;
        let x = now["geometry"]["coordinates"][0][0][2][0].as_f64().unwrap();
        now["geometry"]["coordinates"][0][0][2][0] = json!(x - 2e-8);
        assert_eq!(town.redraw("", json!([now])).await.status, 200);
    }
    assert_eq!(town.whole(WEST, "").await["version"], 1);
    assert_eq!(town.seams().await, (0.0, 0.0));
}

/// As files with coordinates of seven digits have it: a corner of the one is no corner of the other, and lies some millimetres
/// beside its edge.
#[tokio::test]
async fn a_seam_that_was_there_is_no_news_to_who_splits_or_merges_beside_it() {
    let corner = [120.380_123_40, 36.12];
    let town = Town::seeded(async |writer| {
        let whole = square(120.37, 36.11, 120.39, 36.13);
        let straight = [[120.37, 36.11], SOUTH, NORTH, [120.37, 36.13], [120.37, 36.11]];
        let parts = [
            area(370_203_005, "辽宁路街道", whole.clone()),
            area(370_203_005_001, "海晏社区", whole),
            area(WEST.parse().unwrap(), "西", outline(&straight)),
            area(EAST.parse().unwrap(), "东", outline(&east(corner))),
        ];
        seed_areas(writer, &parts).await;
    })
    .await;
    let before = town.whole(EAST, "").await;
    let lower = [SOUTH, [120.39, 36.11], NORTH, corner, SOUTH];
    let upper = [[120.39, 36.11], [120.39, 36.13], NORTH, [120.39, 36.11]];
    let split = json!([
        {"code": EAST, "name": "东", "geometry": geometry(&upper)},
        {"name": "新", "geometry": geometry(&lower)},
    ]);
    let split = town.redraw("", split).await;
    assert_eq!(split.status, 200, "{}", split.body);
    let new = split.body["areas"].as_array().unwrap().iter().find(|area| area["code"] != EAST).unwrap();
    let merge = json!({
        "grids": [{"code": EAST, "name": "东", "geometry": before["geometry"]}], "remove": [new["code"]],
    });
    let merged = town.post("/v1/grids/redraw").key(PLANNER).json(merge).await;
    assert_eq!(merged.status, 200, "{}", merged.body);
    assert_eq!(town.whole(EAST, "").await["geometry"], before["geometry"]);
}

#[tokio::test]
async fn an_outline_comes_back_from_every_coordinate_system_as_it_was() {
    let town = askew().await;
    for crs in crate::crs::Crs::ALL {
        for code in [WEST, EAST] {
            let whole = town.whole(code, &format!("?out_crs={crs}")).await;
            let put = town.ask("PUT", &format!("/v1/grids/{code}?crs={crs}")).key(PLANNER).header("if-match", "*");
            let put = put.json(whole.clone()).await;
            assert_eq!((put.status.as_u16(), put.header("etag")), (200, "\"1\""), "{crs} {}", put.body);
        }
        let both = json!([
            town.whole(WEST, &format!("?out_crs={crs}")).await,
            town.whole(EAST, &format!("?out_crs={crs}")).await
        ]);
        let both = town.redraw(&format!("?crs={crs}"), both).await;
        assert_eq!((both.status.as_u16(), both.header("guli-feed")), (200, "370203:1"), "{crs} {}", both.body);
    }
    // Written with seven digits.
    let mut short = town.whole(WEST, "").await;
    for at in short["geometry"]["coordinates"][0][0].as_array_mut().unwrap() {
        *at = json!([(at[0].as_f64().unwrap() * 1e7).round() / 1e7, (at[1].as_f64().unwrap() * 1e7).round() / 1e7]);
    }
    assert_eq!(town.redraw("", json!([short])).await.body["areas"][0]["version"], 1);
    assert_eq!(town.seams().await, (0.0, 0.0));
}

#[tokio::test]
async fn what_is_split_and_merged_in_a_plane_meets_its_neighbours() {
    let town = askew().await;
    let service = crate::crs::CrsService::new();
    let plane = |at: [f64; 2]| {
        let at = Position::new(at[0], at[1]).unwrap();
        let (x, y) = service.from_wgs84(crate::crs::Crs::Gk120, at).unwrap();
        json!([x, y])
    };
    // From the western border to somewhere on the edge that goes askew.
    let (from, to) = ([120.37, 36.115_432_1], {
        let share = 0.437;
        [SOUTH[0] + share * (BEND[0] - SOUTH[0]), SOUTH[1] + share * (BEND[1] - SOUTH[1])]
    });
    let ring = |ring: &[[f64; 2]]| json!({"type": "Polygon", "coordinates": [ring.iter().map(|at| plane(*at)).collect::<Vec<_>>()]});
    let split = json!([
        {"code": WEST, "name": "西", "geometry": ring(&[[120.37, 36.11], SOUTH, to, from, [120.37, 36.11]])},
        {"name": "北", "geometry": ring(&[from, to, BEND, NORTH, [120.37, 36.13], from])},
    ]);
    let done = town.redraw("?crs=EPSG:4549", split).await;
    assert_eq!((done.status.as_u16(), &done.body["effects"]["gaps"]), (200, &json!([])), "{}", done.body);
    let (gap, twice) = town.seams().await;
    assert!(gap < 0.03 && twice < 0.03, "{gap} {twice}");
    let merge = json!({
        "grids": [{"code": WEST, "name": "西", "geometry": ring(&west(BEND))}], "remove": [done.body["areas"][1]["code"]],
    });
    let merged = town.post("/v1/grids/redraw?crs=EPSG:4549").key(PLANNER).json(merge).await;
    assert_eq!(merged.status, 200, "{}", merged.body);
    assert_eq!(town.seams().await, (0.0, 0.0));
}

#[tokio::test]
async fn an_edge_moves_with_its_neighbour_or_not_at_all() {
    let town = askew().await;
    // Wherever to, by a millimetre or by metres.
    let mut seed = 7_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut bend = BEND;
    let (mut moves, mut taken, mut refused) = (0, 0, 0);
    for n in 0..60 {
        let (far, angle) = (10_f64.powf(-8.0 + 4.0 * random()), std::f64::consts::TAU * random());
        let round = |degrees: f64| (degrees * 1e8).round() / 1e8;
        let to = [round(bend[0] + far * angle.cos()), round(bend[1] + far * angle.sin())];
        let version = town.whole(WEST, "").await["version"].clone();
        let alone = town.redraw("", json!([{"code": WEST, "name": "西", "geometry": geometry(&west(to))}])).await;
        if alone.status == 200 {
            // At most along its own edge, which is a kilometre long.
            let (gap, twice) = town.seams().await;
            assert!(gap < 0.03 && twice < 0.03, "{n} {gap} {twice} {}", alone.body);
            let now = town.whole(WEST, "").await;
            let back = town.redraw("", json!([{"code": WEST, "name": "西", "geometry": geometry(&west(bend))}])).await;
            assert_eq!(back.status, 200, "{n} {} {now}", back.body);
            taken += 1;
        } else {
            assert_eq!(alone.status, 422, "{n} {}", alone.body);
            assert_eq!(town.whole(WEST, "").await["version"], version, "{n}");
            refused += 1;
        }
        let both = json!([
            {"code": WEST, "name": "西", "geometry": geometry(&west(to))},
            {"code": EAST, "name": "东", "geometry": geometry(&east(to))},
        ]);
        let both = town.redraw("", both).await;
        assert_eq!(both.status, 200, "{n} {}", both.body);
        if both.body["areas"][0]["version"] != version && far > 1e-7 {
            moves += 1;
        }
        let ring = &town.whole(WEST, "").await["geometry"]["coordinates"][0][0];
        bend = [ring[2][0].as_f64().unwrap(), ring[2][1].as_f64().unwrap()];
        assert_eq!(town.seams().await, (0.0, 0.0), "{n}");
    }
    assert!(moves > 20 && taken > 0 && refused > 0, "{moves} {taken} {refused}");
    let wrong = town.get("/v1/quality?rule=grids-gap,grids-overlap").key(PLANNER).get().await.body;
    assert_eq!(wrong["items"], json!([]));
}

/// The town of these grids and the areas above them.
async fn town_of(parts: Vec<Area>) -> Town {
    Town::seeded(async |writer| seed_areas(writer, &parts).await).await
}

/// One sub-district and one community of all the ground, and these grids.
async fn one_of(grids: &[(&str, MultiPolygon<f64>)]) -> Town {
    let whole = square(120.37, 36.11, 120.39, 36.13);
    let mut parts = vec![area(370_203_005, "辽宁路街道", whole.clone()), area(370_203_005_001, "海晏社区", whole)];
    parts.extend(grids.iter().map(|(code, outline)| area(code.parse().unwrap(), code, outline.clone())));
    town_of(parts).await
}

impl Town {
    async fn gaps(&self) -> Vec<Value> {
        let got = self.get("/v1/quality?rule=grids-gap").key(PLANNER).get().await;
        got.body["items"].as_array().unwrap().clone()
    }

    /// Sends the mend of each gap, one after the other; the codes and names of the grids that each redraws.
    async fn close(&self, what: &str) -> Vec<Vec<String>> {
        let (mut sent, mut before) = (Vec::new(), usize::MAX);
        loop {
            let gaps = self.gaps().await;
            assert!(gaps.len() < before, "{what}: {gaps:?}");
            before = gaps.len();
            let Some(gap) = gaps.into_iter().next() else { break };
            let body = &gap["mend"]["body"];
            let got = self.post("/v1/grids/redraw").key(PLANNER).json(body.clone()).await;
            assert_eq!(got.status, 200, "{what} {gap} {}", got.body);
            let named = |grid: &Value| grid.get("code").unwrap_or(&grid["name"]).as_str().unwrap().to_owned();
            sent.push(body["grids"].as_array().unwrap().iter().map(named).collect());
        }
        let wrong = self.get("/v1/quality?rule=grids-overlap").key(PLANNER).get().await.body;
        assert_eq!(wrong["items"], json!([]), "{what}");
        sent
    }
}

#[tokio::test]
async fn a_gap_is_closed_by_the_request_that_is_suggested() {
    // A corner on another's edge, as near to it as places are.
    let cut = [120.380_748_97, 36.113_938_39];
    let from = [120.37, 36.115_432_1];
    let low = outline(&[[120.37, 36.11], SOUTH, cut, from, [120.37, 36.11]]);
    let high = outline(&[from, cut, BEND, NORTH, [120.37, 36.13], from]);
    let east = outline(&east(BEND));
    let (third, fourth) = ("370203005001003", "370203005001004");
    let grids = [(WEST, low.clone()), (EAST, high.clone()), (third, east.clone())];
    assert!(one_of(&grids).await.gaps().await.is_empty());
    for (what, there, closed) in [
        ("the low one is missing", vec![1, 2], EAST),
        ("the high one is missing", vec![0, 2], third),
        ("the eastern one is missing", vec![0, 1], EAST),
        ("both in the west are missing", vec![2], third),
        ("only the low one is there", vec![0], WEST),
    ] {
        let there: Vec<_> = there.into_iter().map(|n| grids[n].clone()).collect();
        let town = one_of(&there).await;
        assert_eq!(town.close(what).await, [[closed]], "{what}");
        let (gap, _) = if there.len() > 1 { town.seams().await } else { (0.0, 0.0) };
        assert!(gap < 0.03, "{what} {gap}");
    }
    let hole = [[120.384, 36.113], [120.386_123, 36.114], [120.385, 36.117_456_7], [120.384, 36.113]];
    let mut holed = east.clone();
    let around: Vec<_> = hole.iter().rev().map(|[x, y]| Coord { x: *x, y: *y }).collect();
    holed.0[0].interiors_push(LineString::new(around));
    let town = one_of(&[(WEST, low.clone()), (EAST, high.clone()), (third, holed.clone())]).await;
    assert_eq!(town.close("a hole").await, [[third]]);
    let half = outline(&[hole[0], hole[1], hole[2], [120.384_5, 36.115_2], hole[0]]);
    let town = one_of(&[(WEST, low.clone()), (EAST, high.clone()), (third, holed), (fourth, half)]).await;
    assert_eq!(town.close("a hole that is filled in part").await.len(), 1);
    for metres in [0.004, 0.02, 0.5] {
        let back = |[x, y]: [f64; 2]| [((x - metres / 9e4) * 1e8).round() / 1e8, y];
        let thin = outline(&[[120.37, 36.11], back(SOUTH), back(BEND), back(NORTH), [120.37, 36.13], [120.37, 36.11]]);
        let town = one_of(&[(WEST, thin), (EAST, east.clone())]).await;
        assert_eq!(town.close(&format!("a sliver of {metres} m")).await.len(), 1);
    }
    // Two gaps that touch, and one that touches itself.
    let corner = |west: f64, south: f64| square(west, south, west + 0.01, south + 0.01);
    let town = one_of(&[(WEST, corner(120.37, 36.11)), (EAST, corner(120.38, 36.12))]).await;
    assert_eq!(town.close("two that touch").await.len(), 2);
    let inner = outline(&[[120.37, 36.11], [120.375, 36.112], [120.372, 36.115], [120.37, 36.11]]);
    let town = one_of(&[(WEST, inner)]).await;
    assert_eq!(town.close("all around").await.len(), 1);
}

#[tokio::test]
async fn a_gap_of_two_communities_goes_to_grids_of_both_and_one_of_none_says_why_it_stays() {
    const BEYOND: &str = "370203006001001";
    let (west, east) = (square(120.37, 36.11, 120.38, 36.13), square(120.38, 36.11, 120.39, 36.13));
    let above = |code: u64, outline: &MultiPolygon<f64>| {
        [area(code, "街道", outline.clone()), area(code * 1_000 + 1, "社区", outline.clone())]
    };
    let [of_west, of_east] = [above(370_203_005, &west), above(370_203_006, &east)];
    let grid = |code: &str, from: f64, to: f64| area(code.parse().unwrap(), code, square(from, 36.11, to, 36.13));
    let both = [of_west.clone(), of_east.clone()].concat();
    let town = town_of([&both[..], &[grid(WEST, 120.37, 120.379), grid(BEYOND, 120.381, 120.39)]].concat()).await;
    assert_eq!(town.close("two communities").await, [[WEST, BEYOND]]);
    // A community of none gets one.
    let town = town_of([&both[..], &[grid(WEST, 120.37, 120.379)]].concat()).await;
    assert!(town.gaps().await[0]["detail"].as_str().unwrap().contains("makes a new one"));
    assert_eq!(town.close("a community without grids").await, [[WEST, "社区新网格"]]);
    assert_eq!(town.whole(BEYOND, "").await["name"], "社区新网格");
    // What is in no community is in no grid either.
    let town = town_of([&of_west[..], &[grid(WEST, 120.37, 120.38)]].concat()).await;
    let gap = &town.gaps().await[0];
    assert_eq!(gap["mend"], Value::Null);
    assert!(gap["detail"].as_str().unwrap().contains("in no community"), "{gap}");
    let uri = format!("/v1/quality/{}", gap["id"].as_str().unwrap());
    let chinese = town.get(&uri).key(PLANNER).header("accept-language", "zh-CN").get().await.body;
    assert!(chinese["detail"].as_str().unwrap().contains("社区"), "{chinese}");
}

/// The demo district, without these grids.
async fn shibei(missing: &[&str]) -> Town {
    let features = |name: &str| {
        let path = format!("{}/data/shibei/{name}.geojson", env!("CARGO_MANIFEST_DIR"));
        let collection: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        collection["features"].as_array().unwrap().clone()
    };
    let of = |feature: &Value| read(&json!({"coordinates": [feature["geometry"]["coordinates"]]}));
    let mut parts = Vec::new();
    for (name, code) in [("subdistricts", "街道代码"), ("communities", "社区代码"), ("grids", "网格编码")] {
        parts.extend(features(name).iter().filter_map(|feature| {
            let code = feature["properties"][code].as_str().unwrap();
            (!missing.contains(&code)).then(|| area(code.parse().unwrap(), code, of(feature)))
        }));
    }
    let outline = of(&features("district")[0]);
    Town::seeded(async |writer| {
        seed_areas(writer, &parts).await;
        let whole = District { code: "370203".parse().unwrap(), name: "市北区".to_owned(), outline };
        areas::put_district(&mut writer.conn(), 1, &whole).await.unwrap();
    })
    .await
}

#[tokio::test]
async fn the_demo_district_stays_whole() {
    const GRID: &str = "370203026003005";
    let missing = ["370203005001001", "370203005001002", "370203005001003", "370203026003004", "370203026003006"];
    let town = shibei(&missing).await;
    let closed = town.close("five of the demo district").await;
    assert!(
        (1..=5).contains(&closed.len()) && closed.iter().flatten().all(|grid| grid.starts_with("370203")),
        "{closed:?}"
    );
    let town = shibei(&[]).await;
    assert_eq!(town.gaps().await, Vec::<Value>::new());
    let plane = town.whole(GRID, "?out_crs=EPSG:4549").await;
    let back = town.redraw("?crs=EPSG:4549", json!([plane])).await;
    assert_eq!((back.status.as_u16(), &back.body["areas"][0]["version"]), (200, &json!(1)), "{}", back.body);
    // A vertex moves with all grids that have it, however little further than it takes to be another.
    let listed = town.get("/v1/grids?district=370203&limit=1000").key(PLANNER).get().await.body;
    let grids = listed["items"].as_array().unwrap();
    let whole = grids.iter().find(|grid| grid["code"] == GRID).unwrap();
    let ring = whole["geometry"]["coordinates"][0][0].as_array().unwrap();
    for (at, by) in [(3, 1e-7), (8, 3e-7), (15, 1e-6)] {
        let from = ring[at].clone();
        let to = json!([((from[0].as_f64().unwrap() + by) * 1e8).round() / 1e8, from[1]]);
        let moved: Vec<Value> =
            grids.iter().filter(|grid| grid.to_string().contains(&from.to_string())).cloned().collect();
        let codes: Vec<_> = moved.iter().map(|grid| grid["code"].clone()).collect();
        let mut now = Vec::new();
        for code in codes {
            let grid = town.whole(code.as_str().unwrap(), "").await.to_string();
            now.push(serde_json::from_str::<Value>(&grid.replace(&from.to_string(), &to.to_string())).unwrap());
        }
        let body = json!({"move_parents": true, "grids": now});
        let got = town.post("/v1/grids/redraw").key(PLANNER).json(body).await;
        assert_eq!(got.status, 200, "{at} {}", got.body["detail"]);
    }
    let wrong = town.get("/v1/quality?rule=grids-gap,grids-overlap").key(PLANNER).get().await.body;
    assert_eq!(wrong["items"], json!([]));
}
