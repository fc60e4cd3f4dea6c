//! Reports as stored; who made them is in [`super::personal`].

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::insert::{Insert, Rows};
use super::{Conn, Result, dialect, each};
use crate::domain::catalog::{CategoryCode, DamageCode};
use crate::domain::id::{CoverId, DistrictCode, OrderCode, ReportCode};
use crate::domain::position::{Position, Wgs84};
use crate::domain::report::Channel;

/// A report on its way into the database.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub code: ReportCode,
    pub token_hash: [u8; 32],
    pub work_order: OrderCode,
    pub at: Position<Wgs84>,
    pub accuracy_m: Option<f64>,
    pub cover: Option<CoverId>,
    pub category: Option<CategoryCode>,
    pub damage: DamageCode,
    pub description: Option<String>,
    pub channel: Channel,
    pub reported_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

pub fn rows(district: DistrictCode, reports: &[Accepted]) -> Rows<'_> {
    Insert::into("report", district.as_i64(), reports)
        .integer("number", |report| report.code.number())
        .bytes("token_hash", |report| &report.token_hash)
        .integer("work_order", |report| report.work_order.number())
        .real("lon", |report| report.at.lon())
        .real("lat", |report| report.at.lat())
        .maybe_real("accuracy_m", |report| report.accuracy_m)
        .maybe_bytes("cover", |report| report.cover.as_ref().map(|cover| cover.0.as_bytes().as_slice()))
        .maybe_integer("category", |report| report.category.map(|category| i64::from(category.number())))
        .text("damage", |report| report.damage.as_str())
        .maybe_text("description", |report| report.description.as_deref())
        .text("channel", |report| report.channel.as_str())
        .maybe_integer("reported_at", |report| report.reported_at.map(Timestamp::as_microsecond))
        .integer("created_at", |report| report.created_at.as_microsecond())
        .rows()
}

/// A report as read back.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredReport {
    pub number: i64,
    pub work_order: i64,
    pub lon: f64,
    pub lat: f64,
    pub damage: String,
    pub description: Option<String>,
    pub channel: String,
    pub reported_at: Option<i64>,
    pub created_at: i64,
}

impl From<&Accepted> for StoredReport {
    fn from(accepted: &Accepted) -> Self {
        Self {
            number: accepted.code.number(),
            work_order: accepted.work_order.number(),
            lon: accepted.at.lon(),
            lat: accepted.at.lat(),
            damage: accepted.damage.to_string(),
            description: accepted.description.clone(),
            channel: accepted.channel.as_str().to_owned(),
            reported_at: accepted.reported_at.map(Timestamp::as_microsecond),
            created_at: accepted.created_at.as_microsecond(),
        }
    }
}

/// The report that a tracking token opens.
pub async fn by_token(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    token_hash: &[u8; 32],
) -> Result<Option<StoredReport>> {
    const SQL: &str = "SELECT number, work_order, lon, lat, damage, description, channel, reported_at, created_at \
                       FROM report WHERE district = $1 AND token_hash = $2";
    Ok(each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(token_hash.as_slice()).fetch_optional(c).await?))
}

/// The reports of an order that were there at an instant, oldest first, but only the newest of them.
pub async fn of_order(
    conn: &mut Conn<'_>,
    order: OrderCode,
    by: Option<Timestamp>,
    newest: i64,
) -> Result<Vec<StoredReport>> {
    let sql = format!(
        "SELECT number, work_order, lon, lat, damage, description, channel, reported_at, created_at FROM report {} \
         WHERE district = $1 AND work_order = $2 AND created_at <= $3 ORDER BY number DESC LIMIT $4",
        dialect::by(conn, "INDEXED BY report_order"),
    );
    let by = by.map_or(i64::MAX, Timestamp::as_microsecond);
    let mut reports: Vec<StoredReport> = each!(conn, c => sqlx::query_as(AssertSqlSafe(sql))
        .bind(order.district().as_i64()).bind(order.number()).bind(by).bind(newest).fetch_all(c).await?);
    reports.reverse();
    Ok(reports)
}
