//! What a migration fills in of a database that has no notion of it yet: the same as is written today.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::support::postgres::PostgresServer;
use crate::support::{Home, repository};

/// All that a delivery leaves behind since the eighth migration; of people, who were not remembered before, nothing.
const DELIVERIES: &str = "SELECT 'cover ' || source || '/' || external_id || ' ' || CAST(stands AS TEXT) FROM cover_source \
    UNION ALL SELECT kind || ' ' || record || ' ' || CAST(stands AS TEXT) FROM delivered WHERE kind <> 'person' \
    UNION ALL SELECT 'import ' || profile || ' ' || kind || ' ' || actor || ' ' || state || ' ' || counts FROM import";

/// As it was before.
const FORGET: &str = "DELETE FROM delivered; UPDATE cover_source SET stands = NULL; \
    DELETE FROM import WHERE state = 'rejected' OR counts LIKE '%\"created\":0,\"updated\":0%'; \
    UPDATE import SET kind = '', actor = '', ended_at = NULL;";

/// What the eighth migration does besides making room.
fn fills(database: &str) -> String {
    let file = repository().join(format!("migrations/{database}/0008_deliveries.sql"));
    let text = std::fs::read_to_string(file).unwrap();
    let statements: Vec<String> = text
        .split(";\n")
        .map(|statement| statement.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n"))
        .filter(|statement| ["UPDATE", "INSERT"].iter().any(|word| statement.trim_start().starts_with(word)))
        .collect();
    assert_eq!(statements.len(), 5, "{statements:#?}");
    statements.join(";\n") + ";"
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort_unstable();
    rows
}

/// A district with a file that was refused, one that changed nothing and one that changed what another had brought.
fn delivered(home: &Home, database: &[&str]) {
    home.write("water.csv", "external_id,category,owner,lon,lat\n新-1,0101,370203-WAT01,120.34,36.09\n");
    home.write("water-2.csv", "external_id,category,owner,lon,lat\n新-1,0101,370203-FIR01,120.34,36.09\n");
    home.write("bad.csv", "external_id,category,owner,lon,lat\n新-2,0101,370203-NONE,120.34,36.09\n");
    for file in ["water.csv", "water-2.csv", "bad.csv"] {
        let import = ["import", file, "--kind", "covers", "--source", "370203-WAT01"];
        let done = home.guli(&[&import[..], database].concat());
        assert_eq!(done.succeeded(), file != "bad.csv", "{}", done.err());
    }
}

#[tokio::test]
async fn an_older_file_is_brought_to_where_it_would_be() {
    let home = Home::with_district();
    delivered(&home, &[]);
    let mut conn = SqliteConnectOptions::new().filename(home.database()).connect().await.unwrap();
    let before = sorted(sqlx::query_scalar(DELIVERIES).fetch_all(&mut conn).await.unwrap());
    assert!(before.len() > 17_000, "{}", before.len());
    sqlx::raw_sql(FORGET).execute(&mut conn).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(fills("sqlite"))).execute(&mut conn).await.unwrap();
    let after = sorted(sqlx::query_scalar(DELIVERIES).fetch_all(&mut conn).await.unwrap());
    assert!(before == after, "{:#?}", before.iter().zip(&after).find(|(before, after)| before != after));
    conn.close().await.unwrap();
}

#[tokio::test]
async fn an_older_server_is_brought_to_where_it_would_be() {
    let Some(postgres) = PostgresServer::with_district() else { return };
    let home = Home::with_district();
    let address = postgres.address();
    delivered(&home, &["--database", &address, "--key-file", "guli.key"]);
    let mut conn: PgConnection = postgres.look().await;
    let before = sorted(sqlx::query_scalar(DELIVERIES).fetch_all(&mut conn).await.unwrap());
    assert!(before.len() > 17_000, "{}", before.len());
    sqlx::raw_sql(FORGET).execute(&mut conn).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(fills("postgres"))).execute(&mut conn).await.unwrap();
    let after = sorted(sqlx::query_scalar(DELIVERIES).fetch_all(&mut conn).await.unwrap());
    assert!(before == after, "{:#?}", before.iter().zip(&after).find(|(before, after)| before != after));
    conn.close().await.unwrap();
}
