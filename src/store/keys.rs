//! API keys: only their SHA-256 is kept.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Conn, Result, corrupt, each};
use crate::domain::actor::{Actor, Role, Scope};
use crate::domain::id::KeyId;

/// A key as stored.
#[derive(Debug, Clone)]
pub struct StoredKey {
    pub id: KeyId,
    pub hash: [u8; 32],
    pub actor: Actor,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// id, hash, role, name, scopes, created, revoked
type Row = (Vec<u8>, Vec<u8>, String, String, String, i64, Option<i64>);

pub async fn all(conn: &mut Conn<'_>) -> Result<Vec<StoredKey>> {
    const SQL: &str =
        "SELECT id, hash, role, name, scopes, created_at, revoked_at FROM api_key ORDER BY created_at, id";
    let rows: Vec<Row> = each!(conn, c => sqlx::query_as(SQL).fetch_all(c).await?);
    rows.into_iter()
        .map(|(id, hash, role, name, scopes, created_at, revoked_at)| {
            let id = Uuid::from_slice(&id).map(KeyId).map_err(|e| corrupt("a key's id", e))?;
            let scopes = scopes
                .split_whitespace()
                .map(|scope| scope.parse::<Scope>().map_err(|e| corrupt("a scope", e)))
                .collect::<Result<Vec<_>>>()?;
            let instant = |at: i64| Timestamp::from_microsecond(at).map_err(|e| corrupt("an instant", e));
            Ok(StoredKey {
                id,
                hash: hash.try_into().map_err(|_| corrupt("a key's hash", id))?,
                actor: Actor {
                    key: Some(id),
                    role: Role::parse(&role).ok_or_else(|| corrupt("a role", &role))?,
                    name,
                    scopes,
                },
                created_at: instant(created_at)?,
                revoked_at: revoked_at.map(instant).transpose()?,
            })
        })
        .collect()
}

pub async fn insert(conn: &mut Conn<'_>, key: &StoredKey) -> Result<()> {
    const SQL: &str = "INSERT INTO api_key (id, hash, role, name, scopes, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
                       ON CONFLICT DO NOTHING";
    let scopes = key.actor.scopes.iter().map(Scope::to_string).collect::<Vec<_>>().join(" ");
    each!(conn, c => sqlx::query(SQL)
        .bind(key.id.0.as_bytes().as_slice())
        .bind(key.hash.as_slice())
        .bind(key.actor.role.as_str())
        .bind(key.actor.name.as_str())
        .bind(scopes)
        .bind(key.created_at.as_microsecond())
        .execute(c)
        .await
        .map(drop)?);
    Ok(())
}

/// Revokes a key; `false` when there is none such, or it was revoked before.
pub async fn revoke(conn: &mut Conn<'_>, id: KeyId, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE api_key SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    Ok(each!(conn, c => sqlx::query(SQL)
        .bind(id.0.as_bytes().as_slice()).bind(now.as_microsecond()).execute(c).await?.rows_affected())
        == 1)
}
