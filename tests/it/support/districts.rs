//! A small world of two districts on one `PostgreSQL`.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;

use super::Home;
use super::client::Client;
use super::postgres::PostgresServer;
use super::server::Server;

/// Of the demo's worlds: the first district, and the one beside it.
pub(crate) const FIRST: &str = "370203";
pub(crate) const SECOND: &str = "380101";

/// A folder for servers of two small districts, the database that these were brought into, and a key to it.
pub(crate) struct World {
    pub(crate) home: Home,
    pub(crate) postgres: PostgresServer,
    pub(crate) key: String,
}

/// What a world is made of.
struct Made {
    database: Vec<u8>,
    /// The file that personal data is sealed with.
    seal: Vec<u8>,
    key: String,
}

/// Made once, since importing it takes long.
static WORLD: LazyLock<Option<Made>> = LazyLock::new(|| {
    let postgres = PostgresServer::start()?;
    let home = Home::empty();
    generate(&home);
    let address = postgres.address();
    let place = ["--database", &*address, "--key-file", "guli.key"];
    home.guli(&[&["migrate"][..], &place].concat()).ok();
    let key = create_key(&home, &address, "admin");
    // By two processes at once, which must not get in each other's way.
    let import = || home.guli(&[&["import", "world", "--json"][..], &place].concat());
    let reports = std::thread::scope(|scope| {
        let other = scope.spawn(import);
        [import().ok().json(), other.join().unwrap().ok().json()]
    });
    let created = |reports: &Value| {
        let covers = reports.as_array().unwrap().iter().filter(|report| report["kind"] == "covers");
        covers.map(|report| report["counts"]["created"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(created(&reports[0]) + created(&reports[1]), 400, "each cover came once");
    let seal = std::fs::read(home.path().join("guli.key")).unwrap();
    Some(Made { database: postgres.pack(), seal, key })
});

fn create_key(home: &Home, database: &str, role: &str) -> String {
    let create = ["key", "create", "--role", role, "--scope", "everywhere", "--json"];
    let place = ["--database", database, "--key-file", "guli.key"];
    home.guli(&[&create[..], &place].concat()).ok().json()["key"].as_str().unwrap().to_owned()
}

/// Writes the files of the two districts into the folder `world`.
pub(crate) fn generate(home: &Home) {
    home.guli(&["demo", "generate", "--districts", "2", "--covers", "400", "--out", "world"]).ok();
}

impl World {
    pub(crate) fn new() -> Option<Self> {
        let Made { database, seal, key } = WORLD.as_ref()?;
        let home = Home::empty();
        home.write_key(seal);
        let postgres = PostgresServer::unpack(database)?;
        postgres.pg_ctl_start();
        Some(Self { home, postgres, key: key.clone() })
    }

    /// A key to both districts, which a server knows that is started afterwards.
    pub(crate) fn key_of(&self, role: &str) -> String {
        create_key(&self.home, &self.postgres.address(), role)
    }

    pub(crate) fn serve(&self, more: &[&str]) -> Server<'_> {
        self.serve_on("127.0.0.1:0", more)
    }

    /// The same at an address that others may have been told of before.
    pub(crate) fn serve_on(&self, listen: &str, more: &[&str]) -> Server<'_> {
        let address = self.postgres.address();
        let place = ["serve", "--listen", listen, "--key-file", "guli.key", "--database", &address];
        self.home.start(self.home.command(&[&place[..], more].concat()))
    }

    pub(crate) fn admin(&self, server: &Server<'_>) -> Client {
        server.with(&self.key)
    }

    pub(crate) async fn sql(&self, sql: &'static str) {
        let mut conn: PgConnection = self.postgres.look().await;
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    }
}

pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..300 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}");
}

pub(crate) async fn first_cover(client: &Client, district: &str) -> Value {
    client.get(&format!("/v1/covers?district={district}&limit=1")).await.expect(200)["items"][0].clone()
}
