//! Whatever is edited: histories replay, the past is answered as it was, memory is what the database says, and the
//! ground stays shared without gap or overlap.

use std::collections::BTreeMap;

use geo::{Contains as _, Point};
use proptest::prelude::*;

use super::*;

/// An edit; `which` picks one of the covers that there are.
#[derive(Debug, Clone)]
enum Edit {
    Create {
        category: &'static str,
        lon: f64,
        lat: f64,
    },
    Move {
        which: usize,
        lon: f64,
        lat: f64,
    },
    Own {
        which: usize,
        owner: &'static str,
    },
    Specify {
        which: usize,
        load_class: Option<&'static str>,
    },
    Categorize {
        which: usize,
        category: &'static str,
    },
    Remove {
        which: usize,
    },
    Undo {
        which: usize,
    },
    Rename {
        name: String,
    },
    Import {
        lon: f64,
    },
    UndoImport,
    /// The edge between the grids, from south to north.
    Edge {
        through: [f64; 3],
    },
    /// The same for one of them alone, which would leave a gap or an overlap.
    HalfAnEdge {
        through: [f64; 3],
    },
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let (lon, lat) = (120.3702..120.3898_f64, 36.1102..36.1298_f64);
    let (at, category) = ((lon.clone(), lat), prop::sample::select(vec!["0101", "0102", "0103"]));
    let through = prop::array::uniform3(120.373..120.387_f64);
    let which = 0_usize..8;
    let edit = prop_oneof![
        (category.clone(), at.clone()).prop_map(|(category, (lon, lat))| Edit::Create { category, lon, lat }),
        (which.clone(), at).prop_map(|(which, (lon, lat))| Edit::Move { which, lon, lat }),
        (which.clone(), prop::sample::select(vec!["370203-WAT01", "370203-DRA01"]))
            .prop_map(|(which, owner)| Edit::Own { which, owner }),
        (which.clone(), prop::option::of(prop::sample::select(vec!["C250", "D400"])))
            .prop_map(|(which, load_class)| Edit::Specify { which, load_class }),
        (which.clone(), category).prop_map(|(which, category)| Edit::Categorize { which, category }),
        which.clone().prop_map(|which| Edit::Remove { which }),
        which.prop_map(|which| Edit::Undo { which }),
        "[甲乙丙丁]{1,3}".prop_map(|name| Edit::Rename { name }),
        lon.prop_map(|lon| Edit::Import { lon }),
        Just(Edit::UndoImport),
        through.clone().prop_map(|through| Edit::Edge { through }),
        through.prop_map(|through| Edit::HalfAnEdge { through }),
    ];
    prop::collection::vec(edit, 1..12)
}

