//! Vector tiles: who sees what from which zoom, when a tile is sent again, and what is in it.

use std::collections::BTreeMap;
use std::io::Read as _;

use super::*;

/// Fields of a message of protocol buffers: number, and a number or bytes.
#[derive(Debug)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn message(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = varint(&mut bytes);
        let field = if key & 7 == 2 {
            let (taken, rest) = bytes.split_at(usize::try_from(value).unwrap());
            bytes = rest;
            Field::Bytes(taken)
        } else {
            Field::Number(value)
        };
        fields.push((key >> 3, field));
    }
    fields
}

fn all<'a>(fields: &'a [(u64, Field<'a>)], number: u64) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter_map(move |(n, field)| match field {
        Field::Bytes(bytes) if *n == number => Some(*bytes),
        _ => None,
    })
}

fn numbers(mut bytes: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        numbers.push(varint(&mut bytes));
    }
    numbers
}

/// A feature: id, properties, geometry.
#[derive(Debug)]
struct Feature {
    id: Option<u64>,
    properties: BTreeMap<String, Value>,
    geometry: Vec<u64>,
}

fn features(tile: &[u8], name: &str) -> Vec<Feature> {
    let tile = message(tile);
    let layer = message(all(&tile, 3).next().unwrap());
    assert_eq!(all(&layer, 1).next().unwrap(), name.as_bytes());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let keys: Vec<_> = all(&layer, 3).map(text).collect();
    let value = |bytes| match &message(bytes)[0] {
        (1, Field::Bytes(bytes)) => Value::from(text(bytes)),
        (7, Field::Number(flag)) => Value::from(*flag == 1),
        other => panic!("{other:?}"),
    };
    let values: Vec<_> = all(&layer, 4).map(value).collect();
    let feature = |bytes| {
        let feature = message(bytes);
        let at = |n: u64| usize::try_from(n).unwrap();
        let tags = numbers(all(&feature, 2).next().unwrap());
        let property = |pair: &[u64]| (keys[at(pair[0])].clone(), values[at(pair[1])].clone());
        let id = feature.iter().find_map(|(n, field)| match field {
            Field::Number(id) if *n == 1 => Some(*id),
            _ => None,
        });
        let geometry = numbers(all(&feature, 4).next().unwrap());
        Feature { id, properties: tags.chunks(2).map(property).collect(), geometry }
    };
    all(&layer, 2).map(feature).collect()
}

/// The tile of a zoom that the lone cover lies in.
fn at(layer: &str, z: u32) -> String {
    let side = f64::from(1u32 << z);
    let x = (120.375 + 180.0) / 360.0 * side;
    let y = (1.0 - f64::tan(f64::to_radians(36.12)).asinh() / std::f64::consts::PI) / 2.0 * side;
    format!("/tiles/{layer}/{z}/{}/{}.mvt", x.floor(), y.floor())
}

#[tokio::test]
async fn anyone_sees_areas_at_any_zoom_and_covers_near_by() {
    let town = Town::open().await;
    let areas = [("districts", 1), ("subdistricts", 1), ("communities", 1), ("grids", 2)];
    for (layer, count) in areas.into_iter().chain([("grid_label", 2), ("subdistrict_label", 1)]) {
        for z in [11, 14] {
            let got = town.get(&at(layer, z)).get().await;
            assert_eq!(got.status, 200, "{layer} {z}: {}", got.body);
            assert_eq!(got.header("content-type"), "application/vnd.mapbox-vector-tile");
            let found = features(&got.bytes, layer);
            assert_eq!(found.len(), count, "{layer} {z}");
            let [code, name] = ["code", "name"].map(|key| found[0].properties[key].as_str().unwrap().to_owned());
            assert!(found[0].id.unwrap().to_string() == code && !name.is_empty() && found[0].properties.len() == 2);
        }
    }
    assert_eq!(town.get("/tiles/districts/8/213/100.mvt").get().await.status, 200);
    for z in [10, 14, 15] {
        let got = town.get(&at("covers", z)).get().await;
        assert_eq!((got.status.as_u16(), got.bytes.len(), got.header("cache-control")), (204, 0, "no-cache"), "{z}");
    }
    let got = town.get(&at("covers", 16)).get().await;
    let found = features(&got.bytes, "covers");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0].properties, found[0].id), (&BTreeMap::from([("category".to_owned(), json!("0103"))]), None));
    let tile = String::from_utf8_lossy(&got.bytes).into_owned();
    assert!(!tile.contains("code") && !tile.contains("DRA01") && !tile.contains(ALONE), "{tile}");
    // Nobody's ground.
    assert_eq!(town.get("/tiles/grids/14/0/0.mvt").get().await.status, 204);
}

