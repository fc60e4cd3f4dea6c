//! Organisations: one table for all districts, since one may act in several.

use sqlx::QueryBuilder;

use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, each};
use crate::domain::organization::{OrgKind, Organization};

#[derive(Debug, sqlx::FromRow)]
struct Row {
    code: String,
    name: String,
    kind: String,
    credit_code: Option<String>,
    version: i64,
}

impl Row {
    fn read(self) -> Result<Organization> {
        Ok(Organization {
            code: self.code.parse().map_err(|e| corrupt("an organization", e))?,
            kind: OrgKind::parse(&self.kind).ok_or_else(|| corrupt("a kind", &self.kind))?,
            name: self.name,
            credit_code: self.credit_code,
            version: self.version,
        })
    }
}

/// Organisations by code, after `after`.
pub async fn list(conn: &mut Conn<'_>, after: &str, limit: i64) -> Result<Vec<Organization>> {
    const SQL: &str =
        "SELECT code, name, kind, credit_code, version FROM organization WHERE code > $1 ORDER BY code LIMIT $2";
    let rows: Vec<Row> = each!(conn, c => sqlx::query_as(SQL).bind(after).bind(limit).fetch_all(c).await?);
    rows.into_iter().map(Row::read).collect()
}

/// Writes organisations as they now are.
pub async fn put(conn: &mut Conn<'_>, organizations: &[Organization]) -> Result<()> {
    for chunk in organizations.chunks(ROWS_PER_STATEMENT) {
        each!(conn, c => {
            let mut sql = QueryBuilder::<Db>::new("INSERT INTO organization (code, name, kind, credit_code, version) ");
            sql.push_values(chunk, |mut row, organization| {
                row.push_bind(organization.code.as_str())
                    .push_bind(organization.name.as_str())
                    .push_bind(organization.kind.as_str())
                    .push_bind(organization.credit_code.as_deref())
                    .push_bind(organization.version);
            });
            sql.push(" ON CONFLICT (code) DO UPDATE SET name = excluded.name, kind = excluded.kind, \
                      credit_code = excluded.credit_code, version = excluded.version");
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}
