//! What is wrong with the registry, what mends it, and what is said of it.

use super::grids::rect;
use super::*;

impl Town {
    /// The findings of a query, as their rules and first subjects.
    async fn wrong(&self, query: &str) -> Vec<(String, String)> {
        let got = self.get(&format!("/v1/quality{query}")).key(ADMIN).get().await;
        assert_eq!(got.status, 200, "{query}: {}", got.body);
        let pairs = got.body["items"].as_array().unwrap().iter().map(|item| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&item["rule"]), text(&item["subjects"][0]["code"]))
        });
        pairs.collect()
    }

    /// The only finding of a rule.
    async fn only(&self, rule: &str) -> Value {
        let got = self.get(&format!("/v1/quality?rule={rule}")).key(ADMIN).get().await;
        let [item] = got.body["items"].as_array().unwrap().as_slice() else { panic!("{rule}: {}", got.body) };
        assert_eq!(got.body["counts"], json!({ rule: 1 }));
        item.clone()
    }

    async fn create(&self, body: Value) -> String {
        let got = self.post("/v1/covers").key(ADMIN).json(body).await;
        assert_eq!(got.status, 201, "{}", got.body);
        got.body["code"].as_str().unwrap().to_owned()
    }

    /// Sends a finding's mend as it is.
    async fn mend(&self, finding: &Value) {
        let mend = &finding["mend"];
        let ask = self.ask(mend["method"].as_str().unwrap(), mend["href"].as_str().unwrap());
        let ask = ask.key(ADMIN);
        // As it stands.
        let ask = match mend["if_match"].as_str() {
            Some(version) => ask.header("if-match", version),
            None => ask,
        };
        let got = if mend["body"].is_null() { ask.send("").await } else { ask.json(mend["body"].clone()).await };
        assert!(got.status.is_success(), "{mend} {}", got.body);
    }

    async fn say(&self, key: &str, id: &str, body: Value) -> Got {
        self.post(&format!("/v1/quality/{id}")).key(key).json(body).await
    }
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(rule, code)| (rule.to_owned(), code.to_owned())).to_vec()
}

#[tokio::test]
async fn a_sound_town_lacks_only_a_leader() {
    let town = Town::open().await;
    assert_eq!(town.wrong("").await, pairs([("grid-without-leader", EAST)]));
    let counts = town.get("/v1/quality").key("demo-crew").get().await.body["counts"].clone();
    assert_eq!(counts.as_object().unwrap().len(), 11);
    assert_eq!((&counts["grid-without-leader"], &counts["grids-gap"]), (&json!(1), &json!(0)));
    let finding = town.only("grid-without-leader").await;
    assert_eq!((&finding["severity"], &finding["state"]), (&json!("warning"), &json!("open")));
    assert_eq!(finding["subjects"], json!([{"type": "grid", "code": EAST, "href": format!("/v1/grids/{EAST}")}]));
    assert_eq!(finding["geometry"], json!({"type": "Point", "coordinates": [120.385, 36.12]}));
    assert!(finding["mend"].is_null() && finding["ruling"].is_null());
}

