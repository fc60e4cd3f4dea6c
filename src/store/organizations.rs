//! Organisations: one table for all districts, since one may act in several; their past is counted in the
//! changes of the district that gave the code.

use std::collections::{HashMap, HashSet};

use sqlx::QueryBuilder;

use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, dialect, each};
use crate::domain::id::{DistrictCode, OrgCode};
use crate::domain::organization::{OrgKind, Organization};

#[derive(Debug, sqlx::FromRow)]
struct Row {
    code: String,
    name: String,
    kind: String,
    credit_code: Option<String>,
    phone: Option<String>,
    version: i64,
}

impl Row {
    fn read(self) -> Result<Organization> {
        Ok(Organization {
            code: self.code.parse().map_err(|e| corrupt("an organization", e))?,
            kind: OrgKind::parse(&self.kind).ok_or_else(|| corrupt("a kind", &self.kind))?,
            name: self.name,
            credit_code: self.credit_code,
            phone: self.phone,
            version: self.version,
        })
    }
}

/// An organisation as it was from one event on, until another.
#[derive(Debug, Clone)]
pub struct OrganizationState {
    pub organization: Organization,
    pub seq_from: i64,
    /// `None` for the present.
    pub seq_to: Option<i64>,
}

#[derive(Debug, sqlx::FromRow)]
struct StateRow {
    #[sqlx(flatten)]
    row: Row,
    seq_from: i64,
    seq_to: Option<i64>,
}

const COLUMNS: &str = "code, name, kind, credit_code, phone, version";

/// Organisations by code, after `after`.
pub async fn list(conn: &mut Conn<'_>, after: &str, limit: i64) -> Result<Vec<Organization>> {
    let sql = format!("SELECT {COLUMNS} FROM organization WHERE code > $1 ORDER BY code LIMIT $2");
    let rows: Vec<Row> =
        each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(c).await?);
    rows.into_iter().map(Row::read).collect()
}

/// The organisations that a district knows without their being named there: those whose codes it has given, as they are
/// or as they were after its event `as_of`, and those of its city and its province.
pub async fn of_district(conn: &mut Conn<'_>, district: DistrictCode, as_of: Option<i64>) -> Result<Vec<Organization>> {
    let [own, city, province] = ranges(district);
    let sql = format!(
        "SELECT {COLUMNS} FROM organization WHERE (code >= $1 AND code < $2 \
            AND (CAST($3 AS BIGINT) IS NULL OR seq_from <= $3)) \
            OR (code >= $4 AND code < $5) OR (code >= $6 AND code < $7) UNION ALL \
         SELECT {COLUMNS} FROM organization_version WHERE code >= $1 AND code < $2 AND seq_from <= $3 AND seq_to > $3 \
         ORDER BY code"
    );
    let rows: Vec<Row> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(&own.0).bind(&own.1).bind(as_of)
        .bind(&city.0).bind(&city.1).bind(&province.0).bind(&province.1)
        .fetch_all(c).await?);
    rows.into_iter().map(Row::read).collect()
}

/// Where the codes lie that a district, its city and its province have given.
fn ranges(district: DistrictCode) -> [(String, String); 3] {
    // What follows the six digits is a digit or '-', and ':' comes after both.
    district.with_those_above().map(|code| (format!("{code:06}"), format!("{code:06}:")))
}

/// Those of these organisations that are there.
pub async fn with_codes(conn: &mut Conn<'_>, codes: &[OrgCode]) -> Result<Vec<Organization>> {
    let mut found = Vec::with_capacity(codes.len());
    for chunk in codes.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<Row> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(format!("SELECT {COLUMNS} FROM organization WHERE code IN ("));
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|code| { list.push_bind(code.as_str()); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        found.extend(rows.into_iter().map(Row::read).collect::<Result<Vec<_>>>()?);
    }
    Ok(found)
}

/// The organisation with this code, if it is there.
pub async fn known(conn: &mut Conn<'_>, code: &OrgCode) -> Result<Option<Organization>> {
    one(conn, code, "").await
}

/// The same, which stays there until the commit: something is to stand on it.
pub async fn hold(conn: &mut Conn<'_>, code: &OrgCode) -> Result<Option<Organization>> {
    let lock = dialect::hold(conn);
    one(conn, code, lock).await
}

/// The same, on which nothing new is put until the commit: it is to go.
pub async fn hold_alone(conn: &mut Conn<'_>, code: &OrgCode) -> Result<Option<Organization>> {
    let lock = dialect::hold_alone(conn);
    one(conn, code, lock).await
}

async fn one(conn: &mut Conn<'_>, code: &OrgCode, lock: &'static str) -> Result<Option<Organization>> {
    let sql = format!("SELECT {COLUMNS} FROM organization WHERE code = $1{lock}");
    let row: Option<Row> =
        each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(code.as_str()).fetch_optional(c).await?);
    row.map(Row::read).transpose()
}

