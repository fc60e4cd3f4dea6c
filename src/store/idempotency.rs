//! Replies kept for callers who ask again under the same `Idempotency-Key`.

use jiff::Timestamp;
use sqlx::{PgConnection, QueryBuilder, Sqlite, SqliteConnection};

use super::insert::{Insert, Rows};
use super::{Conn, Result, each};
use crate::domain::id::DistrictCode;

/// Which request this is: the client, the route and the hash of its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    /// A key holder's id, or one constant for all anonymous callers.
    pub client: String,
    pub route: String,
    pub key_hash: [u8; 32],
}

impl Slot {
    /// What the reply is sealed for.
    pub fn place(&self) -> String {
        format!("{}/{}", self.client, self.route)
    }
}

/// A reply as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    pub slot: Slot,
    pub body_hash: [u8; 32],
    pub sealed_reply: Vec<u8>,
    pub expires: Timestamp,
}

/// client, route, key hash, body hash, sealed reply, expires
type Row = (String, String, Vec<u8>, Vec<u8>, Vec<u8>, i64);

/// Slots of one statement: a chain of OR is as deep as it is long, and `SQLite` goes 1,000 deep.
const SLOTS_PER_STATEMENT: usize = 250;

const COLUMNS: &str = "client, route, key_hash, body_hash, sealed_reply, expires";

/// The kept reply's body hash and sealed reply, for each slot that has one.
pub async fn find(conn: &mut Conn<'_>, district: DistrictCode, slots: &[&Slot]) -> Result<Vec<Kept>> {
    if slots.is_empty() {
        return Ok(Vec::new());
    }
    let rows = match conn {
        Conn::Sqlite(c) => find_in_file(c, district, slots).await?,
        Conn::Postgres(c) => find_on_server(c, district, slots).await?,
    };
    rows.into_iter().map(read).collect()
}

async fn find_in_file(conn: &mut SqliteConnection, district: DistrictCode, slots: &[&Slot]) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    for chunk in slots.chunks(SLOTS_PER_STATEMENT) {
        let mut sql = QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM idempotency WHERE "));
        // Not `(client, route, key_hash) IN (VALUES …)`: SQLite reads every key of the client for that.
        for (n, slot) in chunk.iter().enumerate() {
            sql.push(if n == 0 { "(district = " } else { " OR (district = " }).push_bind(district.as_i64());
            sql.push(" AND client = ").push_bind(slot.client.as_str());
            sql.push(" AND route = ").push_bind(slot.route.as_str());
            sql.push(" AND key_hash = ").push_bind(slot.key_hash.as_slice()).push(")");
        }
        found.extend(sql.build_query_as::<Row>().fetch_all(&mut *conn).await?);
    }
    Ok(found)
}

/// One statement for any number of slots, each looked up by the primary key: `LIMIT` keeps it from being a join that
/// reads every reply.
async fn find_on_server(conn: &mut PgConnection, district: DistrictCode, slots: &[&Slot]) -> Result<Vec<Row>> {
    const SQL: &str = "SELECT kept.* FROM unnest($2::text[], $3::text[], $4::bytea[]) AS asked (client, route, key_hash) \
        CROSS JOIN LATERAL (SELECT client, route, key_hash, body_hash, sealed_reply, expires FROM idempotency \
        WHERE district = $1 AND client = asked.client AND route = asked.route AND key_hash = asked.key_hash LIMIT 1) AS kept";
    Ok(sqlx::query_as(SQL)
        .bind(district.as_i64())
        .bind(slots.iter().map(|slot| slot.client.as_str()).collect::<Vec<_>>())
        .bind(slots.iter().map(|slot| slot.route.as_str()).collect::<Vec<_>>())
        .bind(slots.iter().map(|slot| slot.key_hash.as_slice()).collect::<Vec<_>>())
        .fetch_all(conn)
        .await?)
}

fn read((client, route, key_hash, body_hash, sealed_reply, expires): Row) -> Result<Kept> {
    Ok(Kept {
        slot: Slot { client, route, key_hash: hash(&key_hash)? },
        body_hash: hash(&body_hash)?,
        sealed_reply,
        expires: Timestamp::from_microsecond(expires).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

fn hash(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| super::corrupt("a hash", bytes.len()))
}

/// Keeps the replies of a group; an expired one gives way.
pub fn rows(district: DistrictCode, replies: &[Kept]) -> Rows<'_> {
    Insert::into("idempotency", district.as_i64(), replies)
        .text("client", |kept| &kept.slot.client)
        .text("route", |kept| &kept.slot.route)
        .bytes("key_hash", |kept| &kept.slot.key_hash)
        .bytes("body_hash", |kept| &kept.body_hash)
        .bytes("sealed_reply", |kept| &kept.sealed_reply)
        .integer("expires", |kept| kept.expires.as_microsecond())
        .on_conflict(
            "(district, client, route, key_hash) DO UPDATE SET body_hash = excluded.body_hash, \
             sealed_reply = excluded.sealed_reply, expires = excluded.expires",
        )
        .rows()
}

/// Forgets replies past their end; returns how many.
pub async fn purge(conn: &mut Conn<'_>, district: DistrictCode, now: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM idempotency WHERE district = $1 AND expires < $2";
    Ok(each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(now.as_microsecond()).execute(c).await?.rows_affected()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{DatabaseUrl, Store};

    #[tokio::test]
    async fn more_replies_than_a_statement_asks_for_are_found_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::sqlite(&dir.path().join("guli.db")), None).await.unwrap();
        let mut conn = store.write().await.unwrap();
        let district = DistrictCode::from_number(370_203).unwrap();
        let kept: Vec<Kept> = (0..=u8::MAX)
            .flat_map(|n| ["a", "b"].map(|client| (n, client)))
            .map(|(n, client)| {
                let slot = Slot { client: client.to_owned(), route: "/v1/reports".to_owned(), key_hash: [n; 32] };
                Kept { slot, body_hash: [n; 32], sealed_reply: vec![n], expires: Timestamp::UNIX_EPOCH }
            })
            .collect();
        rows(district, &kept).write(&mut conn.conn()).await.unwrap();
        let other = Slot { client: "c".to_owned(), ..kept[0].slot.clone() };
        let all: Vec<&Slot> = kept.iter().map(|kept| &kept.slot).chain([&other]).collect();
        let found = find(&mut conn.conn(), district, &all).await.unwrap();
        assert_eq!(found.len(), kept.len());
        assert!(found.iter().all(|found| kept.iter().any(|kept| kept.slot == found.slot)));
        assert!(find(&mut conn.conn(), district, &[&other]).await.unwrap().is_empty());
    }
}