#[tokio::test]
async fn what_is_wrong_with_a_cover_is_mended_by_one_request() {
    let town = Town::open().await;
    let at = |lon: f64| json!({"lon": lon, "lat": 36.1205});
    for lon in [120.374, 120.3742] {
        town.create(json!({"category": "0101", "owner": "370203-WAT01", "position": at(lon)})).await;
    }
    // Nobody's, but the two nearest water covers are the water company's.
    let nobodys = town.create(json!({"category": "0101", "position": at(120.3741)})).await;
    // Nobody's by its category.
    town.create(json!({"category": "0114", "position": at(120.376)})).await;
    // No neighbour of the category can say whose it is.
    let lone = town.create(json!({"category": "0110", "position": at(120.377)})).await;
    let weak = json!({"place": "carriageway", "load_class": "C250"});
    let road =
        town.create(json!({"category": "0102", "owner": "370203-DRA01", "position": at(120.378), "spec": weak})).await;
    town.create(json!({"category": "0104", "owner": "370203-DRA01", "position": at(120.379), "spec": weak})).await;
    assert_eq!(
        town.wrong("?severity=warning&bbox=120.373,36.12,120.38,36.121").await,
        pairs([("owner-missing", &nobodys), ("owner-missing", &lone), ("load-class-unfit", &road)])
    );
    let missing = town.get("/v1/quality?rule=owner-missing").key(ADMIN).get().await.body;
    assert_eq!(missing["items"][0]["mend"]["body"], json!({"owner": "370203-WAT01"}));
    assert!(missing["items"][1]["mend"].is_null());
    town.mend(&missing["items"][0]).await;
    assert_eq!(town.wrong("?rule=owner-missing").await, pairs([("owner-missing", &lone)]));
    // A weak cover is not mended by writing that it is strong.
    let unfit = town.only("load-class-unfit").await;
    assert!(unfit["mend"].is_null() && unfit["detail"].as_str().unwrap().contains("inspected"), "{unfit}");
    // It is said in the language asked for.
    let uri = format!("/v1/quality/{}", unfit["id"].as_str().unwrap());
    for (language, words) in [("zh-CN", "现场核查"), ("en", "to be inspected"), ("fr", "to be inspected")] {
        let one = town.get(&uri).key(ADMIN).header("accept-language", language).get().await.body;
        assert!(one["detail"].as_str().unwrap().contains(words), "{language} {one}");
        let uri = "/v1/quality?rule=load-class-unfit";
        let listed = town.get(uri).key(ADMIN).header("accept-language", language).get().await.body;
        assert_eq!(listed["items"], json!([one]), "{language}");
    }
}

#[tokio::test]
async fn of_two_records_of_one_cover_the_worse_is_to_go() {
    let town = Town::open().await;
    // 0.9 m west of the lone cover, which is of accuracy A, and one that is 1.8 m away.
    let twin = |lon: f64| json!({"category": "0103", "owner": "370203-WAT01", "position": {"lon": lon, "lat": 36.12}});
    let near = town.create(twin(120.374_99)).await;
    town.create(twin(120.375_02)).await;
    let other_kind = json!({"category": "0101", "owner": "370203-WAT01", "position": {"lon": 120.375, "lat": 36.12}});
    town.create(other_kind).await;
    let finding = town.only("near-duplicate").await;
    assert_eq!([&finding["subjects"][0]["code"], &finding["subjects"][1]["code"]], [ALONE, &near]);
    let href = format!("/v1/covers/{near}/merge");
    let mend = json!({"method": "POST", "href": href, "body": {"into": ALONE}, "if_match": "\"1\""});
    assert_eq!(finding["mend"], mend);
    // The same twice, whoever asks but for what they may do, and the same tomorrow.
    let one = town.get(&format!("/v1/quality/{}", finding["id"].as_str().unwrap())).key("demo-planner").get().await;
    let mut one = one.body;
    assert_eq!((&finding["may"], &one["may"]), (&json!(["mend", "accept"]), &json!(["accept"])));
    one["may"] = finding["may"].clone();
    assert_eq!(one, finding);
    town.mend(&finding).await;
    assert!(town.wrong("?rule=near-duplicate").await.is_empty());
}

#[tokio::test]
async fn a_category_that_its_owner_hardly_has_is_noticed() {
    let town = Town::open().await;
    let cover = |category: &str, k: u32| {
        let position = json!({"lon": 120.371 + f64::from(k) * 1e-4, "lat": 36.115});
        json!({"category": category, "owner": "370203-WAT01", "position": position})
    };
    let strange = town.create(cover("0110", 60)).await;
    for k in 0..50 {
        assert!(town.wrong("?rule=category-contradicts-owner").await.is_empty(), "{k} others");
        town.create(cover("0101", k)).await;
    }
    assert_eq!(town.wrong("?rule=category-contradicts-owner").await, pairs([("category-contradicts-owner", &strange)]));
}

