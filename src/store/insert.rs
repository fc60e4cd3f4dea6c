//! Many rows of a table, told column by column.
//!
//! `SQLite` gets them as `VALUES`, a text for each number of rows. `PostgreSQL` gets each column as an array: one
//! statement for any number of rows, which is parsed and planned once instead of for every size of a commit group.

use std::borrow::Cow;

use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, PgConnection, QueryBuilder, Sqlite, SqliteConnection};

use super::head::{self, Head};
use super::{Conn, ROWS_PER_STATEMENT, Result, StoreError};
use crate::domain::id::DistrictCode;

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

/// Rows on their way into a table. They all belong to one district.
pub struct Rows<'a> {
    table: &'static str,
    district: i64,
    count: usize,
    columns: Vec<(&'static str, Column<'a>)>,
    conflict: &'static str,
}

/// [`Rows`] that are told column by column.
pub(super) struct Insert<'r, 'a, T> {
    from: &'r [T],
    rows: Rows<'a>,
}

impl<'r, 'a, T> Insert<'r, 'a, T> {
    pub(super) const fn into(table: &'static str, district: i64, from: &'r [T]) -> Self {
        Self { from, rows: Rows { table, district, count: from.len(), columns: Vec::new(), conflict: "" } }
    }

    fn column(mut self, name: &'static str, values: impl FnOnce(&'r [T]) -> Column<'a>) -> Self {
        self.rows.columns.push((name, values(self.from)));
        self
    }

    pub(super) fn integer(self, name: &'static str, value: impl Fn(&'r T) -> i64) -> Self {
        self.maybe_integer(name, |row| Some(value(row)))
    }

    pub(super) fn maybe_integer(self, name: &'static str, value: impl Fn(&'r T) -> Option<i64>) -> Self {
        self.column(name, |rows| Column::Integer(rows.iter().map(value).collect()))
    }

    pub(super) fn real(self, name: &'static str, value: impl Fn(&'r T) -> f64) -> Self {
        self.maybe_real(name, |row| Some(value(row)))
    }

    pub(super) fn maybe_real(self, name: &'static str, value: impl Fn(&'r T) -> Option<f64>) -> Self {
        self.column(name, |rows| Column::Real(rows.iter().map(value).collect()))
    }

    pub(super) fn text<S: Into<Cow<'a, str>>>(self, name: &'static str, value: impl Fn(&'r T) -> S) -> Self {
        self.maybe_text(name, |row| Some(value(row)))
    }

    pub(super) fn maybe_text<S: Into<Cow<'a, str>>>(
        self,
        name: &'static str,
        value: impl Fn(&'r T) -> Option<S>,
    ) -> Self {
        self.column(name, |rows| Column::Text(rows.iter().map(|row| value(row).map(Into::into)).collect()))
    }

    pub(super) fn bytes(self, name: &'static str, value: impl Fn(&'r T) -> &'a [u8]) -> Self {
        self.maybe_bytes(name, |row| Some(value(row)))
    }

    pub(super) fn maybe_bytes(self, name: &'static str, value: impl Fn(&'r T) -> Option<&'a [u8]>) -> Self {
        self.column(name, |rows| Column::Bytes(rows.iter().map(value).collect()))
    }

    /// What becomes of a row whose key is there already: what follows `ON CONFLICT`.
    pub(super) const fn on_conflict(mut self, clause: &'static str) -> Self {
        self.rows.conflict = clause;
        self
    }

    pub(super) fn rows(self) -> Rows<'a> {
        self.rows
    }
}

impl Rows<'_> {
    /// Writes them.
    pub async fn write(self, conn: &mut Conn<'_>) -> Result<()> {
        write(conn, Writing::Apart, [self]).await
    }

    fn head(&self, insert: &str) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        format!("{insert} INTO {} (district, {}) ", self.table, names.join(", "))
    }

    /// Adds the statement with rows of values.
    fn push_values(&self, sql: &mut QueryBuilder<Sqlite>, rows: std::ops::Range<usize>) {
        // An error ends the transaction anyway: said so, no page is put aside for taking the statement alone back.
        sql.push(self.head("INSERT OR ROLLBACK"));
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
    }

    /// The statement with a parameter for each column, the first of them `$first`. The arrays are taken apart side by side
    /// among what is selected: after `FROM` the server would first copy each of them.
    fn arrays(&self, district: &str, first: usize, from: &str) -> String {
        let array = |(place, (_, column)): (usize, &(&str, Column<'_>))| {
            format!("unnest(${}{})", first + place, column.array())
        };
        let arrays: Vec<String> = self.columns.iter().enumerate().map(array).collect();
        format!("{}SELECT {district}, {}{from}", self.head("INSERT"), arrays.join(", "))
    }

    fn closing(&self) -> String {
        if self.conflict.is_empty() { String::new() } else { format!(" ON CONFLICT {}", self.conflict) }
    }
}

/// How `PostgreSQL` is given the rows of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// All tables by one statement: the server is a round trip away.
    Together,
    /// A statement for each table: Citus takes none that inserts into several.
    Apart,
}

