//! Rows of any table, as both databases have them: read in the order of their keys, written many at once.

use std::cmp::Ordering;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::{QueryBuilder, Row as _};

use super::tables::{Kind, Table};
use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, each};

/// A value of a column.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The values of a row, in the order of the table's columns.
pub(super) type Row = Vec<Cell>;

/// The values of a row's key.
pub(super) type Key = Vec<Cell>;

/// Binds a value as what its column holds.
macro_rules! bind_cell {
    ($list:expr, $kind:expr, $cell:expr) => {
        match ($cell, $kind) {
            (Cell::Integer(value), _) => drop($list.push_bind(*value)),
            (Cell::Real(value), _) => drop($list.push_bind(*value)),
            (Cell::Text(value), _) => drop($list.push_bind(value.as_str())),
            (Cell::Bytes(value), _) => drop($list.push_bind(value.as_slice())),
            (Cell::Null, Kind::Integer) => drop($list.push_bind(None::<i64>)),
            (Cell::Null, Kind::Real) => drop($list.push_bind(None::<f64>)),
            (Cell::Null, Kind::Text) => drop($list.push_bind(None::<&str>)),
            (Cell::Null, Kind::Bytes) => drop($list.push_bind(None::<&[u8]>)),
        }
    };
}

/// Reads the value at a place of a row.
macro_rules! read_cell {
    ($row:expr, $kind:expr, $at:expr) => {
        match $kind {
            Kind::Integer => $row.try_get::<Option<i64>, _>($at)?.map_or(Cell::Null, Cell::Integer),
            Kind::Real => $row.try_get::<Option<f64>, _>($at)?.map_or(Cell::Null, Cell::Real),
            Kind::Text => $row.try_get::<Option<String>, _>($at)?.map_or(Cell::Null, Cell::Text),
            Kind::Bytes => $row.try_get::<Option<Vec<u8>>, _>($at)?.map_or(Cell::Null, Cell::Bytes),
        }
    };
}

/// How many rows a table has.
pub(super) async fn count(conn: &mut Conn<'_>, table: &Table) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM {}", table.name);
    let rows: i64 = each!(conn, c => sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(c).await?);
    Ok(rows.unsigned_abs())
}

/// Whether a table has no row.
pub(super) async fn is_empty(conn: &mut Conn<'_>, table: &Table) -> Result<bool> {
    let sql = format!("SELECT {} FROM {} LIMIT 1", table.columns[0].name, table.name);
    Ok(each!(conn, c => sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_optional(c).await?.is_none()))
}

/// The next rows after a key, in the keys' order; none at the end.
pub(super) async fn page(conn: &mut Conn<'_>, table: &Table, after: Option<&Key>) -> Result<Vec<Row>> {
    let (columns, key) = (table.column_list(), table.key.join(", "));
    each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(format!("SELECT {columns} FROM {}", table.name));
        if let Some(after) = after {
            sql.push(format!(" WHERE ({key}) > ("));
            let mut list = sql.separated(", ");
            for (cell, at) in after.iter().zip(table.key_places()) {
                bind_cell!(list, table.columns[at].kind, cell);
            }
            sql.push(")");
        }
        sql.push(format!(" ORDER BY {key} LIMIT {ROWS_PER_STATEMENT}"));
        let found = sql.build().fetch_all(c).await?;
        let mut rows = Vec::with_capacity(found.len());
        for row in found {
            let mut cells = Row::with_capacity(table.columns.len());
            for (at, column) in table.columns.iter().enumerate() {
                cells.push(read_cell!(row, column.kind, at));
            }
            rows.push(cells);
        }
        Ok(rows)
    })
}

/// Writes the rows of a [`page`] by one statement.
pub(super) async fn insert(conn: &mut Conn<'_>, table: &Table, rows: &[Row]) -> Result<()> {
    each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(format!("INSERT INTO {} ({}) ", table.name, table.column_list()));
        sql.push_values(rows, |mut list, row| {
            for (cell, column) in row.iter().zip(table.columns) {
                bind_cell!(list, column.kind, cell);
            }
        });
        sql.build().execute(c).await.map(drop)?;
    });
    Ok(())
}

/// The key of a row.
pub(super) fn key(table: &Table, row: &Row) -> Key {
    table.key_places().map(|at| row[at].clone()).collect()
}