#[tokio::test]
async fn a_key_shows_covers_in_short_and_from_further_away() {
    let town = Town::open().await;
    assert_eq!(town.get(&at("covers", 13)).key("demo-planner").get().await.status, 204);
    let got = town.get(&at("covers", 14)).key("demo-planner").get().await;
    assert_eq!((got.status.as_u16(), got.header("cache-control")), (200, "private, no-cache"));
    let found = features(&got.bytes, "covers");
    let alone = found.iter().find(|cover| cover.properties["code"] == ALONE).unwrap();
    assert_eq!(alone.id, Some(ALONE.parse().unwrap()));
    let expected = json!({"code": ALONE, "category": "0103", "owner": "370203-DRA01",
                          "responsible_unit": "370203-DRA01", "status": "in_service", "accuracy": "A"});
    assert_eq!(json!(alone.properties), expected);
    assert!(found.iter().all(|cover| cover.properties["code"] != REMOVED));
    // Both views of a tile are kept, each for those who may have it.
    let (near, far) = (at("covers", 16), at("covers", 14));
    let open = town.get(&near).get().await;
    assert_ne!(town.get(&near).key("demo-planner").get().await.bytes, open.bytes);
    assert_eq!(town.get(&near).get().await.bytes, open.bytes);
    assert_eq!(town.get(&far).get().await.status, 204);
}

#[tokio::test]
async fn orders_are_for_those_who_may_see_them() {
    let town = Town::open().await;
    let order = town.report().await;
    let path = at("work-orders", 14);
    assert_eq!(town.get(&path).get().await.fault(), (401, "unauthorized", "Authorization".to_owned()));
    assert_eq!(town.get("/tiles/work-orders.json").get().await.fault().0, 401);
    let seen = async |key: &str| features(&town.get(&path).key(key).get().await.bytes, "work-orders");
    let found = seen("demo-crew").await;
    let properties = &found[0].properties;
    let listed = town.get(&format!("/v1/work-orders/{order}")).key("demo-crew").get().await.body;
    assert_eq!((properties["code"].as_str(), properties["status"].as_str()), (Some(&*order), Some("dispatched")));
    assert_eq!((&properties["due_at"], &properties["damage"]), (&listed["due_at"], &json!("missing")));
    assert_eq!((&properties["overdue"], &properties["grid"]), (&json!(false), &json!(WEST)));
    // What time alone changes is another tile too.
    let before = town.get(&path).key("demo-grid").get().await;
    let again = town.get(&path).key("demo-grid").header("if-none-match", before.header("etag")).get().await;
    assert_eq!(again.status, 304);
    town.guli.context.clock.advance(jiff::SignedDuration::from_hours(48));
    let after = town.get(&path).key("demo-grid").header("if-none-match", before.header("etag")).get().await;
    assert_eq!(features(&after.bytes, "work-orders")[0].properties["overdue"], true);
    assert_eq!(seen("demo-planner").await.len(), 1);
}

#[tokio::test]
async fn a_tile_is_sent_again_only_when_it_changed() {
    let town = Town::open().await;
    for layer in ["grids", "covers"] {
        let path = at(layer, 16);
        let first = town.get(&path).get().await;
        let tag = first.header("etag");
        assert!(tag.starts_with('"') && first.header("vary").contains("authorization"), "{layer}");
        let again = town.get(&path).header("if-none-match", tag).get().await;
        assert_eq!((again.status.as_u16(), again.header("etag"), again.bytes.len()), (304, tag, 0), "{layer}");
        let packed = town.get(&path).header("accept-encoding", "gzip").get().await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert_ne!(packed.header("etag"), tag);
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&*packed.bytes).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, first.bytes, "{layer}");
    }
    let path = at("covers", 16);
    let before = town.get(&path).key("demo-admin").get().await;
    let index = &town.guli.context.index;
    let mut cover = staged(1, COVERS[0]).cover;
    cover.id = index.cover(cover.code).unwrap().id;
    (cover.status, cover.version) = (Status::Abandoned, 2);
    index.put_cover(cover).unwrap();
    index.set_registry_seq("370203".parse().unwrap(), 2).unwrap();
    let after = town.get(&path).key("demo-admin").header("if-none-match", before.header("etag")).get().await;
    assert_eq!(features(&after.bytes, "covers")[0].properties["status"], "abandoned");
    // Residents see nothing of that, so nothing is sent again.
    let open = town.get(&path).get().await;
    assert_eq!(town.get(&path).header("if-none-match", open.header("etag")).get().await.status, 304);
}

