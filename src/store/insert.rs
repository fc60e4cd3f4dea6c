//! Many rows of one table, written column by column.
//!
//! `SQLite` gets them as `VALUES`, a statement for each number of rows. `PostgreSQL` gets each column as an array: one
//! statement for any number of rows, which is parsed and planned once instead of for every size of a commit group.

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, Postgres, QueryBuilder, Sqlite};

use super::{Conn, ROWS_PER_STATEMENT, Result};

/// The values of a column, one for each row.
enum Column<'a> {
    Integer(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Text(Vec<Option<Cow<'a, str>>>),
    Bytes(Vec<Option<&'a [u8]>>),
}

impl Column<'_> {
    const fn array(&self) -> &'static str {
        match self {
            Self::Integer(_) => "::bigint[]",
            Self::Real(_) => "::double precision[]",
            Self::Text(_) => "::text[]",
            Self::Bytes(_) => "::bytea[]",
        }
    }
}

/// An `INSERT` of rows that are told column by column. They all belong to one district.
pub(super) struct Insert<'a, T> {
    table: &'static str,
    district: i64,
    rows: &'a [T],
    columns: Vec<(&'static str, Column<'a>)>,
    conflict: &'static str,
}

impl<'a, T> Insert<'a, T> {
    pub(super) const fn into(table: &'static str, district: i64, rows: &'a [T]) -> Self {
        Self { table, district, rows, columns: Vec::new(), conflict: "" }
    }

    fn column(mut self, name: &'static str, values: impl FnOnce(&'a [T]) -> Column<'a>) -> Self {
        self.columns.push((name, values(self.rows)));
        self
    }

    pub(super) fn integer(self, name: &'static str, value: impl Fn(&'a T) -> i64) -> Self {
        self.maybe_integer(name, |row| Some(value(row)))
    }

    pub(super) fn maybe_integer(self, name: &'static str, value: impl Fn(&'a T) -> Option<i64>) -> Self {
        self.column(name, |rows| Column::Integer(rows.iter().map(value).collect()))
    }

    pub(super) fn real(self, name: &'static str, value: impl Fn(&'a T) -> f64) -> Self {
        self.maybe_real(name, |row| Some(value(row)))
    }

    pub(super) fn maybe_real(self, name: &'static str, value: impl Fn(&'a T) -> Option<f64>) -> Self {
        self.column(name, |rows| Column::Real(rows.iter().map(value).collect()))
    }

    pub(super) fn text<S: Into<Cow<'a, str>>>(self, name: &'static str, value: impl Fn(&'a T) -> S) -> Self {
        self.maybe_text(name, |row| Some(value(row)))
    }

    pub(super) fn maybe_text<S: Into<Cow<'a, str>>>(
        self,
        name: &'static str,
        value: impl Fn(&'a T) -> Option<S>,
    ) -> Self {
        self.column(name, |rows| Column::Text(rows.iter().map(|row| value(row).map(Into::into)).collect()))
    }

    pub(super) fn bytes(self, name: &'static str, value: impl Fn(&'a T) -> &'a [u8]) -> Self {
        self.maybe_bytes(name, |row| Some(value(row)))
    }

    pub(super) fn maybe_bytes(self, name: &'static str, value: impl Fn(&'a T) -> Option<&'a [u8]>) -> Self {
        self.column(name, |rows| Column::Bytes(rows.iter().map(value).collect()))
    }

    /// What becomes of a row whose key is there already: what follows `ON CONFLICT`.
    pub(super) const fn on_conflict(mut self, clause: &'static str) -> Self {
        self.conflict = clause;
        self
    }

    pub(super) async fn run(self, conn: &mut Conn<'_>) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        match conn {
            Conn::Sqlite(c) => {
                for from in (0..self.rows.len()).step_by(ROWS_PER_STATEMENT) {
                    let mut sql = self.values(from..self.rows.len().min(from + ROWS_PER_STATEMENT));
                    sql.build().execute(&mut **c).await?;
                }
            }
            Conn::Postgres(c) => {
                let sql = self.arrays();
                let mut query = sqlx::query::<Postgres>(AssertSqlSafe(sql)).bind(self.district);
                for (_, column) in self.columns {
                    query = match column {
                        Column::Integer(values) => query.bind(values),
                        Column::Real(values) => query.bind(values),
                        Column::Text(values) => query.bind(values),
                        Column::Bytes(values) => query.bind(values),
                    };
                }
                query.execute(&mut **c).await?;
            }
        }
        Ok(())
    }

    fn head(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        format!("INSERT INTO {} (district, {}) ", self.table, names.join(", "))
    }

    /// The statement with rows of values.
    fn values(&self, rows: std::ops::Range<usize>) -> QueryBuilder<Sqlite> {
        let mut sql = QueryBuilder::new(self.head());
        sql.push_values(rows, |mut list, row| {
            list.push_bind(self.district);
            for (_, column) in &self.columns {
                match column {
                    Column::Integer(values) => list.push_bind(values[row]),
                    Column::Real(values) => list.push_bind(values[row]),
                    Column::Text(values) => list.push_bind(values[row].as_deref()),
                    Column::Bytes(values) => list.push_bind(values[row]),
                };
            }
        });
        sql.push(self.closing());
        sql
    }

    /// The statement with a parameter for each column.
    fn arrays(&self) -> String {
        let array = |(place, (_, column)): (usize, &(&str, Column<'_>))| format!("${}{}", place + 2, column.array());
        let arrays: Vec<String> = self.columns.iter().enumerate().map(array).collect();
        format!("{}SELECT $1, * FROM unnest({}){}", self.head(), arrays.join(", "), self.closing())
    }

    fn closing(&self) -> String {
        if self.conflict.is_empty() { String::new() } else { format!(" ON CONFLICT {}", self.conflict) }
    }
}
