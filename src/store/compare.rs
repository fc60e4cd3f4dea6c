//! Two databases compared, table by table, in the order of their keys.

use std::cmp::Ordering;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::copy::Snapshot;
use super::rows::{self, Key, Row};
use super::tables::Table;
use super::{Conn, Result};

/// What one database has of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    pub rows: u64,
    /// Of all rows in the order of their keys, as hexadecimal digits.
    pub sha256: String,
}

/// A table of both.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    pub table: &'static str,
    pub source: Side,
    pub target: Side,
    /// The first row that only one has or that differs, for people.
    pub first_difference: Option<String>,
}

impl Comparison {
    /// Whether both have the same rows.
    pub fn is_same(&self) -> bool {
        self.source == self.target
    }
}

/// One database's rows while they are read.
#[derive(Default)]
struct Reading {
    after: Option<Key>,
    rows: u64,
    hash: Sha256,
}

impl Reading {
    async fn next(&mut self, conn: &mut Conn<'_>, table: &Table) -> Result<Vec<Row>> {
        let page = rows::page(conn, table, self.after.as_ref()).await?;
        page.iter().for_each(|row| rows::feed(&mut self.hash, row));
        self.rows += page.len() as u64;
        if let Some(last) = page.last() {
            self.after = Some(rows::key(table, last));
        }
        Ok(page)
    }

    fn end(self) -> Side {
        Side { rows: self.rows, sha256: rows::hex(&self.hash.finalize()) }
    }
}

/// Compares a table; tells how many of the source's rows each page had.
pub(super) async fn table(
    source: &mut Snapshot,
    target: &mut Snapshot,
    table: &'static Table,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<Comparison> {
    let (mut from, mut to) = (source.conn(), target.conn());
    let (mut here, mut there) = (Reading::default(), Reading::default());
    let mut first = None;
    loop {
        let (ours, theirs) = tokio::join!(here.next(&mut from, table), there.next(&mut to, table));
        let (ours, theirs) = (ours?, theirs?);
        told(ours.len() as u64);
        if ours.is_empty() && theirs.is_empty() {
            break;
        }
        // As long as there was no difference, both pages begin with the same key.
        first = first.or_else(|| difference(table, &ours, &theirs));
    }
    Ok(Comparison { table: table.name, source: here.end(), target: there.end(), first_difference: first })
}

/// The first row of two pages that only one has or that differs.
fn difference(table: &Table, ours: &[Row], theirs: &[Row]) -> Option<String> {
    let same = ours.iter().zip(theirs).take_while(|(one, other)| one == other).count();
    let key = |row: &Row| rows::key(table, row);
    let only = |row: &Row, side: &str| format!("{} is in the {side} alone", rows::show_key(&key(row)));
    match (ours.get(same), theirs.get(same)) {
        (None, None) => None,
        (Some(row), None) => Some(only(row, "source")),
        (None, Some(row)) => Some(only(row, "target")),
        (Some(one), Some(other)) => Some(match rows::order(&key(one), &key(other)) {
            Ordering::Less => only(one, "source"),
            Ordering::Greater => only(other, "target"),
            Ordering::Equal => {
                let columns = table.columns.iter().zip(one.iter().zip(other)).filter(|(_, (one, other))| one != other);
                let names: Vec<&str> = columns.map(|(column, _)| column.name).collect();
                format!("{} differs in {}", rows::show_key(&key(one)), names.join(", "))
            }
        }),
    }
}