#[tokio::test]
async fn a_category_is_noticed_where_its_neighbours_are_a_run_of_another() {
    const RULE: &str = "?rule=category-contradicts-neighbours,category-contradicts-owner";
    let town = Town::open().await;
    // Two pipes of one owner side by side, 1.8 m apart, with chambers each 40 m.
    let cover = |category: &str, east_m: f64, north_m: f64| {
        let at = Position::new(120.372, 36.115).unwrap().offset(east_m, north_m).unwrap();
        let position = json!({"lon": at.lon(), "lat": at.lat()});
        json!({"category": category, "owner": "370203-DRA01", "accuracy": "B", "position": position})
    };
    for k in 0..7 {
        let east_m = 40.0 * f64::from(k);
        if k != 3 {
            town.create(cover("0102", east_m, 0.0)).await;
        }
        town.create(cover("0103", east_m + 15.0, 1.8)).await;
    }
    assert!(town.wrong(RULE).await.is_empty());
    // Another's cover in the gap, one beside the run, and one that was only drawn from memory: none says anything.
    let with = |mut cover: Value, member: &str, value: &str| {
        cover[member] = json!(value);
        cover
    };
    let silent = [
        with(cover("0103", 120.0, 0.0), "owner", "370203-WAT01"),
        with(cover("0103", 120.0, 0.0), "accuracy", "C"),
        cover("0103", 120.0, 1.7),
        cover("0103", 139.0, 0.0),
    ];
    for body in silent {
        let code = town.create(body.clone()).await;
        assert!(town.wrong(RULE).await.is_empty(), "{body}");
        let gone = town.ask("DELETE", &format!("/v1/covers/{code}")).key(ADMIN).header("if-match", "*").send("").await;
        assert_eq!(gone.status, 204);
    }
    let wrong = town.create(cover("0103", 120.5, 0.2)).await;
    let finding = town.only("category-contradicts-neighbours").await;
    assert_eq!((&finding["subjects"][0]["code"], &finding["severity"]), (&json!(wrong), &json!("notice")));
    assert_eq!(finding["mend"]["body"], json!({"category": "0102"}));
    town.mend(&finding).await;
    assert!(town.wrong(RULE).await.is_empty());
    // The same where its own category is a run that ends elsewhere, and not where it may be its end.
    let lone = town.create(cover("0110", 380.0, 60.0)).await;
    for east_m in [300.0, 340.0, 420.0, 460.0] {
        town.create(cover("0102", east_m, 60.0)).await;
    }
    assert_eq!(town.wrong(RULE).await, pairs([("category-contradicts-neighbours", &lone)]));
    for north_m in [100.0, 140.0] {
        town.create(cover("0110", 380.0, north_m)).await;
    }
    assert!(town.wrong(RULE).await.is_empty());
}

#[tokio::test]
async fn what_is_mended_is_listed_with_who_did_it_and_open_again_when_it_comes_back() {
    let town = Town::open().await;
    let lone = town.create(json!({"category": "0110", "position": {"lon": 120.377, "lat": 36.1205}})).await;
    let finding = town.only("owner-missing").await;
    assert!(finding["mended"].is_null());
    let id = finding["id"].as_str().unwrap().to_owned();
    let owner = async |owner: Value| {
        let ask = town.ask("PATCH", &format!("/v1/covers/{lone}")).key(ADMIN).header("if-match", "*");
        let got = ask.json(json!({"owner": owner})).await;
        assert_eq!(got.status, 200, "{}", got.body);
        got
    };
    // Accepted, then mended, by an edit that nobody called a mend.
    town.say(ADMIN, &id, json!({"state": "accepted", "reason": "being asked for"})).await;
    let edited = owner(json!("370203-WAT01")).await;
    let mended = pairs([("owner-missing", &lone)]);
    assert_eq!(town.wrong("?state=mended").await, mended);
    assert_eq!(town.wrong("?state=mended&rule=near-duplicate").await, []);
    assert_eq!(town.wrong("?rule=owner-missing").await, []);
    let seen = town.get(&format!("/v1/quality/{id}")).key(ADMIN).get().await.body;
    let change = &seen["mended"]["change"];
    assert_eq!((&seen["state"], &seen["mend"], &seen["ruling"]), (&json!("mended"), &Value::Null, &Value::Null));
    assert_eq!(seen["geometry"], finding["geometry"]);
    let by = &seen["mended"]["by"];
    assert_eq!((&by["role"], &by["unit"], &by["name"]), (&json!("admin"), &Value::Null, &json!(ADMIN)));
    assert_eq!(seen["mended"]["at"], change["at"]);
    assert_eq!(
        (&change["kind"], &change["code"], &change["version"]),
        (&json!("cover.updated"), &json!(lone), &json!(2))
    );
    assert_eq!(format!("370203:{}", change["seq"]), edited.header("guli-feed"));
    // Nothing is left to be said of it.
    assert_eq!(town.say(ADMIN, &id, json!({"state": "open"})).await.fault().0, 409);
    let all = town.wrong("?state=open,accepted,mended").await;
    assert_eq!(all, pairs([("owner-missing", &lone), ("grid-without-leader", EAST)]));
    // It comes back, and is open whatever was said of it before.
    owner(Value::Null).await;
    assert_eq!(town.only("owner-missing").await["state"], "open");
    assert_eq!(town.wrong("?state=mended").await, []);
    // A cover that gets another code is the same cover.
    let patch = town.ask("PATCH", &format!("/v1/covers/{lone}")).key(ADMIN).header("if-match", "*");
    let now = patch.json(json!({"category": "0114"})).await.body["code"].clone();
    town.post("/v1/covers")
        .key(ADMIN)
        .json(json!({"category": "0114", "position": {"lon": 120.376, "lat": 36.1205}}))
        .await;
    let seen = town.get(&format!("/v1/quality/{id}")).key(ADMIN).get().await.body;
    assert_eq!((&seen["state"], &seen["mended"]["change"]["code"]), (&json!("mended"), &now));
}