/// A key as it is kept between two runs; [`read_key`] reads it.
pub(super) fn write_key(key: &Key) -> String {
    let value = |cell: &Cell| match cell {
        Cell::Null => Value::Null,
        Cell::Integer(value) => Value::from(*value),
        Cell::Real(value) => Value::from(*value),
        Cell::Text(value) => Value::from(value.as_str()),
        Cell::Bytes(value) => Value::from(hex(value)),
    };
    Value::Array(key.iter().map(value).collect()).to_string()
}

/// The key that [`write_key`] wrote.
pub(super) fn read_key(table: &Table, text: &str) -> Result<Key> {
    let wrong = || corrupt("the progress of a copy", text);
    let values: Vec<Value> = serde_json::from_str(text).map_err(|_| wrong())?;
    let kinds: Vec<Kind> = table.key_places().map(|at| table.columns[at].kind).collect();
    let cell = |(value, kind): (&Value, &Kind)| match kind {
        Kind::Integer => value.as_i64().map(Cell::Integer),
        Kind::Real => value.as_f64().map(Cell::Real),
        Kind::Text => value.as_str().map(|text| Cell::Text(text.to_owned())),
        Kind::Bytes => value.as_str().and_then(unhex).map(Cell::Bytes),
    };
    let key: Option<Key> = values.iter().zip(&kinds).map(cell).collect();
    key.filter(|key| key.len() == kinds.len()).ok_or_else(wrong)
}

/// A key for people: `370203/0190b1c2…`.
pub(super) fn show_key(key: &Key) -> String {
    let text = |cell: &Cell| match cell {
        Cell::Null => "—".to_owned(),
        Cell::Integer(value) => value.to_string(),
        Cell::Real(value) => value.to_string(),
        Cell::Text(value) => value.clone(),
        Cell::Bytes(value) => hex(value),
    };
    key.iter().map(text).collect::<Vec<_>>().join("/")
}

/// Which of two keys comes first in the databases.
pub(super) fn order(one: &Key, other: &Key) -> Ordering {
    one.partial_cmp(other).unwrap_or(Ordering::Equal)
}

/// Takes a row into a hash, so that no two rows look alike.
pub(super) fn feed(hash: &mut Sha256, row: &Row) {
    for cell in row {
        match cell {
            Cell::Null => hash.update([0]),
            Cell::Integer(value) => hash.update([&[1], value.to_le_bytes().as_slice()].concat()),
            // SQLite keeps whole numbers without their sign of zero.
            Cell::Real(value) => hash.update([&[2], (value + 0.0).to_le_bytes().as_slice()].concat()),
            Cell::Text(value) => long(hash, 3, value.as_bytes()),
            Cell::Bytes(value) => long(hash, 4, value),
        }
    }
}

fn long(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tables::TABLES;
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let table = TABLES.iter().find(|table| table.name == "duty").unwrap();
        let whole = vec![
            Cell::Integer(i64::MAX),
            Cell::Integer(-1),
            Cell::Text("巡查 \"a\"/\\".to_owned()),
            Cell::Bytes(vec![0, 15, 255]),
        ];
        assert_eq!(read_key(table, &write_key(&whole)).unwrap(), whole);
        assert!(read_key(table, "[1, 2]").is_err());
        assert!(read_key(table, "[1, 2, \"a\", \"f\"]").is_err());
    }

    #[test]
    fn rows_that_differ_hash_differently() {
        let hash = |row: &[Cell]| {
            let mut hash = Sha256::new();
            feed(&mut hash, &row.to_vec());
            hash.finalize()
        };
        let text = |text: &str| Cell::Text(text.to_owned());
        assert_ne!(hash(&[text("ab"), text("c")]), hash(&[text("a"), text("bc")]));
        assert_ne!(hash(&[text("")]), hash(&[Cell::Null]));
        assert_ne!(hash(&[text("a")]), hash(&[Cell::Bytes(b"a".to_vec())]));
        assert_ne!(hash(&[Cell::Real(0.1)]), hash(&[Cell::Real(0.1 + f64::EPSILON)]));
        assert_eq!(hash(&[Cell::Real(-0.0)]), hash(&[Cell::Real(0.0)]));
    }

    #[test]
    fn every_statement_stays_below_the_parameters_that_sqlite_takes() {
        for table in TABLES {
            assert!(table.columns.len() * ROWS_PER_STATEMENT <= 32_766, "{}", table.name);
            assert_eq!(table.key_places().count(), table.key.len(), "{}", table.name);
        }
    }
}
