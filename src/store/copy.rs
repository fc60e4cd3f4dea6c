//! One database copied into another, of either kind, and compared with it.
//!
//! Every table of [`TABLES`] goes over in pages, in the order of its key. A page and how far it brings its table
//! (`copy_progress`) are one commit, so that an interrupted copy goes on where it stopped. As long as there is progress,
//! the target is served to nobody ([`require_complete`]); it is forgotten when the comparison has found no difference.

use std::path::PathBuf;

use sqlx::QueryBuilder;

use super::compare::{self, Comparison};
use super::rows::{self, Key, Row};
use super::tables::{TABLES, Table};
use super::{Conn, DatabaseUrl, ReadConn, Result, Store, StoreError, WriteConn, corrupt, dialect, each, imports};

/// How far a copy or a comparison is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    pub table: &'static str,
    /// Rows of all tables so far.
    pub done: u64,
    /// Rows of all tables of the source.
    pub of: u64,
}

/// What is told while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An earlier run has copied so many rows; this one goes on from there.
    Resumed {
        rows: u64,
    },
    Copied(At),
    Compared(At),
}

/// What a copy came to.
#[derive(Debug)]
pub struct Copied {
    /// Rows that an earlier run had copied, where this one went on.
    pub resumed: Option<u64>,
    /// Rows that this run has copied.
    pub rows: u64,
    /// Every table, compared after the copy. Where one differs, the target stays unserved.
    pub tables: Vec<Comparison>,
}

/// Whether the target must be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    MayBeMade,
    MustExist,
}

/// The two databases, both of this version's schema. Nobody else writes to one that is a file.
#[derive(Debug)]
pub struct Databases {
    source: Store,
    target: Store,
    source_name: String,
    target_name: String,
}

/// How far a table has come.
#[derive(Debug, Default)]
struct Reached {
    last: Option<Key>,
    rows: u64,
}

/// A database read as it was at one instant.
#[derive(Debug)]
pub(super) struct Snapshot(ReadConn);

impl Snapshot {
    async fn of(store: &Store) -> Result<Self> {
        let mut conn = store.read().await?;
        dialect::begin_snapshot(conn.conn()).await?;
        Ok(Self(conn))
    }

    pub(super) fn conn(&mut self) -> Conn<'_> {
        self.0.conn()
    }

    /// Rows of all tables.
    async fn rows(&mut self) -> Result<u64> {
        let mut all = 0;
        for table in TABLES {
            all += rows::count(&mut self.conn(), table).await?;
        }
        Ok(all)
    }

    async fn end(mut self) -> Result<()> {
        dialect::rollback(self.conn()).await
    }
}

impl Databases {
    /// Opens both; that migrates them.
    pub async fn open(
        from: &DatabaseUrl,
        to: &DatabaseUrl,
        target: Target,
        max_page_count: Option<u32>,
    ) -> Result<Self> {
        let (source_name, target_name) = (name(from), name(to));
        if source_name == target_name {
            return Err(StoreError::Setup(format!("{source_name} is both the source and the target")));
        }
        must_exist(from)?;
        if target == Target::MustExist {
            must_exist(to)?;
        }
        let source = Store::open(from, None).await.map_err(held)?;
        require_settled(&mut source.read().await?.conn(), &source_name).await?;
        let target = Store::open(to, max_page_count).await.map_err(held)?;
        Ok(Self { source, target, source_name, target_name })
    }

    /// Copies what is not copied yet, and compares. May be dropped at any time: opened again, it goes on where it stopped.
    pub async fn copy(&self, tell: &mut (dyn FnMut(Event) + Send)) -> Result<Copied> {
        let mut source = Snapshot::of(&self.source).await?;
        require_settled(&mut source.conn(), &self.source_name).await?;
        let of = source.rows().await?;
        let mut writer = self.target.write().await?;
        writer.begin().await?;
        let found = reached(&mut writer.conn(), &self.source_name).await;
        writer.commit().await?;
        let found = found?;
        let resumed = found.as_ref().map(|tables| tables.iter().map(|table| table.rows).sum());
        let mut tables = match found {
            Some(tables) => tables,
            None => self.begin(&mut writer).await?,
        };
        if let Some(rows) = resumed {
            tell(Event::Resumed { rows });
        }
        let mut done = resumed.unwrap_or_default();
        for (position, (table, reached)) in TABLES.iter().zip(&mut tables).enumerate() {
            let mut told = |rows| {
                done += rows;
                tell(Event::Copied(At { table: table.name, done, of }));
            };
            copy_table(&mut source, &mut writer, (position, table), reached, &mut told).await?;
        }
        let tables = self.compare_with(source, of, tell).await?;
        if tables.iter().all(Comparison::is_same) {
            each!(&mut writer.conn(), c => sqlx::query("DELETE FROM copy_progress").execute(c).await.map(drop)?);
        }
        writer.close().await?;
        Ok(Copied { resumed, rows: done - resumed.unwrap_or_default(), tables })
    }