/// The town with its grids, people and covers as they should not be.
pub(super) async fn broken() -> Town {
    Town::seeded(async |writer| {
        seed(writer).await;
        let code: DistrictCode = "370203".parse().unwrap();
        let conn = &mut writer.conn();
        let ground = [
            area(WEST.parse().unwrap(), "第一网格", square(120.37, 36.11, 120.381, 36.13)),
            area(EAST.parse().unwrap(), "第二网格", square(120.38, 36.11, 120.388, 36.13)),
        ];
        areas::put(conn, code, 1, &ground).await.unwrap();
        let person = |id, organization: &str| Person {
            id: PersonId(Uuid::from_u128(id)),
            district: code,
            source: "town".into(),
            external_id: id.to_string(),
            organization: Some(organization.parse().unwrap()),
            version: 1,
        };
        let people = [person(8, "370203-WAT01"), person(9, "370213-WAT01"), person(10, "370203-WAT01")];
        people::put(conn, code, 1, &people).await.unwrap();
        let gone = (370_203_005_001_099, DutyKind::Patrol, PersonId(Uuid::from_u128(10)));
        people::put_duties(conn, code, &[gone]).await.unwrap();
        let mut strays = [
            staged(20, ("3702030108000001", 120.389, 36.12, Status::InService, EAST)),
            staged(21, ("3702030108000002", 120.5, 36.12, Status::InService, EAST)),
        ];
        strays[1].cover.owner = Some("370203-XXX99".parse().unwrap());
        strays[1].cover.responsible_unit = strays[1].cover.owner.clone();
        let import = ImportId(Uuid::from_u128(2));
        cover_stage::stage(conn, code, import, &strays).await.unwrap();
        cover_stage::apply(conn, code, import, 1, (20, 21)).await.unwrap();
    })
    .await
}

#[tokio::test]
async fn ground_people_and_units_that_do_not_fit_are_found() {
    let town = broken().await;
    let (idle, lost) = (Uuid::from_u128(8).to_string(), Uuid::from_u128(10).to_string());
    let all = pairs([
        ("cover-outside-grids", "3702030108000001"),
        ("cover-outside-grids", "3702030108000002"),
        ("grids-overlap", WEST),
        ("grids-gap", "370203"),
        ("unit-unreachable", "370203-XXX99"),
        ("grid-without-leader", EAST),
        ("person-without-area", &idle),
        ("person-without-area", &lost),
    ]);
    assert_eq!(town.wrong("").await, all);
    let stranger = town.only("unit-unreachable").await["detail"].to_string();
    assert!(
        stranger.contains("1 covers name it (3702030108000002 first), and the registry does not know it"),
        "{stranger}"
    );
    let overlap = town.only("grids-overlap").await;
    assert_eq!(overlap["subjects"][1]["code"], EAST);
    assert_eq!(overlap["geometry"]["type"], "MultiPolygon");
    let gap = town.only("grids-gap").await;
    assert!(gap["detail"].as_str().unwrap().starts_with("39957"), "{gap}");
    // The east gives what is the west's too, and takes what is nobody's.
    for rule in ["grids-overlap", "grids-gap"] {
        let mend = town.only(rule).await["mend"].clone();
        assert_eq!((&mend["method"], &mend["href"]), (&json!("POST"), &json!("/v1/grids/redraw")), "{mend}");
        if rule == "grids-gap" {
            assert_eq!(mend["body"]["grids"][0]["code"], EAST);
        }
    }
    let plane = town.get("/v1/quality?rule=grids-gap&out_crs=EPSG:4549").key(ADMIN).get().await.body;
    assert!(plane["items"][0]["geometry"]["coordinates"][0][0][0][0].as_f64().unwrap() > 500_000.0);
    // One after the other, they are the same.
    let (mut uri, mut seen) = ("?limit=1".to_owned(), Vec::new());
    loop {
        seen.extend(town.wrong(&uri).await);
        let page = town.get(&format!("/v1/quality{uri}")).key(ADMIN).get().await.body;
        let Some(next) = page["next"].as_str() else { break };
        uri = format!("?limit=1&cursor={next}");
    }
    assert_eq!(seen, all);
    // Who may not read people learns of none of them, nor that there are any.
    let crew = town.get("/v1/quality").key("demo-crew").get().await.body;
    assert_eq!((crew["items"].as_array().unwrap().len(), &crew["counts"]["person-without-area"]), (6, &json!(0)));
}

