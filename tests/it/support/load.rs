//! Many clients that report at once and keep their own account of what they were told.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Home;
use super::client::{Client, Reply, fresh_key};

/// A number below `end` that is another one each time.
pub(crate) fn random(end: usize) -> usize {
    usize::try_from(RandomState::new().hash_one(0) % end as u64).unwrap()
}

/// One report of one client: sent, and perhaps acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) body: Value,
    /// The bytes of the 201.
    pub(crate) acknowledged: Option<String>,
}

impl Entry {
    async fn send(&self, client: &Client) -> reqwest::Result<Reply> {
        client.try_post("/v1/reports", &[("Idempotency-Key", &self.key)], &self.body).await
    }
}

/// What is reported: pins near covers, plates of covers, and pins where nothing is known.
pub(crate) struct Places(Vec<(String, f64, f64)>);

impl Places {
    pub(crate) async fn of(home: &Home) -> Self {
        const SQL: &str = "SELECT code || ' ' || lon || ' ' || lat FROM cover WHERE status = 'in_service' \
                           AND code / 1000000 % 10000 IN (101, 102, 103, 107)";
        let read = |text: &String| {
            let mut words = text.split(' ');
            let mut next = || words.next().unwrap();
            (next().to_owned(), next().parse().unwrap(), next().parse().unwrap())
        };
        Self(home.look().await.texts(SQL).await.iter().map(read).collect())
    }

    fn report(&self) -> Value {
        // A few covers are reported again and again, so that reports join.
        let among = if random(4) == 0 { 20 } else { self.0.len() };
        let (code, lon, lat) = &self.0[random(among)];
        let damage = ["missing", "broken", "noisy", "sunken", "overflow"][random(5)];
        let reporter = json!({"name": "示范居民", "phone": "19900000000"});
        let position = json!({"lon": lon, "lat": lat, "accuracy_m": 1 + random(30)});
        match random(3) {
            0 => json!({"cover": code, "damage": damage}),
            1 => json!({"position": position, "damage": damage, "reporter": reporter}),
            _ => json!({"position": position, "damage": damage, "description": "积水，看不清井盖"}),
        }
    }
}

/// Clients at work.
pub(crate) struct Load {
    tasks: JoinSet<Vec<Entry>>,
    acknowledged: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Each client reports one thing after the other, until its server is gone or it is told to stop.
    pub(crate) fn start(clients: usize, client: &Client, places: &Arc<Places>) -> Self {
        let mut load =
            Self { tasks: JoinSet::new(), acknowledged: Arc::default(), refused: Arc::default(), stop: Arc::default() };
        for _ in 0..clients {
            let (client, places) = (client.clone(), Arc::clone(places));
            let (acknowledged, refused, stop) =
                (Arc::clone(&load.acknowledged), Arc::clone(&load.refused), Arc::clone(&load.stop));
            load.tasks.spawn(async move {
                let mut journal = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let mut entry = Entry { key: fresh_key(), body: places.report(), acknowledged: None };
                    let sent = entry.send(&client).await;
                    let gone = sent.is_err();
                    if let Ok(reply) = sent {
                        match reply.status.as_u16() {
                            201 => {
                                entry.acknowledged = Some(reply.text);
                                acknowledged.fetch_add(1, Ordering::Relaxed);
                            }
                            503 => {
                                assert!(reply.header("retry-after").is_some(), "{}", reply.text);
                                refused.fetch_add(1, Ordering::Relaxed);
                                // Less patience than is asked for, and more than none.
                                tokio::time::sleep(Duration::from_millis(50)).await;
                            }
                            _ => panic!("{} {}: {}", reply.status, entry.body, reply.text),
                        }
                    }
                    journal.push(entry);
                    if gone {
                        break;
                    }
                }
                journal
            });
        }
        load
    }

    /// Waits until so many reports were acknowledged, and so many refused.
    pub(crate) async fn reaches(&self, acknowledged: usize, refused: usize) {
        while self.acknowledged.load(Ordering::Relaxed) < acknowledged || self.refused.load(Ordering::Relaxed) < refused
        {
            // Each client holds one.
            assert!(Arc::strong_count(&self.stop) > 1, "every client has given up");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What all clients wrote down.
    pub(crate) async fn end(mut self) -> Vec<Entry> {
        self.stop.store(true, Ordering::Relaxed);
        let mut journal = Vec::new();
        while let Some(entries) = self.tasks.join_next().await {
            journal.extend(entries.unwrap());
        }
        journal
    }
}

/// How many of the checks below are in flight.
const AT_ONCE: usize = 16;

/// What was acknowledged is there: the same answer under the same key, and the report by its token.
pub(crate) async fn acknowledged_is_kept(client: &Client, journal: &[Entry]) {
    let check = async |entry: &Entry| {
        let Some(answer) = &entry.acknowledged else { return };
        let again = entry.send(client).await.unwrap();
        assert_eq!((again.status.as_u16(), &again.text), (201, answer), "{}", entry.key);
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{}", entry.key);
        let report = &again.json()["report"];
        let token = report["tracking_token"].as_str().unwrap();
        let tracked = client.get(&format!("/v1/reports/{token}")).await.expect(200);
        assert_eq!(tracked["report"]["code"], report["code"]);
        assert_eq!(tracked["work_order"]["code"], again.json()["work_order"]["code"]);
    };
    stream::iter(journal).map(check).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// What was not acknowledged is sent again under its key, and now it is.
pub(crate) async fn send_the_rest(client: &Client, journal: &mut [Entry]) {
    let send = async |entry: &mut Entry| {
        if entry.acknowledged.is_none() {
            let reply = entry.send(client).await.unwrap();
            assert_eq!(reply.status.as_u16(), 201, "{}", reply.text);
            entry.acknowledged = Some(reply.text);
        }
    };
    stream::iter(journal).map(send).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}
