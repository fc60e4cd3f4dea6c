//! Findings of the quality check that are known: since when, and what mended them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::QueryBuilder;

use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, each, wkb};
use crate::domain::finding::{Place, Subject};
use crate::domain::id::DistrictCode;
use crate::domain::position::Position;
use crate::domain::quality::Rule;
use crate::domain::said::Said;

/// What is kept of a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// 16 hexadecimal digits.
    pub id: String,
    pub rule: Rule,
    pub subjects: Vec<Subject>,
    pub place: Option<Place>,
    pub detail: Said,
    /// The last event of the district when it was found, the last time that it was not known.
    pub found_seq: i64,
}

/// That it is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mending {
    pub at: Timestamp,
    /// The event that did it.
    pub seq: Option<i64>,
}

/// A finding that is known.
#[derive(Debug, Clone)]
pub struct Known {
    pub id: String,
    pub found_seq: i64,
    pub is_mended: bool,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: String,
    rule: String,
    subjects: String,
    lon: Option<f64>,
    lat: Option<f64>,
    outline: Option<Vec<u8>>,
    english: String,
    chinese: String,
    found_seq: i64,
    mended_at: Option<i64>,
    mended_seq: Option<i64>,
}

impl Row {
    fn read(self) -> Result<(Kept, Option<Mending>)> {
        let place = match (self.lon, self.lat, &self.outline) {
            (Some(lon), Some(lat), _) => {
                Some(Place::At(Position::new(lon, lat).map_err(|e| corrupt("a finding's place", e))?))
            }
            (_, _, Some(outline)) => Some(Place::Ground(wkb::read(outline)?)),
            _ => None,
        };
        let subjects = self.subjects.split(',').map(|subject| {
            let parsed = subject.split_once(':').and_then(|(kind, code)| Subject::parse(kind, code));
            parsed.ok_or_else(|| corrupt("a finding's subject", subject))
        });
        let at = self.mended_at.map(Timestamp::from_microsecond).transpose().map_err(|e| corrupt("an instant", e))?;
        let kept = Kept {
            rule: Rule::parse(&self.rule).ok_or_else(|| corrupt("a finding's rule", &self.rule))?,
            subjects: subjects.collect::<Result<_>>()?,
            place,
            detail: Said::new(self.english, self.chinese),
            found_seq: self.found_seq,
            id: self.id,
        };
        Ok((kept, at.map(|at| Mending { at, seq: self.mended_seq })))
    }
}

/// All that are known in a district.
pub async fn known(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<Known>> {
    const SQL: &str = "SELECT id, found_seq, mended_at FROM finding WHERE district = $1 ORDER BY id";
    let rows: Vec<(String, i64, Option<i64>)> =
        each!(conn, c => sqlx::query_as(SQL).bind(district.as_i64()).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(id, found_seq, at)| Known { id, found_seq, is_mended: at.is_some() }).collect())
}

/// Those that are no more, with what mended them.
pub async fn mended(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<(Kept, Mending)>> {
    const SQL: &str = "SELECT id, rule, subjects, lon, lat, outline, english, chinese, found_seq, mended_at, mended_seq \
                       FROM finding WHERE district = $1 AND mended_at IS NOT NULL ORDER BY id";
    let rows: Vec<Row> = each!(conn, c => sqlx::query_as(SQL).bind(district.as_i64()).fetch_all(c).await?);
    let rows = rows.into_iter().map(Row::read).collect::<Result<Vec<_>>>()?;
    Ok(rows.into_iter().filter_map(|(kept, mending)| Some((kept, mending?))).collect())
}

/// These, whole.
pub async fn of(conn: &mut Conn<'_>, district: DistrictCode, ids: &[&str]) -> Result<Vec<Kept>> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<Row> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(
                "SELECT id, rule, subjects, lon, lat, outline, english, chinese, found_seq, mended_at, mended_seq \
                 FROM finding WHERE district = ",
            );
            sql.push_bind(district.as_i64()).push(" AND id IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|id| { list.push_bind(*id); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        for row in rows {
            found.push(row.read()?.0);
        }
    }
    Ok(found)
}

/// Keeps what is found now, whether it was known before or not.
pub async fn put(conn: &mut Conn<'_>, district: DistrictCode, findings: &[Kept]) -> Result<()> {
    for chunk in findings.chunks(ROWS_PER_STATEMENT) {
        let mut rows = Vec::with_capacity(chunk.len());
        for kept in chunk {
            let named = kept.subjects.iter().map(Subject::named);
            let subjects = named.map(|(kind, code)| format!("{kind}:{code}")).collect::<Vec<_>>().join(",");
            let (at, outline) = match &kept.place {
                Some(Place::At(at)) => (Some(*at), None),
                Some(Place::Ground(outline)) => (None, Some(wkb::write(outline)?)),
                None => (None, None),
            };
            rows.push((kept, subjects, at, outline));
        }
        each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(
                "INSERT INTO finding (district, id, rule, subjects, lon, lat, outline, english, chinese, found_seq) ",
            );
            sql.push_values(rows, |mut row, (kept, subjects, at, outline)| {
                row.push_bind(district.as_i64())
                    .push_bind(kept.id.as_str())
                    .push_bind(kept.rule.as_str())
                    .push_bind(subjects)
                    .push_bind(at.map(Position::lon))
                    .push_bind(at.map(Position::lat))
                    .push_bind(outline)
                    .push_bind(&*kept.detail.english)
                    .push_bind(&*kept.detail.chinese)
                    .push_bind(kept.found_seq);
            });
            sql.push(
                " ON CONFLICT (district, id) DO UPDATE SET lon = excluded.lon, lat = excluded.lat, \
                 outline = excluded.outline, english = excluded.english, chinese = excluded.chinese, \
                 found_seq = excluded.found_seq, mended_at = NULL, mended_seq = NULL",
            );
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// Says of these that they are mended, and forgets what was said of them: one that comes back is open.
pub async fn mend(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    mendings: &BTreeMap<(Timestamp, Option<i64>), Vec<String>>,
) -> Result<()> {
    for ((at, seq), ids) in mendings {
        for chunk in ids.chunks(ROWS_PER_STATEMENT) {
            each!(&mut *conn, c => {
                let mut sql = QueryBuilder::<Db>::new("UPDATE finding SET mended_at = ");
                sql.push_bind(at.as_microsecond()).push(", mended_seq = ").push_bind(*seq);
                sql.push(" WHERE district = ").push_bind(district.as_i64()).push(" AND id IN (");
                let mut list = sql.separated(", ");
                chunk.iter().for_each(|id| { list.push_bind(id.as_str()); });
                sql.push(")");
                sql.build().execute(&mut *c).await?;
                let mut sql = QueryBuilder::<Db>::new("DELETE FROM quality_state WHERE district = ");
                sql.push_bind(district.as_i64()).push(" AND id IN (");
                let mut list = sql.separated(", ");
                chunk.iter().for_each(|id| { list.push_bind(id.as_str()); });
                sql.push(")");
                sql.build().execute(&mut *c).await?;
            });
        }
    }
    Ok(())
}