#[tokio::test]
async fn a_unit_at_which_nobody_can_be_called_is_found_until_somebody_can() {
    const RULE: &str = "?rule=unit-unreachable";
    let town = Town::with_neighbour().await;
    let patch = async |code: &str, phone: Value| {
        let path = format!("/v1/organizations/{code}");
        town.patch(&path, json!({ "phone": phone })).await;
    };
    let found = |codes: &[&str]| -> Vec<(String, String)> {
        codes.iter().map(|code| ("unit-unreachable".to_owned(), (*code).to_owned())).collect()
    };
    // One that nothing names may be as silent as it likes.
    patch("370203-WAT01", Value::Null).await;
    assert_eq!(town.wrong(RULE).await, []);
    patch("370203-DRA01", Value::Null).await;
    assert_eq!(town.wrong(RULE).await, found(&["370203-DRA01"]));
    let finding = town.only("unit-unreachable").await;
    let detail = finding["detail"].as_str().unwrap();
    assert!(detail.starts_with("3 covers name it (") && detail.contains("nobody can be called"), "{detail}");
    assert_eq!((&finding["severity"], &finding["mend"]), (&json!("error"), &Value::Null));
    assert_eq!(finding["geometry"]["type"], "Point");
    let uri = format!("/v1/quality/{}", finding["id"].as_str().unwrap());
    let chinese = town.get(&uri).key(ADMIN).header("accept-language", "zh-CN").get().await.body;
    assert!(chinese["detail"].as_str().unwrap().contains("值班电话"), "{chinese}");
    patch("370203-DRA01", json!("0532-00000101")).await;
    assert_eq!(town.wrong(RULE).await, []);
    let mended = town.get(&uri).key(ADMIN).get().await.body;
    let change = &mended["mended"]["change"];
    assert_eq!(
        (&change["kind"], &change["code"]),
        (&json!("organization.updated"), &json!("370203-DRA01")),
        "{mended}"
    );
    // Somebody of it can be called too, whatever they stand for, and wherever: their changes are in another feed.
    patch("370203-DRA01", Value::Null).await;
    assert_eq!(town.wrong(RULE).await, found(&["370203-DRA01"]));
    let here = json!({"name": "李", "organization": "370203-DRA01"});
    let there =
        json!({"name": "王", "organization": "370203-DRA01", "duties": [{"kind": "patrol", "area": "370213001"}]});
    for person in [here, there] {
        let made = town.post("/v1/people").key(ADMIN).json(person.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(town.wrong(RULE).await, [], "{person}");
        town.delete(made.header("location")).await;
        assert_eq!(town.wrong(RULE).await, found(&["370203-DRA01"]), "{person}");
    }
    patch("370203-DRA01", json!("0532-00000101")).await;
    // A section that supervises grids is named by them, in both districts.
    patch("370203005-K01", Value::Null).await;
    assert_eq!(town.wrong(RULE).await, found(&["370203005-K01", "370203005-K01"]));
    let listed = town.get("/v1/quality?rule=unit-unreachable&district=370203").key(ADMIN).get().await.body;
    let detail = listed["items"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with(&format!("it supervises 2 grids ({WEST} first), and nobody")), "{detail}");
    assert_eq!(listed["items"][0]["geometry"]["type"], "Point");
    let person = json!({"name": "李", "organization": "370203005-K01"});
    assert_eq!(town.post("/v1/people").key(ADMIN).json(person).await.status, 201);
    assert_eq!(town.wrong(RULE).await, []);
}

#[tokio::test]
async fn a_department_that_the_registry_does_not_know_is_found_by_its_grids() {
    let town = Town::open().await;
    town.sql(format!("UPDATE area SET supervising_department = '370203-NONE' WHERE code = {EAST}")).await;
    let town = town.reopened().await;
    let finding = town.only("unit-unreachable").await;
    assert_eq!(finding["subjects"][0]["code"], "370203-NONE");
    let detail = finding["detail"].as_str().unwrap();
    assert!(detail.contains("it supervises 1 grids") && detail.contains("the registry does not know it"), "{detail}");
}

#[tokio::test]
async fn who_stands_for_a_grid_elsewhere_is_not_without_one() {
    let town = Town::seeded(async |writer| {
        seed(writer).await;
        seed_neighbour(writer).await;
        let code: DistrictCode = "370203".parse().unwrap();
        let conn = &mut writer.conn();
        let person = |id: u128| Person {
            id: PersonId(Uuid::from_u128(id)),
            district: code,
            source: "town".into(),
            external_id: id.to_string(),
            organization: Some("370203-WAT01".parse().unwrap()),
            version: 1,
        };
        people::put(conn, code, 1, &[person(8), person(9)]).await.unwrap();
        let elsewhere = (370_213_001_001_001, DutyKind::Patrol, PersonId(Uuid::from_u128(9)));
        people::put_duties(conn, "370213".parse().unwrap(), &[elsewhere]).await.unwrap();
    })
    .await;
    let idle = Uuid::from_u128(8).to_string();
    assert_eq!(town.wrong("?rule=person-without-area").await, pairs([("person-without-area", &idle)]));
}

#[tokio::test]
async fn a_finding_is_accepted_with_a_reason_and_opened_again() {
    let town = Town::open().await;
    let registry = town.get("/v1/resolve?lon=120.375&lat=36.12").get().await.body["registry_version"].clone();
    let id = town.only("grid-without-leader").await["id"].as_str().unwrap().to_owned();
    let accepted = town.say("demo-planner", &id, json!({"state": "accepted", "reason": "a park"})).await;
    assert_eq!((accepted.status.as_u16(), accepted.header("guli-feed")), (200, "370203:2"), "{}", accepted.body);
    assert_eq!((&accepted.body["state"], &accepted.body["ruling"]["reason"]), (&json!("accepted"), &json!("a park")));
    let by = json!({"role": "planner", "unit": null, "key": null, "name": null});
    assert_eq!(accepted.body["ruling"]["by"], by);
    // Which key it was is for administrators.
    let seen = town.get("/v1/quality?state=accepted").key(ADMIN).get().await.body["items"][0].clone();
    assert_eq!(seen["ruling"]["by"]["name"], "demo-planner", "{seen}");
    let only = |state: &'static str| {
        let town = &town;
        async move { town.wrong(&format!("?state={state}")).await.len() }
    };
    assert_eq!((only("open").await, only("accepted").await, only("mended").await), (0, 1, 0));
    let feed = town.get("/v1/changes?district=370203&after=1").key(ADMIN).get().await.body;
    let change = &feed["items"][0];
    assert_eq!((&change["kind"], &change["code"]), (&json!("quality.accepted"), &json!(id)));
    assert_eq!(town.get(change["href"].as_str().unwrap()).key("demo-planner").get().await.body, accepted.body);
    // The registry is what it was.
    let after = town.get("/v1/resolve?lon=120.375&lat=36.12").get().await.body;
    assert_eq!(after["registry_version"], registry);
    let opened = town.say(ADMIN, &id, json!({"state": "open"})).await;
    assert_eq!((&opened.body["state"], opened.header("guli-feed")), (&json!("open"), "370203:3"));
    assert_eq!(opened.body["ruling"]["by"]["role"], "admin");
    // It is open: nothing to log.
    let again = town.say(ADMIN, &id, json!({"state": "open"})).await;
    assert_eq!((again.header("guli-feed"), &again.body["ruling"]), ("370203:3", &opened.body["ruling"]));
    // Edits go on as before.
    let patch = town.ask("PATCH", &format!("/v1/covers/{ALONE}")).key(ADMIN).header("if-match", "*");
    assert_eq!(patch.json(json!({"accuracy": "B"})).await.header("guli-feed"), "370203:4");
    let same = || {
        let ask = town.post(&format!("/v1/quality/{id}")).key(ADMIN).header("idempotency-key", "0123456789abcdef");
        ask.json(json!({"state": "accepted", "reason": "a park"}))
    };
    let (first, again) = (same().await, same().await);
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
}

