//! Every refusal is said in Chinese too, and means the same.

use axum::http::request::Parts;

use super::*;

const MAX: usize = 2 << 20;

fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

/// The same without what it quotes.
fn unquoted(text: &str) -> String {
    text.split('"').step_by(2).collect()
}

/// What a problem says, taken out of it: title, detail, and the detail of each fault and finding.
fn words(problem: &mut Value) -> Vec<String> {
    let details = |list: &'static str| {
        let length = problem[list].as_array().map_or(0, Vec::len);
        (0..length).map(move |index| format!("/{list}/{index}/detail"))
    };
    let places = ["/title".to_owned(), "/detail".to_owned()];
    let places: Vec<_> = places.into_iter().chain(details("errors")).chain(details("findings")).collect();
    let said = |place: String| match problem.pointer_mut(&place).map(Value::take) {
        Some(Value::String(text)) => text,
        other => panic!("{place} says {other:?} in {problem}"),
    };
    places.into_iter().map(said).collect()
}

/// Asks what was refused again in Chinese: all but the words is the same, and every one of them is Chinese.
pub(super) async fn is_refused_in_chinese_too(town: &Town, mut asked: Parts, body: axum::body::Bytes, got: &Got) {
    asked.headers.insert("accept-language", "zh-CN".parse().unwrap());
    let about = format!("{} {}", asked.method, asked.uri);
    let answer = town.router.clone().oneshot(Request::from_parts(asked, Body::from(body))).await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let bytes = axum::body::to_bytes(answer.into_body(), MAX).await.unwrap();
    // An answer that is kept for its key stays in the language it was given in.
    if headers.contains_key("idempotent-replayed") {
        return;
    }
    let mut english = got.body.clone();
    let mut chinese: Value = serde_json::from_slice(&bytes).unwrap();
    for said in words(&mut english) {
        assert!(!is_chinese(&unquoted(&said)), "{about}: {said}");
    }
    for said in words(&mut chinese) {
        assert!(is_chinese(&unquoted(&said)), "{about}: {said}");
    }
    // Each try of an import is another.
    for name in ["id", "rows_href"] {
        assert_eq!(english.get_mut(name).map(Value::take).is_some(), chinese.get_mut(name).map(Value::take).is_some());
    }
    assert_eq!(got.header("vary"), "accept-language", "{about}");
    let mut expected = got.headers.clone();
    for name in ["x-request-id", "content-length", "server-timing"] {
        headers.remove(name);
        expected.remove(name);
    }
    assert_eq!((status, headers, chinese), (got.status, expected, english), "{about}");
}

#[tokio::test]
async fn a_refusal_is_said_in_the_language_that_is_asked_for() {
    let town = Town::open().await;
    for (accept, said) in [
        ("zh-CN", "limit 必须在 1 到 1000 之间，收到 \"0\""),
        ("zh", "limit 必须在 1 到 1000 之间，收到 \"0\""),
        ("fr, zh-TW;q=0.8, en;q=0.5", "limit 必须在 1 到 1000 之间，收到 \"0\""),
        ("zh;q=0.1, en", "limit must lie between 1 and 1000, got \"0\""),
        ("fr", "limit must lie between 1 and 1000, got \"0\""),
    ] {
        let got = town.get("/v1/grids?limit=0").header("accept-language", accept).get().await.body;
        assert_eq!((&got["detail"], &got["errors"][0]["detail"]), (&json!(said), &json!(said)), "{accept}");
    }
    for (body, at, said) in [
        ("{", "", "JSON 没有写完（第 1 行第 1 列）"),
        (r#"{"damage": 7}"#, "/damage", "应为字符串，收到整数 `7`"),
        ("{}", "/damage", "缺少成员 damage"),
        (r#"{"damage": "missing", "damage": "loose"}"#, "/damage", "成员 damage 出现了不止一次"),
        (
            r#"{"damage": "missing", "reporter": {"age": 7}}"#,
            "/reporter/age",
            "未知的成员 age，此处可用的有：name, phone, language",
        ),
        (
            r#"{"damage": "missing", "cover": "1"}"#,
            "/cover",
            "井盖编码应为 16 位（GB/T 30428.2）或 17 位（GB/T 47678.5）数字，收到 1 位",
        ),
        (r#"{"damage": "missing", "position": {"lon": 0, "lat": 0}}"#, "/position", "位置不在本系统服务的任何行政区内"),
    ] {
        let asked = town.post("/v1/reports").header("accept-language", "zh-CN");
        let got = asked.header("content-type", "application/json").send(body).await;
        assert_eq!((got.fault().2.as_str(), &got.body["errors"][0]["detail"]), (at, &json!(said)), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_in_a_file_is_said_in_the_language_of_whoever_reads_it() {
    const FILE: &str = "external_id,category,owner,lon,lat\n1,0101,,120.372,36.115\n2,0101,370203-WAT01,99,36.115\n";
    let town = Town::open().await;
    let file = [("file", Some("covers.csv"), FILE)];
    let stored = town.import("demo-admin", "?source=370203-WAT01&keep_going=true", &file).await;
    assert_eq!(stored.status, 201, "{}", stored.body);
    let (at, rows) = (stored.header("location"), stored.body["rows_href"].as_str().unwrap());
    let said = [
        ["no owner, and its category is not 0114 无主井盖", "lon 99, lat 36.115 lies outside district 370203"],
        ["没有权属单位，小类又不是 0114 无主井盖", "lon 99、lat 36.115 在行政区 370203 之外"],
    ];
    let details = |report: &Value| -> Vec<String> {
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| found["detail"].as_str().unwrap().to_owned())
            .collect()
    };
    for (language, said) in ["en", "zh-CN"].into_iter().zip(said) {
        let ask = async |uri: &str| town.get(uri).key("demo-admin").header("accept-language", language).get().await;
        assert_eq!(details(&ask(at).await.body), said);
        let rows = String::from_utf8(ask(rows).await.bytes.to_vec()).unwrap();
        assert!(said.iter().all(|said| rows.contains(said)) && !rows.contains("detail_zh"), "{rows}");
    }
    assert_eq!(stored.body, town.get(at).key("demo-admin").get().await.body);
    let town = town.reopened().await;
    let report = town.get(at).key("demo-admin").header("accept-language", "zh-CN").get().await.body;
    assert_eq!(details(&report), said[1], "what is kept in the database knows both");
}