/// Rows that `SQLite` is given by one text. Each text goes to the thread of the connection and back; one for every mixture
/// of more rows would have to be read each time.
const FEW: usize = 16;

/// Writes rows of several tables, none of which needs another.
pub async fn write<'a>(conn: &mut Conn<'_>, writing: Writing, rows: impl IntoIterator<Item = Rows<'a>>) -> Result<()> {
    let rows: Vec<Rows<'a>> = rows.into_iter().filter(|rows| rows.count > 0).collect();
    match conn {
        Conn::Sqlite(c) => in_file(c, "", &rows).await?,
        Conn::Postgres(c) if writing == Writing::Apart => {
            for rows in rows {
                together(c, vec![rows]).await?;
            }
        }
        Conn::Postgres(c) => together(c, rows).await?,
    }
    Ok(())
}

/// Few rows are one text with what comes before them.
async fn in_file(conn: &mut SqliteConnection, before: &'static str, rows: &[Rows<'_>]) -> Result<()> {
    let is_few = rows.iter().map(|rows| rows.count).sum::<usize>() <= FEW;
    let mut sql = QueryBuilder::new(before);
    if !is_few && !before.is_empty() {
        sqlx::raw_sql(before).execute(&mut *conn).await?;
        sql = QueryBuilder::new("");
    }
    for rows in rows {
        for from in (0..rows.count).step_by(ROWS_PER_STATEMENT) {
            rows.push_values(&mut sql, from..rows.count.min(from + ROWS_PER_STATEMENT));
            if is_few {
                sql.push("; ");
            } else {
                std::mem::replace(&mut sql, QueryBuilder::new("")).build().execute(&mut *conn).await?;
            }
        }
    }
    if is_few && !rows.is_empty() {
        sql.build().execute(conn).await?;
    }
    Ok(())
}

async fn together(conn: &mut PgConnection, rows: Vec<Rows<'_>>) -> Result<()> {
    let Some(district) = rows.first().map(|rows| rows.district) else { return Ok(()) };
    let mut first = 2;
    let mut parts = Vec::with_capacity(rows.len());
    for rows in &rows {
        parts.push(rows.arrays("$1::bigint", first, "") + &rows.closing());
        first += rows.columns.len();
    }
    let last = parts.pop().unwrap_or_default();
    let before: Vec<String> = parts.iter().enumerate().map(|(n, part)| format!("part{n} AS ({part})")).collect();
    let sql = if before.is_empty() { last } else { format!("WITH {} {last}", before.join(", ")) };
    sqlx::query_with(AssertSqlSafe(sql), arguments(&[district], rows)?).execute(conn).await?;
    Ok(())
}

/// Moves the head of a district on from where it `was` and writes what it numbers, without a look at what is stored: whether
/// it did. `PostgreSQL` gets one statement that is its own transaction, and does nothing where others have moved the head
/// since. In a file nobody else does; the transaction is left open. Neither does anything where a row's key is there already.
pub async fn write_unlocked<'a>(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    (was, now): (&Head, &Head),
    rows: impl IntoIterator<Item = Rows<'a>>,
) -> Result<bool> {
    let anew = |rows: Rows<'a>| Rows { conflict: "", ..rows };
    let mut rows: Vec<Rows<'a>> = rows.into_iter().filter(|rows| rows.count > 0).map(anew).collect();
    let written = match conn {
        Conn::Sqlite(c) => {
            rows.push(head::rows(district, now));
            in_file(c, "BEGIN IMMEDIATE; ", &rows).await.map(|()| true)
        }
        Conn::Postgres(c) => moved(c, head::moving(district, was, now), rows).await,
    };
    match written {
        Err(StoreError::Database(sqlx::Error::Database(error))) if error.is_unique_violation() => Ok(false),
        written => written,
    }
}

async fn moved(conn: &mut PgConnection, moving: [i64; 7], rows: Vec<Rows<'_>>) -> Result<bool> {
    let mut parts = vec![format!("WITH head AS ({})", head::MOVE)];
    let mut first = moving.len() + 1;
    for (n, rows) in rows.iter().enumerate() {
        parts.push(format!("part{n} AS ({})", rows.arrays("head.district", first, " FROM head")));
        first += rows.columns.len();
    }
    let sql = parts.join(", ") + " SELECT COUNT(*) FROM head";
    let moved: i64 = sqlx::query_scalar_with(AssertSqlSafe(sql), arguments(&moving, rows)?).fetch_one(conn).await?;
    Ok(moved == 1)
}

/// Some numbers, and then the columns of rows.
fn arguments(numbers: &[i64], rows: Vec<Rows<'_>>) -> Result<PgArguments> {
    let mut arguments = PgArguments::default();
    let add = || {
        numbers.iter().try_for_each(|number| arguments.add(number))?;
        rows.into_iter().flat_map(|rows| rows.columns).try_for_each(|(_, column)| match column {
            Column::Integer(values) => arguments.add(values),
            Column::Real(values) => arguments.add(values),
            Column::Text(values) => arguments.add(values),
            Column::Bytes(values) => arguments.add(values),
        })
    };
    add().map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}
