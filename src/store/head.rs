//! The head of a district: the row that hands out its numbers, once per commit group.

use jiff::Timestamp;
use sqlx::QueryBuilder;

use super::insert::{Insert, Rows};
use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, dialect, each};
use crate::domain::deadline::WorkCalendar;
use crate::domain::id::{Day, DistrictCode};

/// The numbers of a district while one transaction holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// Number of the last event.
    pub seq: i64,
    /// Number of the last event that changed the registry.
    pub registry_seq: i64,
    day: i64,
    day_counter: i64,
    last_time: i64,
}

impl Head {
    /// The next event's number.
    pub fn next_seq(&mut self) -> i64 {
        self.seq += 1;
        self.seq
    }

    /// The next number of the district's day, for a report and the order it may open.
    pub fn next_of_day(&mut self, now: Timestamp, calendar: &WorkCalendar) -> (Day, u32) {
        let date = calendar.day(now);
        let today = Day::new(date.year(), date.month(), date.day());
        if self.day != i64::from(today.number()) {
            self.day = i64::from(today.number());
            self.day_counter = 0;
        }
        self.day_counter += 1;
        (today, u32::try_from(self.day_counter).unwrap_or(u32::MAX))
    }

    /// The group's instant: never before the last one, so that time order is commit order.
    pub fn advance(&mut self, clock: Timestamp) -> Timestamp {
        self.last_time = clock.as_microsecond().max(self.last_time + 1);
        Timestamp::from_microsecond(self.last_time).unwrap_or(clock)
    }
}

/// Reads and locks the head within a transaction.
pub async fn lock(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Option<Head>> {
    let sql = dialect::lock_head(conn);
    Ok(each!(conn, c => sqlx::query_as(sql).bind(district.as_i64()).fetch_optional(c).await?))
}

/// Reads the head without locking it.
pub async fn read(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Option<Head>> {
    const SQL: &str = "SELECT seq, registry_seq, day, day_counter, last_time FROM district_head WHERE district = $1";
    Ok(each!(conn, c => sqlx::query_as(SQL).bind(district.as_i64()).fetch_optional(c).await?))
}

/// Asks the database for anything: whether it answers.
pub async fn any(conn: &mut Conn<'_>) -> Result<()> {
    let _: i64 = each!(conn, c => sqlx::query_scalar("SELECT CAST(1 AS BIGINT)").fetch_one(c).await?);
    Ok(())
}

/// The last number of each of these districts.
pub async fn of(conn: &mut Conn<'_>, districts: &[DistrictCode]) -> Result<Vec<(DistrictCode, i64)>> {
    let mut heads = Vec::with_capacity(districts.len());
    for chunk in districts.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(i64, i64)> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("SELECT district, seq FROM district_head WHERE district IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|district| { list.push_bind(district.as_i64()); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        for (district, seq) in rows {
            let code = DistrictCode::from_number(district.unsigned_abs());
            heads.push((code.ok_or_else(|| corrupt("a district", district))?, seq));
        }
    }
    Ok(heads)
}

/// The head as it is at the end of the group.
pub fn rows(district: DistrictCode, head: &Head) -> Rows<'static> {
    Insert::into("district_head", district.as_i64(), std::slice::from_ref(head))
        .integer("seq", |head| head.seq)
        .integer("registry_seq", |head| head.registry_seq)
        .integer("day", |head| head.day)
        .integer("day_counter", |head| head.day_counter)
        .integer("last_time", |head| head.last_time)
        .on_conflict(
            "(district) DO UPDATE SET seq = excluded.seq, registry_seq = excluded.registry_seq, day = excluded.day, \
             day_counter = excluded.day_counter, last_time = excluded.last_time",
        )
        .rows()
}

/// Moves the head on, if nobody else has since it was `was`: the numbers from `$1` on that [`moving`] gives. What goes by
/// this does not change the registry.
pub(super) const MOVE: &str = "UPDATE district_head SET seq = $2, day = $3, day_counter = $4, last_time = $5 \
                               WHERE district = $1 AND seq = $6 AND last_time = $7 RETURNING district";

/// What [`MOVE`] is told.
pub(super) fn moving(district: DistrictCode, was: &Head, now: &Head) -> [i64; 7] {
    let Head { seq, registry_seq: _, day, day_counter, last_time } = *now;
    [district.as_i64(), seq, day, day_counter, last_time, was.seq, was.last_time]
}

/// The first head of a new district.
pub async fn create(conn: &mut Conn<'_>, district: DistrictCode) -> Result<()> {
    const SQL: &str = "INSERT INTO district_head (district, seq, registry_seq, day, day_counter, last_time) \
                       VALUES ($1, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING";
    each!(conn, c => sqlx::query(SQL).bind(district.as_i64()).execute(c).await.map(drop)?);
    Ok(())
}
