//! Layers out: who may have them, when they are sent again, and what is in them.

use std::io::Read as _;

use super::*;
use crate::export::{Ask, Export, Format, Layer};

fn codes(collection: &Value) -> Vec<&str> {
    let features = collection["features"].as_array().unwrap_or_else(|| panic!("{collection}"));
    features.iter().map(|feature| feature["properties"]["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn boundaries_are_for_anyone_and_the_rest_for_holders_of_a_key() {
    let town = Town::open().await;
    town.report().await;
    for (layer, anyone, count) in [
        ("districts", 200, 1),
        ("subdistricts", 200, 1),
        ("communities", 200, 1),
        ("grids", 200, 2),
        ("covers", 401, 3),
        ("work-orders", 401, 1),
    ] {
        let path = format!("/v1/layers/{layer}.geojson");
        let got = town.get(&path).get().await;
        assert_eq!(got.status, anyone, "{layer}: {}", got.body);
        let got = town.get(&path).key("demo-dispatcher").get().await;
        assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "application/geo+json"), "{layer}");
        assert_eq!(codes(&got.body).len(), count, "{layer}: {}", got.body);
        assert_eq!(got.body["bbox"].as_array().unwrap().len(), 4);
        assert!(got.body.get("crs").is_none() && got.body.get("coordinate_system").is_none());
        assert!(!got.body.to_string().contains("leader"), "no officer's name in what is open");
    }
    for path in ["/v1/layers/pipes.geojson", "/v1/layers/covers.shp", "/v1/layers/covers"] {
        assert_eq!(town.get(path).key("demo-admin").get().await.fault().1, "not-found", "{path}");
    }
    let format = town.get("/v1/layers/covers.fgb").key("demo-admin").get().await;
    assert!(format.body["detail"].as_str().unwrap().contains("geojson, geojsonl, csv"), "{}", format.body);
    let unknown = town.get("/v1/layers/grids.geojson?category=0103").get().await;
    assert_eq!(unknown.fault(), (422, "invalid", "category".to_owned()));
}

#[tokio::test]
async fn a_layer_is_sent_again_only_when_it_changed() {
    let town = Town::open().await;
    for layer in ["grids", "covers", "work-orders"] {
        let path = format!("/v1/layers/{layer}.geojson");
        let first = town.get(&path).key("demo-admin").get().await;
        let tag = first.header("etag");
        assert!(tag.starts_with('"') && first.header("cache-control") == "no-cache", "{layer}");
        let again = town.get(&path).key("demo-admin").header("if-none-match", tag).get().await;
        assert_eq!((again.status.as_u16(), again.header("etag")), (304, tag), "{layer}");
        assert!(again.bytes.is_empty());
        let other = town.get(&path).key("demo-admin").header("if-none-match", "\"x\"").get().await;
        assert_eq!((other.status.as_u16(), &other.bytes), (200, &first.bytes), "{layer}");
    }
    let path = "/v1/layers/work-orders.geojson";
    let before = town.get(path).key("demo-admin").get().await;
    let code = town.report().await;
    let after = town.get(path).key("demo-admin").header("if-none-match", before.header("etag")).get().await;
    assert_eq!((after.status.as_u16(), codes(&after.body)), (200, vec![code.as_str()]));
    town.act("demo-crew", &code, "accept", json!({})).await;
    let accepted = town.get(path).key("demo-admin").header("if-none-match", after.header("etag")).get().await;
    assert_eq!(accepted.body["features"][0]["properties"]["status"], "accepted");
}

#[tokio::test]
async fn a_layer_that_others_changes_leave_as_it_is_keeps_its_tag() {
    let town = Town::open().await;
    let paths =
        ["grids.geojson", "subdistricts.csv", "covers.csv?category=0102", "covers.geojson?bbox=120,36,120.1,36.1"];
    let get = async |path: &str| town.get(&format!("/v1/layers/{path}")).key("demo-admin").get().await;
    let mut before = Vec::new();
    for path in paths {
        before.push(get(path).await);
    }
    let whole = get("covers.geojson").await;
    let patch = town.ask("PATCH", &format!("/v1/covers/{ALONE}")).key("demo-admin").header("if-match", "*");
    let patch = patch.json(json!({ "accuracy": "B" })).await;
    assert_eq!(patch.status, 200, "{}", patch.body);
    for (path, before) in paths.iter().zip(before) {
        let (tag, after) = (before.header("etag"), get(path).await);
        assert_eq!((after.header("etag"), &after.bytes), (tag, &before.bytes), "{path}");
        let path = format!("/v1/layers/{path}");
        assert_eq!(town.get(&path).key("demo-admin").header("if-none-match", tag).get().await.status, 304, "{path}");
    }
    assert_ne!(get("covers.geojson").await.header("etag"), whole.header("etag"));
}