    /// Compares every table, and writes nothing.
    pub async fn verify(&self, tell: &mut (dyn FnMut(Event) + Send)) -> Result<Vec<Comparison>> {
        let mut source = Snapshot::of(&self.source).await?;
        let of = source.rows().await?;
        self.compare_with(source, of, tell).await
    }

    /// Closes both.
    pub async fn close(self) {
        self.source.close().await;
        self.target.close().await;
    }

    async fn compare_with(
        &self,
        mut source: Snapshot,
        of: u64,
        tell: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Vec<Comparison>> {
        let mut target = Snapshot::of(&self.target).await?;
        let mut tables = Vec::with_capacity(TABLES.len());
        let mut done = 0;
        for table in TABLES {
            let mut told = |rows| {
                done += rows;
                tell(Event::Compared(At { table: table.name, done, of }));
            };
            tables.push(compare::table(&mut source, &mut target, table, &mut told).await?);
        }
        source.end().await?;
        target.end().await?;
        Ok(tables)
    }

    /// Notes that a copy has begun, in a target that holds nothing.
    async fn begin(&self, writer: &mut WriteConn) -> Result<Vec<Reached>> {
        writer.begin().await?;
        for table in TABLES {
            if !rows::is_empty(&mut writer.conn(), table).await? {
                writer.rollback().await?;
                return Err(StoreError::Setup(format!(
                    "{} holds data already (in table {}): copy into a new file, or into a database that was just created. \
                     --verify compares the two as they are",
                    self.target_name, table.name
                )));
            }
        }
        each!(&mut writer.conn(), c => {
            let mut sql = QueryBuilder::<Db>::new("INSERT INTO copy_progress (position, table_name, copied, source) ");
            sql.push_values((0_i64..).zip(TABLES), |mut row, (position, table)| {
                row.push_bind(position).push_bind(table.name).push_bind(0_i64).push_bind(self.source_name.as_str());
            });
            sql.build().execute(c).await.map(drop)?;
        });
        writer.commit().await?;
        Ok(TABLES.iter().map(|_| Reached::default()).collect())
    }
}

/// Refuses a database into which a copy has begun that did not come to its end.
pub async fn require_complete(conn: &mut Conn<'_>) -> Result<()> {
    const SQL: &str = "SELECT source FROM copy_progress WHERE position = 0";
    let source: Option<String> = each!(conn, c => sqlx::query_scalar(SQL).fetch_optional(c).await?);
    match source {
        None => Ok(()),
        Some(source) => Err(StoreError::Setup(format!(
            "the database holds a copy of {source} that is not complete: run the same guli copy again, which goes on where \
             it stopped, or empty the database"
        ))),
    }
}

/// Refuses a source that is in the middle of something.
async fn require_settled(conn: &mut Conn<'_>, name: &str) -> Result<()> {
    require_complete(conn).await?;
    match imports::in_state(conn, "applying").await?.first() {
        None => Ok(()),
        Some(import) => Err(StoreError::Setup(format!(
            "{name} is in the middle of importing {}: let a server finish that (it does so when it starts), then copy again",
            import.file
        ))),
    }
}

/// How far each table has come in an earlier run; none if there was none. Within a transaction.
async fn reached(conn: &mut Conn<'_>, source: &str) -> Result<Option<Vec<Reached>>> {
    // Waits for what an earlier run, killed just now, has sent to a PostgreSQL and not yet got an answer to.
    const LOCK: &str = "UPDATE copy_progress SET copied = copied";
    const SQL: &str = "SELECT table_name, last_key, copied, source FROM copy_progress ORDER BY position";
    each!(&mut *conn, c => sqlx::query(LOCK).execute(c).await.map(drop)?);
    let found: Vec<(String, Option<String>, i64, String)> = each!(conn, c => sqlx::query_as(SQL).fetch_all(c).await?);
    let Some((_, _, _, begun_from)) = found.first() else { return Ok(None) };
    if begun_from != source {
        return Err(StoreError::Setup(format!(
            "the target holds a copy of {begun_from} that is not complete: go on with --from {begun_from}, or empty the target"
        )));
    }
    if found.iter().map(|(table, ..)| table.as_str()).ne(TABLES.iter().map(|table| table.name)) {
        return Err(StoreError::Setup(
            "the target holds a copy that another version of guli has begun: go on with that version, or empty the target"
                .to_owned(),
        ));
    }
    let tables = found.iter().zip(TABLES).map(|((_, last, rows, _), table)| {
        let last = last.as_deref().map(|last| rows::read_key(table, last)).transpose()?;
        Ok(Reached { last, rows: rows.unsigned_abs() })
    });
    tables.collect::<Result<_>>().map(Some)
}

/// Copies what follows of a table; reads the next page while one is written.
async fn copy_table(
    source: &mut Snapshot,
    writer: &mut WriteConn,
    (position, table): (usize, &'static Table),
    reached: &mut Reached,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<()> {
    let mut conn = source.conn();
    let mut page = rows::page(&mut conn, table, reached.last.as_ref()).await?;
    told(0);
    while let Some(last) = page.last() {
        let key = rows::key(table, last);
        let next = rows::page(&mut conn, table, Some(&key));
        let (next, written) = tokio::join!(next, write(writer, (position, table), reached.rows, &page, &key));
        written?;
        let rows = page.len() as u64;
        *reached = Reached { last: Some(key), rows: reached.rows + rows };
        told(rows);
        page = next?;
    }
    Ok(())
}

/// Commits a page, and that its table has come so far.
async fn write(
    writer: &mut WriteConn,
    (position, table): (usize, &Table),
    before: u64,
    page: &[Row],
    key: &Key,
) -> Result<()> {
    const SQL: &str = "UPDATE copy_progress SET last_key = $3, copied = $4 WHERE position = $1 AND copied = $2";
    writer.begin().await?;
    let after = before + page.len() as u64;
    // First, so that of two copies into one database the second waits here and then finds that it is not alone.
    let changed = each!(&mut writer.conn(), c => sqlx::query(SQL)
        .bind(i64::try_from(position).map_err(|e| corrupt("a position", e))?)
        .bind(before.cast_signed())
        .bind(rows::write_key(key))
        .bind(after.cast_signed())
        .execute(c)
        .await?
        .rows_affected());
    if changed != 1 {
        writer.rollback().await?;
        return Err(StoreError::Setup(
            "another process copies into the same database: wait until it is done".to_owned(),
        ));
    }
    rows::insert(&mut writer.conn(), table, page).await?;
    writer.commit().await
}

/// What a database is called from wherever the command is run, without a password.
fn name(url: &DatabaseUrl) -> String {
    let Some(file) = url.file() else {
        let shown = url.to_string();
        return shown.split('?').next().unwrap_or_default().to_owned();
    };
    let absolute = std::fs::canonicalize(&file).or_else(|_| std::path::absolute(&file));
    format!("sqlite://{}", absolute.unwrap_or(file).display())
}

/// Refuses a file that is not there: opening would make it.
fn must_exist(url: &DatabaseUrl) -> Result<()> {
    match url.file().filter(|file| !file.exists()) {
        None => Ok(()),
        Some(file) => Err(StoreError::Setup(format!("there is no database {}", file.display()))),
    }
}

fn held(error: StoreError) -> StoreError {
    let message = |file: PathBuf| {
        format!(
            "{} is held by a running server or another command: stop it, or wait until it is done; nobody may write to \
             either database while it is copied",
            file.display()
        )
    };
    match error {
        StoreError::Locked(file) => StoreError::Setup(message(file)),
        other => other,
    }
}