/// The two grids with the edge between them through these longitudes.
fn halves(through: [f64; 3]) -> [Value; 2] {
    let edge: Vec<[f64; 2]> = [36.11, 36.12, 36.13].iter().zip(through).map(|(lat, lon)| [lon, *lat]).collect();
    let mut west = vec![[120.37, 36.13], [120.37, 36.11]];
    west.extend(&edge);
    west.push([120.37, 36.13]);
    let mut east = vec![[120.39, 36.11], [120.39, 36.13]];
    east.extend(edge.iter().rev());
    east.push([120.39, 36.11]);
    [(WEST, "西", west), (EAST, "东", east)].map(|(code, name, ring)| {
        json!({"code": code, "name": name, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    })
}

impl Town {
    async fn codes(&self) -> Vec<String> {
        let got = self.get("/v1/covers?limit=1000").key(ADMIN).get().await.body;
        got["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap().to_owned()).collect()
    }

    async fn edit(&self, edit: &Edit, imported: &mut Vec<String>) {
        let codes = self.codes().await;
        let patch = async |which: usize, body: Value| {
            let Some(code) = codes.get(which % codes.len().max(1)) else { return };
            let got =
                self.ask("PATCH", &format!("/v1/covers/{code}")).key(ADMIN).header("if-match", "*").json(body).await;
            assert_eq!(got.status, 200, "{edit:?} {}", got.body);
        };
        match edit {
            Edit::Create { category, lon, lat } => {
                let body = json!({"category": category, "position": {"lon": lon, "lat": lat}});
                let got = self.post("/v1/covers").key(ADMIN).json(body).await;
                assert_eq!(got.status, 201, "{}", got.body);
            }
            Edit::Move { which, lon, lat } => patch(*which, json!({"position": {"lon": lon, "lat": lat}})).await,
            Edit::Own { which, owner } => patch(*which, json!({"owner": owner})).await,
            Edit::Specify { which, load_class } => patch(*which, json!({"spec": {"load_class": load_class}})).await,
            Edit::Categorize { which, category } => patch(*which, json!({"category": category})).await,
            Edit::Remove { which } => {
                let Some(code) = codes.get(which % codes.len().max(1)) else { return };
                let path = format!("/v1/covers/{code}");
                assert_eq!(self.ask("DELETE", &path).key(ADMIN).header("if-match", "*").send("").await.status, 204);
            }
            Edit::Undo { which } => {
                let Some(code) = codes.get(which % codes.len().max(1)) else { return };
                let cover = self.get(&format!("/v1/covers/{code}")).key(ADMIN).get().await.body;
                let path = format!("/v1/covers/{code}/history/{}/undo", cover["version"]);
                let got = self.post(&path).key(ADMIN).send("").await;
                if got.status == 409 {
                    // What redrawn grids did to it is taken back with them.
                    let history = self.get(&format!("/v1/covers/{code}/history")).key(ADMIN).get().await.body;
                    let last = history["items"].as_array().unwrap().last().unwrap();
                    assert_eq!(last["change"], "cover.regridded", "{}", got.body);
                    return;
                }
                assert!(got.status == 200, "{edit:?} {}", got.body);
            }
            Edit::Rename { name } => {
                let rename = self.ask("PATCH", "/v1/organizations/370203-DRA01").key(ADMIN).header("if-match", "*");
                assert_eq!(rename.json(json!({"name": name})).await.status, 200);
            }
            Edit::Import { lon } => {
                let file = format!(
                    "external_id,category,owner,lon,lat\n1,0101,370203-WAT01,{lon},36.115\n2,0102,370203-WAT01,120.38,36.125\n"
                );
                // A row whose cover is of another category by now is refused.
                let got =
                    self.import(ADMIN, "?source=370203-WAT01&keep_going=true", &[("file", Some("a.csv"), &file)]).await;
                // And where that is so of both, the file.
                if got.status == 422 {
                    assert_eq!(got.fault().1, "import-rejected", "{}", got.body);
                    return;
                }
                assert_eq!(got.status, 201, "{}", got.body);
                imported.push(got.header("location").to_owned());
            }
            Edit::UndoImport => {
                let Some(at) = imported.pop() else { return };
                let got = self.post(&format!("{at}/undo")).key(ADMIN).send("").await;
                assert!(matches!(got.status.as_u16(), 200 | 404 | 409), "{}", got.body);
            }
            Edit::Edge { through } => {
                let got = self.post("/v1/grids/redraw").key(ADMIN).json(json!({"grids": halves(*through)})).await;
                assert_eq!(got.status, 200, "{edit:?} {}", got.body);
            }
            Edit::HalfAnEdge { through } => {
                let [west, _] = halves(*through);
                let got = self.post("/v1/grids/redraw").key(ADMIN).json(json!({"grids": [west]})).await;
                assert_eq!(got.status.as_u16() / 100, 4, "{edit:?} {}", got.body);
            }
        }
    }

    /// What the registry answers, by address.
    async fn answers(&self, suffix: &str) -> BTreeMap<String, String> {
        let mut answers = BTreeMap::new();
        for uri in [
            "/v1/covers?limit=1000",
            // Now from memory, then from the database.
            "/v1/covers?bbox=120.372,36.112,120.386,36.128&limit=1000",
            "/v1/covers?bbox=120.371,36.111,120.388,36.129&owner=370203-WAT01&status=in_service&category=0101&limit=1000",
            "/v1/covers?bbox=120.371,36.111,120.388,36.129&grid=370203005001001&limit=1000",
            "/v1/layers/covers.geojson?bbox=120.3,36,120.4,36.2",
            "/v1/layers/grids.geojson?bbox=120.3,36,120.4,36.2",
            "/v1/resolve?lon=120.375&lat=36.12&accuracy_m=60",
            "/v1/resolve?lon=120.385&lat=36.12&accuracy_m=60",
            "/v1/resolve?lon=120.38&lat=36.125&accuracy_m=60",
            "/v1/grids?limit=10",
        ] {
            let got = self.get(&format!("{uri}{suffix}")).key(ADMIN).get().await;
            assert_eq!(got.status, 200, "{uri}{suffix} {}", got.body);
            answers.insert(uri.to_owned(), String::from_utf8(got.bytes.to_vec()).unwrap());
        }
        answers
    }

    /// Every point lies in one grid.
    async fn is_shared_without_gap(&self) {
        let grids = self.get("/v1/grids").key(ADMIN).get().await.body;
        let outlines: Vec<MultiPolygon<f64>> = grids["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|grid| {
                let geometry: geojson::Geometry = serde_json::from_value(grid["geometry"].clone()).unwrap();
                geometry.try_into().unwrap()
            })
            .collect();
        for n in 0..400_u32 {
            // Spread by irrational steps, so that no point lies on an edge.
            let (a, b) = (f64::from(n) * 0.618_033_988_7 % 1.0, f64::from(n) * 0.754_877_666_2 % 1.0);
            let at = Point::new(120.370_001 + 0.019_998 * a, 36.110_001 + 0.019_998 * b);
            let held = outlines.iter().filter(|outline| outline.contains(&at)).count();
            assert_eq!(held, 1, "{at:?}");
        }
    }

    /// A cover's changes, taken back one after the other, each from what it led to.
    async fn replays(&self, code: &str) {
        let cover = self.get(&format!("/v1/covers/{code}")).key(ADMIN).get().await.body;
        let history = self.get(&format!("/v1/covers/{code}/history")).key(ADMIN).get().await.body;
        let mut state: BTreeMap<String, Value> = BTreeMap::new();
        let versions = history["items"].as_array().unwrap();
        for (n, version) in versions.iter().enumerate() {
            assert_eq!(version["version"], n + 1, "{history}");
            for change in version["changes"].as_array().unwrap() {
                let pointer = change["pointer"].as_str().unwrap();
                if let Some(before) = state.insert(pointer.to_owned(), change["to"].clone()) {
                    assert_eq!(before, change["from"], "{pointer} of {code}: {history}");
                }
            }
        }
        assert_eq!(cover["version"], versions.len(), "{history}");
        for (pointer, value) in state {
            let shown = cover.pointer(&pointer).or_else(|| cover.pointer(&format!("{pointer}/code")));
            let shown = shown.map(|shown| shown.get("code").unwrap_or(shown));
            assert_eq!(shown, Some(&value), "{pointer} of {cover}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn edits_are_remembered_and_memory_is_what_the_database_says(edits in edits()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let town = Town::open().await;
            let (mut told, mut imported) = (Vec::new(), Vec::new());
            for edit in &edits {
                told.push((town.guli.context.clock.now(), town.answers("").await));
                town.edit(edit, &mut imported).await;
                town.is_shared_without_gap().await;
            }
            for (instant, answers) in told {
                assert_eq!(town.answers(&format!("&as_of={instant}")).await, answers, "{instant}");
            }
            for code in town.codes().await {
                town.replays(&code).await;
            }
            let before = town.answers("").await;
            let again = town.reopened().await;
            assert_eq!(again.answers("").await, before);
        });
    }
}
