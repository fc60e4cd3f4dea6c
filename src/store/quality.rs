//! What was said of findings of the quality check.

use jiff::Timestamp;

use super::{Conn, Result, corrupt, each};
use crate::domain::id::DistrictCode;
use crate::domain::quality::State;

/// What somebody said of a finding last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The finding's identity, 16 hexadecimal digits.
    pub id: String,
    pub state: State,
    pub reason: Option<String>,
    /// As the event log names them: never by a person's name.
    pub actor: String,
    pub at: Timestamp,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: String,
    state: String,
    reason: Option<String>,
    actor: String,
    at: i64,
}

impl Row {
    fn read(self) -> Result<Ruling> {
        Ok(Ruling {
            state: State::parse(&self.state).ok_or_else(|| corrupt("a finding's state", &self.state))?,
            at: Timestamp::from_microsecond(self.at).map_err(|e| corrupt("an instant", e))?,
            id: self.id,
            reason: self.reason,
            actor: self.actor,
        })
    }
}

/// All of a district.
pub async fn rulings(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<Ruling>> {
    const SQL: &str = "SELECT id, state, reason, actor, at FROM quality_state WHERE district = $1 ORDER BY id";
    let rows: Vec<Row> = each!(conn, c => sqlx::query_as(SQL).bind(district.as_i64()).fetch_all(c).await?);
    rows.into_iter().map(Row::read).collect()
}

/// Writes what is said of a finding now.
pub async fn put(conn: &mut Conn<'_>, district: DistrictCode, ruling: &Ruling) -> Result<()> {
    const SQL: &str = "INSERT INTO quality_state (district, id, state, reason, actor, at) \
                       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (district, id) DO UPDATE SET \
                       state = excluded.state, reason = excluded.reason, actor = excluded.actor, at = excluded.at";
    each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64())
        .bind(ruling.id.as_str())
        .bind(ruling.state.as_str())
        .bind(ruling.reason.as_deref())
        .bind(ruling.actor.as_str())
        .bind(ruling.at.as_microsecond())
        .execute(c)
        .await
        .map(drop)?);
    Ok(())
}