#[tokio::test]
async fn a_layer_too_large_to_be_held_is_named_by_its_features() {
    let town = Town::open().await;
    town.report().await;
    let actor = Arc::new(demo_keys().into_iter().find(|(key, _)| *key == "demo-admin").unwrap().1);
    let name = async |layer: Layer, category: Option<&str>| {
        let mut ask = Ask::whole(layer, Format::Csv);
        ask.covers.categories = category.map(|code| code.parse().unwrap()).into_iter().collect();
        let mut export = Export::new(Arc::clone(&town.guli), Arc::clone(&actor), ask, None).await.unwrap();
        let (pieces, name) = export.gather_up_to(0).await.unwrap();
        assert_eq!(pieces.len(), 1, "{layer:?}");
        name.unwrap()
    };
    let all = [
        (Layer::Covers, None),
        (Layer::Covers, Some("0103")),
        (Layer::Covers, Some("0102")),
        (Layer::Grids, None),
        (Layer::WorkOrders, None),
    ];
    let edits = [
        ("PATCH", format!("/v1/covers/{ALONE}"), json!({"accuracy": "B"}), vec![0, 1]),
        ("PATCH", "/v1/organizations/370203-WAT01".to_owned(), json!({"name": "水务"}), vec![]),
        // Its owner is named in them, its telephone is not.
        ("PATCH", "/v1/organizations/370203-DRA01".to_owned(), json!({"phone": "0532-00000101"}), vec![]),
        ("PATCH", "/v1/organizations/370203005-K01".to_owned(), json!({"name": "城管科"}), vec![3]),
        // The names of grids stand beside covers and orders.
        ("PATCH", format!("/v1/grids/{WEST}"), json!({"name": "西"}), vec![0, 1, 3, 4]),
    ];
    for (method, uri, body, changed) in edits {
        let mut before = Vec::new();
        for (layer, category) in all {
            before.push(name(layer, category).await);
        }
        let edited = town.ask(method, &uri).key("demo-admin").header("if-match", "*").json(body).await;
        assert_eq!(edited.status, 200, "{}", edited.body);
        for (n, (layer, category)) in all.into_iter().enumerate() {
            let is_other = name(layer, category).await != before[n];
            assert_eq!(is_other, changed.contains(&n), "{uri}: {layer:?} {category:?}");
        }
    }
}

#[tokio::test]
async fn a_kept_layer_follows_every_change() {
    let town = Town::open().await;
    let get = async || town.get("/v1/layers/covers.geojson").key("demo-admin").get().await;
    let first = get().await;
    let index = &town.guli.context.index;
    let mut cover = staged(1, COVERS[0]).cover;
    cover.id = index.cover(cover.code).unwrap().id;
    (cover.status, cover.version) = (Status::Abandoned, 2);
    index.put_cover(cover.clone()).unwrap();
    index.set_registry_seq("370203".parse().unwrap(), 2).unwrap();
    let second = get().await;
    assert_ne!(second.header("etag"), first.header("etag"));
    assert_eq!(codes(&second.body), [TWINS[0], ALONE, TWINS[1]]);
    assert_eq!(second.body["features"][1]["properties"]["status"], "abandoned");
    (cover.status, cover.version) = (Status::Removed, 3);
    index.put_cover(cover).unwrap();
    index.set_registry_seq("370203".parse().unwrap(), 3).unwrap();
    assert_eq!(codes(&get().await.body), TWINS);
    // The same without the cache, narrowed by a box that holds everything.
    let boxed = town.get("/v1/layers/covers.geojson?bbox=120,36,121,37").key("demo-admin").get().await;
    assert_eq!(boxed.body, get().await.body);
}

#[tokio::test]
async fn layers_are_narrowed_as_the_lists_are() {
    let town = Town::open().await;
    let all = [TWINS[0], ALONE, TWINS[1]];
    for (query, expected) in [
        ("?category=0103", &all[1..]),
        ("?owner=370203-DRA01&status=in_service", &all),
        ("?responsible_unit=370203-WAT01", &[]),
        ("?grid=370203005001001", &all[1..2]),
        ("?grid=370203005001002,370203005001001", &all),
        ("?community=370203005001", &all),
        ("?district=370203", &all),
        ("?bbox=120.37,36.11,120.38,36.13", &all[1..2]),
        ("?bbox=532900,3997800,534200,4000100&crs=EPSG:4549", &all[1..2]),
    ] {
        let got = town.get(&format!("/v1/layers/covers.geojson{query}")).key("demo-crew").get().await;
        assert_eq!(codes(&got.body), expected, "{query}");
    }
    let order = town.report().await;
    for (query, expected) in [
        ("?status=open", vec![order.as_str()]),
        ("?status=closed", vec![]),
        ("?unit=370203-DRA01&damage=missing", vec![order.as_str()]),
        ("?damage=broken", vec![]),
        ("?bbox=120.38,36.11,120.39,36.13", vec![]),
    ] {
        let got = town.get(&format!("/v1/layers/work-orders.geojson{query}")).key("demo-dispatcher").get().await;
        assert_eq!(codes(&got.body), expected, "{query}");
    }
    // A list of covers and of areas the same.
    for (list, count) in [("covers", 3), ("grids", 2)] {
        let got = town.get(&format!("/v1/{list}?community=370203005001,370203005002")).key("demo-crew").get().await;
        assert_eq!(got.body["items"].as_array().unwrap().len(), count, "{}", got.body);
    }
    for (query, at) in [
        (format!("grid={WEST}&community=370203005001"), "grid"),
        ("subdistrict=370203005,370202005".to_owned(), "subdistrict"),
    ] {
        let got = town.get(&format!("/v1/covers?{query}")).key("demo-crew").get().await;
        assert_eq!(got.fault(), (422, "invalid", at.to_owned()), "{query}");
    }
    for path in ["/v1/work-orders?damage=bogus", "/v1/layers/work-orders.csv?damage=missing,bogus"] {
        let got = town.get(path).key("demo-dispatcher").get().await;
        assert_eq!(got.fault(), (422, "invalid", "damage".to_owned()), "{path}");
    }
    // Who reads files over HTTP is told how long one is.
    let head = town.ask("HEAD", "/v1/layers/grids.csv").get().await;
    let whole = town.get("/v1/layers/grids.csv").get().await;
    assert_eq!(head.header("content-length"), whole.bytes.len().to_string());
    let west = town.get("/v1/layers/grids.geojson?bbox=120.371,36.111,120.372,36.112").get().await;
    assert_eq!(codes(&west.body), [WEST]);
    let elsewhere = town.get("/v1/layers/covers.geojson?district=370202").key("demo-admin").get().await;
    assert_eq!(elsewhere.fault().1, "not-found");
}