#[tokio::test]
async fn an_address_outside_the_square_is_refused() {
    let town = Town::open().await;
    for (path, fault) in [
        ("/tiles/grids/23/0/0.mvt", (400, "malformed", "z")),
        ("/tiles/grids/14/16384/0.mvt", (400, "malformed", "x")),
        ("/tiles/grids/14/0/16384.mvt", (400, "malformed", "y")),
        ("/tiles/grids/14/0/-1.mvt", (400, "malformed", "y")),
        ("/tiles/grids/x/0/0.mvt", (400, "malformed", "z")),
        ("/tiles/pipes/14/0/0.mvt", (404, "not-found", "")),
        ("/tiles/grids/14/0/0.png", (404, "not-found", "")),
        ("/tiles/pipes.json", (404, "not-found", "")),
        ("/tiles/grids", (404, "not-found", "")),
        ("/tiles/grids/14/0/0.mvt?layer=1", (422, "invalid", "layer")),
    ] {
        let got = town.get(path).get().await;
        let (status, slug, at) = got.fault();
        assert_eq!((status, slug, at.as_str()), fault, "{path}");
    }
}

#[tokio::test]
async fn a_map_learns_what_there_is() {
    let town = Town::open().await;
    let got = town.get("/tiles/covers.json").get().await;
    assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "application/json"));
    assert_eq!(got.body["tilejson"], "3.0.0");
    assert_eq!(got.body["tiles"], json!(["https://guli.example/tiles/covers/{z}/{x}/{y}.mvt"]));
    assert_eq!(got.body["bounds"], json!([120.37, 36.11, 120.39, 36.13]));
    assert_eq!((&got.body["minzoom"], &got.body["maxzoom"]), (&json!(16), &json!(16)));
    let fields = |body: &Value| body["vector_layers"][0]["fields"].as_object().unwrap().len();
    assert_eq!((fields(&got.body), &got.body["vector_layers"][0]["id"]), (1, &json!("covers")));
    let keyed = town.get("/tiles/covers.json").key("demo-planner").get().await;
    assert_eq!((fields(&keyed.body), &keyed.body["minzoom"]), (6, &json!(14)));
    assert_ne!(keyed.header("etag"), got.header("etag"));
    let labels = ["grid_label", "subdistrict_label"];
    for layer in ["grids", "communities", "subdistricts", "districts", "work-orders"].into_iter().chain(labels) {
        let got = town.get(&format!("/tiles/{layer}.json")).key("demo-crew").get().await;
        assert_eq!((got.status.as_u16(), &got.body["minzoom"]), (200, &json!(0)), "{layer}");
    }
}

/// Corners of the rings of a feature, in units of the tile.
fn rings(geometry: &[u64]) -> Vec<Vec<(i64, i64)>> {
    let (mut rings, mut at, mut i) = (Vec::new(), (0, 0), 0);
    while i < geometry.len() {
        let (command, count) = (geometry[i] & 7, geometry[i] >> 3);
        i += 1;
        if command == 1 {
            rings.push(Vec::new());
        }
        for _ in 0..if command == 7 { 0 } else { count } {
            let by = |n: u64| (n >> 1).cast_signed() ^ -((n & 1).cast_signed());
            at = (at.0 + by(geometry[i]), at.1 + by(geometry[i + 1]));
            rings.last_mut().unwrap().push(at);
            i += 2;
        }
    }
    rings
}

#[tokio::test]
async fn neighbours_have_the_same_corners_and_turn_clockwise() {
    let town = Town::open().await;
    for z in [11, 13, 15, 17, 22] {
        let got = town.get(&at("grids", z)).get().await;
        let found = features(&got.bytes, "grids");
        let mut corners: Vec<std::collections::BTreeSet<(i64, i64)>> = Vec::new();
        for feature in &found {
            let [ring] = &rings(&feature.geometry)[..] else { panic!("{feature:?}") };
            let next = ring.iter().cycle().skip(1);
            assert!(ring.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<i64>() > 0, "{z} {ring:?}");
            assert!(ring.iter().all(|&(x, y)| (-64..=4_160).contains(&x) && (-64..=4_160).contains(&y)));
            corners.push(ring.iter().copied().collect());
        }
        if let [west, east] = &corners[..] {
            assert_eq!(west.intersection(east).count(), 2, "{z}: {corners:?}");
        }
    }
}