/// Codes of at most `limit` organisations with this code or with this in their names, those of the district first.
pub async fn named(conn: &mut Conn<'_>, district: DistrictCode, text: &str, limit: i64) -> Result<Vec<String>> {
    const SQL: &str = "SELECT code FROM organization WHERE code = $1 OR lower(name) LIKE $2 ESCAPE '\\' \
        ORDER BY code NOT LIKE $4, code LIMIT $3";
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Ok(each!(conn, c => sqlx::query_scalar(SQL)
        .bind(text).bind(pattern).bind(limit).bind(format!("{district}%")).fetch_all(c).await?))
}

/// Every state of an organisation, the oldest first.
pub async fn states(conn: &mut Conn<'_>, code: &OrgCode) -> Result<Vec<OrganizationState>> {
    let sql = format!(
        "SELECT {COLUMNS}, seq_from, seq_to FROM organization_version WHERE code = $1 UNION ALL \
         SELECT {COLUMNS}, seq_from, NULL FROM organization WHERE code = $1 ORDER BY version"
    );
    let rows: Vec<StateRow> =
        each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(code.as_str()).fetch_all(c).await?);
    rows.into_iter()
        .map(|StateRow { row, seq_from, seq_to }| Ok(OrganizationState { organization: row.read()?, seq_from, seq_to }))
        .collect()
}

pub(super) const CALLABLE: &str = "SELECT code, CAST(CASE WHEN phone IS NOT NULL OR EXISTS (SELECT 1 FROM person \
                        WHERE person.organization = organization.code) THEN 1 ELSE 0 END AS BIGINT) \
                        FROM organization WHERE code IN (";

/// Those of these organisations that are there, and whether anybody can be called at them: they have a telephone, or
/// somebody belongs to them, in whatever district.
pub async fn callable<'a>(
    conn: &mut Conn<'_>,
    codes: impl IntoIterator<Item = &'a OrgCode>,
) -> Result<HashMap<OrgCode, bool>> {
    let codes: Vec<&OrgCode> = codes.into_iter().collect();
    let mut found = HashMap::with_capacity(codes.len());
    for chunk in codes.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(String, i64)> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(CALLABLE);
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|code| { list.push_bind(code.as_str()); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        for (code, is_callable) in rows {
            found.insert(code.parse().map_err(|e| corrupt("an organization", e))?, is_callable > 0);
        }
    }
    Ok(found)
}

/// Puts what these organisations are into the past, until the event `seq`.
async fn supersede<'a>(
    conn: &mut Conn<'_>,
    seq: i64,
    codes: impl Iterator<Item = &'a OrgCode> + Clone + Send,
) -> Result<()> {
    each!(conn, c => {
        let mut past = QueryBuilder::<Db>::new(format!(
            "INSERT INTO organization_version ({COLUMNS}, seq_from, seq_to) SELECT {COLUMNS}, seq_from, "
        ));
        past.push_bind(seq).push(" FROM organization WHERE code IN (");
        let mut list = past.separated(", ");
        codes.for_each(|code| { list.push_bind(code.to_string()); });
        past.push(")");
        past.build().execute(c).await.map(drop)?;
    });
    Ok(())
}

/// The versions that these are written with: one after the present one, or after the removal that ended the last.
async fn next_versions(conn: &mut Conn<'_>, organizations: &[Organization]) -> Result<HashMap<String, i64>> {
    let rows: Vec<(String, i64, i64)> = each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(
            "SELECT code, version, CAST(1 AS BIGINT) AS step FROM organization WHERE code IN (",
        );
        let mut list = sql.separated(", ");
        organizations.iter().for_each(|organization| { list.push_bind(organization.code.as_str()); });
        sql.push(
            ") UNION ALL SELECT code, max(version), CAST(2 AS BIGINT) AS step FROM organization_version WHERE code NOT IN \
             (SELECT code FROM organization) AND code IN (",
        );
        let mut list = sql.separated(", ");
        organizations.iter().for_each(|organization| { list.push_bind(organization.code.as_str()); });
        sql.push(") GROUP BY code");
        sql.build_query_as().fetch_all(c).await?
    });
    Ok(rows.into_iter().map(|(code, version, step)| (code, version + step)).collect())
}

