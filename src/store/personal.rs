//! Personal data (个人信息): sealed, with a purpose and an end, and in no other table.

use jiff::Timestamp;

use super::insert::{Insert, Rows};
use super::{Conn, Result, each};
use crate::domain::id::DistrictCode;

/// Why personal data is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To ask back and tell the outcome to who reported; 180 days after closing.
    Reporter,
    /// To know who stands for a grid; as long as the duty lasts.
    Duty,
    /// Where a crew said that it arrived; 24 hours.
    Whereabouts,
}

impl Purpose {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reporter => "reporter",
            Self::Duty => "duty",
            Self::Whereabouts => "whereabouts",
        }
    }
}

/// One sealed record; `subject` is a report's code or `person:<id>`.
#[derive(Debug, Clone)]
pub struct PersonalData {
    pub subject: String,
    pub purpose: Purpose,
    pub retain_until: Option<Timestamp>,
    pub sealed: Vec<u8>,
}

/// What a record is sealed for.
pub fn place(district: DistrictCode, subject: &str, purpose: Purpose) -> String {
    format!("{district}/{subject}/{}", purpose.as_str())
}

pub fn rows(district: DistrictCode, records: &[PersonalData]) -> Rows<'_> {
    Insert::into("personal_data", district.as_i64(), records)
        .text("subject", |record| &record.subject)
        .text("purpose", |record| record.purpose.as_str())
        .maybe_integer("retain_until", |record| record.retain_until.map(Timestamp::as_microsecond))
        .bytes("sealed", |record| &record.sealed)
        .on_conflict(
            "(district, subject, purpose) DO UPDATE SET sealed = excluded.sealed, retain_until = excluded.retain_until",
        )
        .rows()
}

/// Whether anything of anybody is kept, of whatever district.
pub async fn exists(conn: &mut Conn<'_>) -> Result<bool> {
    const SQL: &str = "SELECT district FROM personal_data WHERE district = $1 LIMIT 1";
    for district in super::areas::district_codes(conn).await? {
        if each!(&mut *conn, c => sqlx::query(SQL).bind(district.as_i64()).fetch_optional(c).await?.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// All records of one purpose: subject and sealed data.
pub async fn all(conn: &mut Conn<'_>, district: DistrictCode, purpose: Purpose) -> Result<Vec<(String, Vec<u8>)>> {
    const SQL: &str = "SELECT subject, sealed FROM personal_data WHERE district = $1 AND purpose = $2 ORDER BY subject";
    Ok(each!(conn, c => sqlx::query_as(SQL).bind(district.as_i64()).bind(purpose.as_str()).fetch_all(c).await?))
}

/// What is kept of somebody for a purpose.
pub async fn one(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    subject: &str,
    purpose: Purpose,
) -> Result<Option<Vec<u8>>> {
    const SQL: &str = "SELECT sealed FROM personal_data WHERE district = $1 AND subject = $2 AND purpose = $3";
    Ok(each!(conn, c => sqlx::query_scalar(SQL)
        .bind(district.as_i64()).bind(subject).bind(purpose.as_str()).fetch_optional(c).await?))
}

/// Removes what is kept of somebody for a purpose.
pub async fn remove(conn: &mut Conn<'_>, district: DistrictCode, subject: &str, purpose: Purpose) -> Result<()> {
    const SQL: &str = "DELETE FROM personal_data WHERE district = $1 AND subject = $2 AND purpose = $3";
    each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(subject).bind(purpose.as_str()).execute(c).await.map(drop)?);
    Ok(())
}

/// Removes what is past its end; returns how many.
pub async fn purge(conn: &mut Conn<'_>, district: DistrictCode, now: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM personal_data WHERE district = $1 AND retain_until < $2";
    Ok(each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(now.as_microsecond()).execute(c).await?.rows_affected()))
}

/// Sets the end of what is kept for these subjects, when their order is closed.
pub async fn retain_until(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    work_order: i64,
    until: Timestamp,
) -> Result<()> {
    const SQL: &str = "UPDATE personal_data SET retain_until = $3 WHERE district = $1 AND purpose = 'reporter' \
        AND subject IN (SELECT 'report:' || CAST(number AS TEXT) FROM report WHERE district = $1 AND work_order = $2)";
    each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(work_order).bind(until.as_microsecond()).execute(c).await.map(drop)?);
    Ok(())
}