#[tokio::test]
async fn another_coordinate_system_is_said_plainly() {
    let town = Town::open().await;
    let got = town.get("/v1/layers/covers.geojson?out_crs=EPSG:4549").key("demo-planner").get().await;
    assert_eq!(got.body["coordinate_system"], "EPSG:4549");
    assert_eq!(got.body["crs"]["properties"]["name"], "urn:ogc:def:crs:EPSG::4549");
    let without_code = town.get("/v1/layers/covers.geojson?out_crs=BD-09").key("demo-planner").get().await;
    assert_eq!((&without_code.body["coordinate_system"], &without_code.body["crs"]), (&json!("BD-09"), &Value::Null));
    let x = got.body["features"][1]["geometry"]["coordinates"][0].as_f64().unwrap();
    assert!((533_000.0..534_500.0).contains(&x), "{x}");
    let lines = town.get("/v1/layers/covers.geojsonl?out_crs=GCJ-02").key("demo-planner").get().await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let text = String::from_utf8(lines.bytes.to_vec()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() == 3 && lines.iter().all(|line| line["coordinate_system"] == "GCJ-02"), "{text}");
    let grids = town.get("/v1/layers/grids.geojson").get().await;
    let ring = json!([[120.38, 36.11], [120.38, 36.13], [120.37, 36.13], [120.37, 36.11], [120.38, 36.11]]);
    assert_eq!(grids.body["features"][0]["geometry"]["coordinates"], json!([[ring]]));
    assert_eq!(grids.body["bbox"], json!([120.37, 36.11, 120.39, 36.13]));
    assert_eq!(grids.body["features"][0]["properties"]["supervising_department_name"], "城市管理办公室");
}

#[tokio::test]
async fn tables_have_a_header_and_one_record_each() {
    let town = Town::open().await;
    for (path, last, first) in [
        ("covers.csv", ["lon", "lat"], TWINS[0]),
        ("covers.csv?out_crs=EPSG:4549", ["x", "y"], TWINS[0]),
        ("grids.csv", ["supervising_department_name", "geometry"], WEST),
    ] {
        let got = town.get(&format!("/v1/layers/{path}")).key("demo-planner").get().await;
        assert!(got.header("content-type").starts_with("text/csv"), "{path}");
        let mut reader = csv::Reader::from_reader(&*got.bytes);
        let head = reader.headers().unwrap().clone();
        assert_eq!(head.iter().skip(head.len() - 2).collect::<Vec<_>>(), last, "{path}");
        let records: Vec<_> = reader.records().collect::<Result<_, _>>().unwrap();
        assert_eq!((&records[0][0], records.len()), (first, if path.starts_with("covers") { 3 } else { 2 }));
        if path == "grids.csv" {
            assert!(records[0][head.len() - 1].starts_with("MULTIPOLYGON (((120.38 36.11,120.38 36.13,"));
        }
    }
}

#[tokio::test]
async fn gzip_is_given_to_who_takes_it() {
    let town = Town::open().await;
    let plain = town.get("/v1/layers/covers.geojson").key("demo-admin").get().await;
    let asked = |accept| town.get("/v1/layers/covers.geojson").key("demo-admin").header("accept-encoding", accept);
    let packed = asked("br, gzip").get().await;
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), ("", "gzip"));
    assert_ne!(plain.header("etag"), packed.header("etag"));
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&*packed.bytes).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.bytes);
    assert_eq!(asked("gzip;q=0").get().await.header("content-encoding"), "");
}