/// Writes organisations as they now are, whatever versions they come with; a superseded state goes to the past.
pub async fn put(conn: &mut Conn<'_>, seq: i64, organizations: &[Organization]) -> Result<()> {
    for chunk in organizations.chunks(ROWS_PER_STATEMENT) {
        let versions = next_versions(conn, chunk).await?;
        supersede(conn, seq, chunk.iter().map(|organization| &organization.code)).await?;
        each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(format!("INSERT INTO organization ({COLUMNS}, seq_from) "));
            sql.push_values(chunk, |mut row, organization| {
                row.push_bind(organization.code.as_str())
                    .push_bind(organization.name.as_str())
                    .push_bind(organization.kind.as_str())
                    .push_bind(organization.credit_code.as_deref())
                    .push_bind(organization.phone.as_deref())
                    .push_bind(versions.get(organization.code.as_str()).copied().unwrap_or(1))
                    .push_bind(seq);
            });
            sql.push(" ON CONFLICT (code) DO UPDATE SET name = excluded.name, kind = excluded.kind, \
                      credit_code = excluded.credit_code, phone = excluded.phone, version = excluded.version, \
                      seq_from = excluded.seq_from");
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// Puts an organisation into the past: from the event `seq` on it is no more.
pub async fn remove(conn: &mut Conn<'_>, seq: i64, code: &OrgCode) -> Result<()> {
    supersede(conn, seq, std::iter::once(code)).await?;
    each!(conn, c => sqlx::query("DELETE FROM organization WHERE code = $1")
        .bind(code.as_str()).execute(c).await.map(drop)?);
    Ok(())
}

/// What in a district needs an organisation: covers, areas, open orders; and people anywhere.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Ties {
    pub covers: i64,
    pub areas: i64,
    pub orders: i64,
    pub people: i64,
}

/// What stands on an organisation within a district.
pub async fn ties(conn: &mut Conn<'_>, district: DistrictCode, code: &OrgCode) -> Result<Ties> {
    const SQL: &str = "SELECT \
        (SELECT count(*) FROM cover WHERE district = $1 AND status <> 'removed' \
            AND (owner = $2 OR responsible_unit = $2)), \
        (SELECT count(*) FROM area WHERE district = $1 AND supervising_department = $2), \
        (SELECT count(*) FROM work_order WHERE district = $1 AND status NOT IN ('closed', 'cancelled') \
            AND assignee = $2), \
        (SELECT count(*) FROM person WHERE organization = $2)";
    let (covers, areas, orders, people) = each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(code.as_str()).fetch_one(c).await?);
    Ok(Ties { covers, areas, orders, people })
}

impl Ties {
    /// Whether the organisation acts in the district itself.
    pub const fn here(self) -> bool {
        self.covers > 0 || self.areas > 0 || self.orders > 0
    }
}

/// The states of a district's organisations that say what was delivered of them last, but for what was kept.
pub async fn as_delivered(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<Organization>> {
    let [own, _, _] = ranges(district);
    let sql = format!(
        "SELECT state.code, name, state.kind, credit_code, phone, version FROM \
         (SELECT {COLUMNS}, seq_from FROM organization WHERE code >= $2 AND code < $3 UNION ALL \
         SELECT {COLUMNS}, seq_from FROM organization_version WHERE code >= $2 AND code < $3) AS state \
         JOIN delivered ON delivered.record = state.code AND delivered.stands = state.seq_from \
         WHERE delivered.district = $1 AND delivered.kind = 'organization'"
    );
    let rows: Vec<Row> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64()).bind(&own.0).bind(&own.1).fetch_all(c).await?);
    rows.into_iter().map(Row::read).collect()
}

/// The district's organisations that an event of it changed: made, remade or removed.
pub async fn changed_by(conn: &mut Conn<'_>, district: DistrictCode, seq: i64) -> Result<Vec<OrgCode>> {
    const SQL: &str = "SELECT code FROM organization WHERE code >= $1 AND code < $2 AND seq_from = $3 UNION \
        SELECT code FROM organization_version WHERE code >= $1 AND code < $2 AND (seq_from = $3 OR seq_to = $3) ORDER BY code";
    let [own, _, _] = ranges(district);
    let codes: Vec<String> = each!(conn, c => sqlx::query_scalar(SQL)
        .bind(&own.0).bind(&own.1).bind(seq).fetch_all(c).await?);
    codes.into_iter().map(|code| code.parse().map_err(|e| corrupt("an organization", e))).collect()
}

/// Those of these that were organisations and are no more.
pub async fn removed(conn: &mut Conn<'_>, codes: &[OrgCode]) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    for chunk in codes.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<String> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(
                "SELECT code FROM organization_version WHERE code NOT IN (SELECT code FROM organization) AND code IN (",
            );
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|code| { list.push_bind(code.as_str()); });
            sql.push(")");
            sql.build_query_scalar().fetch_all(c).await?
        });
        found.extend(rows);
    }
    Ok(found)
}

/// Codes from `first` to `last` that an organisation has or once had.
pub async fn given(conn: &mut Conn<'_>, first: &str, last: &str) -> Result<Vec<String>> {
    const SQL: &str = "SELECT code FROM organization WHERE code BETWEEN $1 AND $2 UNION \
        SELECT code FROM organization_version WHERE code BETWEEN $1 AND $2";
    Ok(each!(conn, c => sqlx::query_scalar(SQL).bind(first).bind(last).fetch_all(c).await?))
}