#[tokio::test]
async fn who_may_read_and_who_may_accept() {
    let town = Town::with_neighbour().await;
    let weak = json!({"spec": {"place": "carriageway", "load_class": "C250"}});
    let patch = town.ask("PATCH", &format!("/v1/covers/{ALONE}")).key(ADMIN).header("if-match", "*").json(weak).await;
    assert_eq!(patch.status, 200, "{}", patch.body);
    let id = town.only("load-class-unfit").await["id"].as_str().unwrap().to_owned();
    let department = |unit: &str| {
        let scope = format!("unit:{unit}").parse().unwrap();
        town.guli.create_key(crate::domain::actor::Role::Department, vec![scope], "a department".to_owned())
    };
    let (own, other) = (department("370203-DRA01").await.unwrap(), department("370203-WAT01").await.unwrap());
    let elsewhere = vec!["district:370213".parse().unwrap()];
    let elsewhere = town.guli.create_key(crate::domain::actor::Role::Planner, elsewhere, String::new()).await.unwrap();
    let body = || json!({"state": "accepted", "reason": "the lane is closed to lorries"});
    for (key, reads, accepts) in [
        ("demo-crew", 200, 403),
        ("demo-dispatcher", 200, 403),
        ("demo-grid", 200, 403),
        (&*other.secret, 200, 403),
        (&*own.secret, 200, 200),
        ("demo-planner", 200, 200),
        (&*elsewhere.secret, 404, 404),
    ] {
        assert_eq!(town.get("/v1/quality?district=370203").key(key).get().await.status, reads, "{key}");
        assert_eq!(town.say(key, &id, body()).await.status, accepts, "{key}");
    }
    assert_eq!(town.get("/v1/quality").get().await.fault().0, 401);
    assert_eq!(town.post(&format!("/v1/quality/{id}")).json(body()).await.fault().0, 401);
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let town = Town::open().await;
    for (query, status, at) in [
        ("?rule=untidy", 422, "rule"),
        ("?severity=fatal", 422, "severity"),
        ("?state=closed", 422, "state"),
        ("?district=37", 422, "district"),
        ("?bbox=1,2", 400, "bbox"),
        ("?limit=0", 422, "limit"),
        ("?cursor=zz", 400, "cursor"),
        ("?out_crs=EPSG:1", 422, "out_crs"),
        ("?colour=red", 422, "colour"),
    ] {
        let got = town.get(&format!("/v1/quality{query}")).key(ADMIN).get().await;
        let (found, _, named) = got.fault();
        assert_eq!((found, &*named), (status, at), "{query}");
    }
    assert_eq!(town.get("/v1/quality?district=370299").key(ADMIN).get().await.fault().0, 404);
    let id = town.only("grid-without-leader").await["id"].as_str().unwrap().to_owned();
    for (body, at) in [
        (json!({"state": "accepted"}), "/reason"),
        (json!({"state": "accepted", "reason": "  "}), "/reason"),
        (json!({"state": "accepted", "reason": "x".repeat(2_001)}), "/reason"),
        (json!({"state": "mended", "reason": "done"}), "/state"),
        (json!({"reason": "done"}), "/state"),
        (json!({"state": "open", "by": "me"}), "/by"),
    ] {
        assert_eq!(town.say(ADMIN, &id, body.clone()).await.fault(), (422, "invalid", at.to_owned()), "{body}");
    }
    assert_eq!(town.say(ADMIN, "0000000000000000", json!({"state": "open"})).await.fault().0, 404);
    assert_eq!(town.get("/v1/quality/nothing").key(ADMIN).get().await.fault().0, 404);
}

#[tokio::test]
async fn nobody_is_said_to_have_mended_what_they_did_not() {
    let town = broken().await;
    let all = pairs([("cover-outside-grids", "3702030108000001"), ("grids-gap", "370203"), ("grids-overlap", WEST)]);
    let found = town.wrong("?rule=grids-overlap,grids-gap,cover-outside-grids").await;
    assert!(all.iter().all(|pair| found.contains(pair)), "{found:?}");
    // Redrawn by a planner, then others change other things, and the grids' names, and only then somebody looks.
    let redraw = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.38, 36.13)},
        {"code": EAST, "name": "东", "geometry": rect(120.38, 36.11, 120.39, 36.13)},
    ]});
    let redrawn = town.post("/v1/grids/redraw").key("demo-planner").json(redraw).await;
    assert_eq!(redrawn.status, 200, "{}", redrawn.body);
    for (path, body) in [
        (format!("/v1/covers/{ALONE}"), json!({"accuracy": "B"})),
        ("/v1/covers/3702030108000001".to_owned(), json!({"accuracy": "B"})),
        (format!("/v1/grids/{WEST}"), json!({"name": "西一"})),
        (format!("/v1/grids/{EAST}"), json!({"name": "东一"})),
    ] {
        let patch = town.ask("PATCH", &path).key(ADMIN).header("if-match", "*").json(body).await;
        assert_eq!(patch.status, 200, "{path} {}", patch.body);
    }
    for (rule, code) in [("grids-gap", EAST), ("grids-overlap", EAST), ("cover-outside-grids", EAST)] {
        let listed = town.get(&format!("/v1/quality?state=mended&rule={rule}")).key(ADMIN).get().await.body;
        let mended = &listed["items"][0]["mended"];
        assert_eq!(
            (&mended["change"]["kind"], &mended["change"]["code"], &mended["by"]["role"], &mended["change"]["version"]),
            (&json!("grid.updated"), &json!(code), &json!("planner"), &json!(2)),
            "{rule} {mended}"
        );
        assert_eq!(mended["at"], mended["change"]["at"]);
    }
}

#[tokio::test]
async fn who_redraws_grids_has_not_mended_the_covers_in_them() {
    let town = Town::open().await;
    let lone = town.create(json!({"category": "0110", "position": {"lon": 120.377, "lat": 36.1205}})).await;
    town.only("owner-missing").await;
    let own = json!({"owner": "370203-WAT01"});
    let patch = town.ask("PATCH", &format!("/v1/covers/{lone}")).key(ADMIN).header("if-match", "*").json(own).await;
    assert_eq!(patch.status, 200, "{}", patch.body);
    let redraw = json!({"grids": [
        {"code": WEST, "name": "西", "geometry": rect(120.37, 36.11, 120.374, 36.13)},
        {"code": EAST, "name": "东", "geometry": rect(120.374, 36.11, 120.39, 36.13)},
    ]});
    let redrawn = town.post("/v1/grids/redraw").key("demo-planner").json(redraw).await;
    assert_eq!(redrawn.status, 200, "{}", redrawn.body);
    let mended = town.get("/v1/quality?state=mended&rule=owner-missing").key(ADMIN).get().await.body;
    let mended = &mended["items"][0]["mended"];
    assert_eq!(
        (&mended["change"]["kind"], &mended["by"]["role"]),
        (&json!("cover.updated"), &json!("admin")),
        "{mended}"
    );
    // The grids' change stands on it.
    assert_eq!(mended["undo"], Value::Null);
}

#[tokio::test]
async fn grids_that_overlap_or_leave_a_gap_are_mended_by_one_call_each() {
    let town = broken().await;
    for rule in ["grids-overlap", "grids-gap"] {
        let mend = town.only(rule).await["mend"].clone();
        let done = town.post(mend["href"].as_str().unwrap()).key("demo-planner").json(mend["body"].clone()).await;
        assert_eq!(done.status, 200, "{rule} {}", done.body);
        assert!(town.wrong(&format!("?rule={rule}")).await.is_empty());
        let mended = town.get(&format!("/v1/quality?state=mended&rule={rule}")).key(ADMIN).get().await.body;
        let was = &mended["items"][0]["mended"];
        assert_eq!(
            (&was["change"]["kind"], &was["by"]["role"]),
            (&json!("grid.updated"), &json!("planner")),
            "{mended}"
        );
        assert_eq!(mended["items"][0]["geometry"]["type"], "MultiPolygon");
    }
    let east = town.get(&format!("/v1/grids/{EAST}")).key(ADMIN).get().await.body;
    assert_eq!(east["supervising_department"]["code"], "370203005-K01");
    assert!(town.wrong("?rule=grids-overlap,grids-gap").await.is_empty());
}
