//! The truth: `SQLite` in the binary, or `PostgreSQL`; one portable statement per function.
//!
//! Every statement is written once and runs on both through `each!`; the few that must differ
//! stand in pairs in [`dialect`]. Reads take a [`Conn`] from the pool, writes the one of the
//! [`WriteConn`], which alone may write and checkpoint.

pub mod areas;
pub mod catalog;
pub mod citus;
pub mod compare;
pub mod copy;
pub mod cover_history;
pub mod cover_source;
pub mod cover_stage;
pub mod covers;
pub mod delivered;
mod dialect;
pub mod events;
pub mod findings;
pub mod head;
pub mod idempotency;
pub mod import_rows;
pub mod imports;
mod insert;
pub mod keys;
pub mod orders;
pub mod organizations;
pub mod people;
pub mod personal;
mod postgis;
mod postgres;
pub mod quality;
pub mod reports;
mod rows;
pub mod seal;
pub mod tables;
mod url;
mod wkb;
mod write;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Postgres, Sqlite, SqliteConnection, SqlitePool};

pub use insert::{Rows, Writing, write, write_unlocked};
pub use postgis::PostGis;
use postgres::Pools;
pub use postgres::{ImportLock, Listener};
pub use url::DatabaseUrl;
pub use write::WriteConn;

/// Runs one body on whichever database the connection is of; inside it `Db` is that database.
macro_rules! each {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn {
            $crate::store::Conn::Sqlite($c) => {
                type Db = sqlx::Sqlite;
                // Only multi-row statements name the database.
                let _ = std::marker::PhantomData::<Db>;
                let $c = &mut **$c;
                $body
            }
            $crate::store::Conn::Postgres($c) => {
                type Db = sqlx::Postgres;
                let _ = std::marker::PhantomData::<Db>;
                let $c = &mut **$c;
                $body
            }
        }
    };
}
pub(crate) use each;

/// Why the database did not do as asked. A refusal by the domain is not among these.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database cannot be reached or cannot write now: {0}")]
    Unavailable(#[source] sqlx::Error),
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
    #[error("the database holds {what} that cannot be read: {value}")]
    Corrupt { what: &'static str, value: String },
    #[error(
        "{0} is held by another process, mostly a server: stop it, or leave it running and use it (guli import, export, \
             resolve, history, doctor and key ask it by themselves)"
    )]
    Locked(PathBuf),
    #[error("{0}")]
    Setup(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // PostgreSQL has five characters: class 53 (resources), 57 (shutdown, a timeout), 08 (connection), 40 (a
        // deadlock, a serialization failure), 55P03 (a lock waited for in vain), 25006 (read only, after a failover). SQLite has numbers: BUSY 5, LOCKED 6, IOERR 10, FULL 13.
        let unavailable = match &error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                true
            }
            sqlx::Error::Database(db) => db.code().is_some_and(|code| is_unavailable(&code)),
            _ => false,
        };
        if unavailable { Self::Unavailable(error) } else { Self::Database(error) }
    }
}

impl StoreError {
    /// A server that does not answer, or has no connection to give.
    pub(crate) const fn silent() -> Self {
        Self::Unavailable(sqlx::Error::PoolTimedOut)
    }
}

fn is_unavailable(code: &str) -> bool {
    if code.len() == 5 {
        matches!(code, "25006" | "55P03") || matches!(&code[..2], "53" | "57" | "08" | "40")
    } else {
        code.parse::<i32>().is_ok_and(|number| matches!(number & 0xff, 5 | 6 | 10 | 13))
    }
}

pub(crate) fn corrupt(what: &'static str, value: impl std::fmt::Debug) -> StoreError {
    StoreError::Corrupt { what, value: format!("{value:?}") }
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// A table that keeps its past: its rows as they are, or as they were after the event `as_of`.
/// `columns` are those that are read, `district` among them.
fn at(table: &'static str, columns: &str, as_of: Option<i64>) -> String {
    match as_of {
        None => table.to_owned(),
        Some(seq) => format!(
            "(SELECT {columns} FROM {table} WHERE seq_from <= {seq} UNION ALL \
             SELECT {columns} FROM {table}_version WHERE seq_from <= {seq} AND seq_to > {seq}) AS {table}"
        ),
    }
}

/// A borrowed connection to either database.
#[derive(Debug)]
pub enum Conn<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// A connection for reading, held until dropped.
#[derive(Debug)]
pub enum ReadConn {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl ReadConn {
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(c) => Conn::Sqlite(c),
            Self::Postgres(c) => Conn::Postgres(c),
        }
    }
}

#[derive(Debug, Clone)]
enum Pool {
    Sqlite { pool: SqlitePool, write: Box<SqliteConnectOptions> },
    Postgres(Pools),
}

/// What a database is.
#[derive(Debug, Clone)]
pub struct Schema {
    /// `PostgreSQL 15.14`
    pub engine: String,
    /// Number and name of each migration that it has.
    pub migrations: Vec<(i64, String)>,
    /// `None` for a file.
    pub postgis: Option<PostGis>,
}

/// The database of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
    /// Keeps every other writing process out for as long as this one lives.
    _lock: Option<std::sync::Arc<std::fs::File>>,
}

impl Store {
    /// Opens, and creates or migrates, the database for serving: this process becomes the only writer.
    pub async fn open(url: &DatabaseUrl, max_page_count: Option<u32>) -> Result<Self> {
        let store = match url.file() {
            Some(file) => Self::open_sqlite(&file, max_page_count).await?,
            None => Self { pool: Pool::Postgres(Pools::open(url.as_str()).await?), _lock: None },
        };
        Ok(store)
    }

    async fn open_sqlite(file: &Path, max_page_count: Option<u32>) -> Result<Self> {
        let lock = lock_beside(file)?;
        let options = SqliteConnectOptions::from_str("sqlite://")
            .map_err(StoreError::from)?
            .filename(file)
            .foreign_keys(false)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(512)
            .disable_statement_logging();
        let mut write = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Each commit that moved pages goes through all of the cache: a larger one costs more than it saves.
            .pragma("cache_size", "-16384")
            // 32 MB of log between two foldings: an import writes most pages several times.
            .pragma("wal_autocheckpoint", "8192");
        if let Some(pages) = max_page_count {
            write = write.pragma("max_page_count", pages.to_string());
        }
        let mut first =
            write.connect().await.map_err(|e| StoreError::Setup(format!("cannot open {}: {e}", file.display())))?;
        sqlx::migrate!("migrations/sqlite").run_direct(None, &mut first, false).await.map_err(migration_error)?;
        first.close().await?;
        // Exactly one connection writes and checkpoints: see the WAL-reset bug of SQLite before 3.51.3.
        let read = options.create_if_missing(false).pragma("query_only", "true").pragma("wal_autocheckpoint", "0");
        let pool = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(read);
        Ok(Self { pool: Pool::Sqlite { pool, write: Box::new(write) }, _lock: Some(std::sync::Arc::new(lock)) })
    }

    /// Whether no other process can write.
    pub const fn is_exclusive(&self) -> bool {
        matches!(self.pool, Pool::Sqlite { .. })
    }

    /// A connection that reads.
    pub async fn read(&self) -> Result<ReadConn> {
        Ok(match &self.pool {
            Pool::Sqlite { pool, .. } => ReadConn::Sqlite(pool.acquire().await?),
            Pool::Postgres(pools) => ReadConn::Postgres(pools.read.acquire().await?),
        })
    }

    /// A connection that writes; of a file the only one, which the writer task holds.
    pub async fn write(&self) -> Result<WriteConn> {
        Ok(match &self.pool {
            Pool::Sqlite { write, .. } => WriteConn::Sqlite(write.connect().await?),
            Pool::Postgres(pools) => WriteConn::pooled(pools.write.acquire().await?, pools.writing),
        })
    }

    /// Whether whoever wants to write must wait until somebody gives a connection back.
    pub fn is_short_of_writers(&self) -> bool {
        match &self.pool {
            Pool::Sqlite { .. } => false,
            Pool::Postgres(pools) => pools.is_short_of_writers(),
        }
    }

    /// Waits for the right to import, among all processes; `None` where there are no others.
    pub async fn import_lock(&self) -> Result<Option<ImportLock>> {
        match &self.pool {
            Pool::Sqlite { .. } => Ok(None),
            Pool::Postgres(pools) => pools.import_lock().await.map(Some),
        }
    }

    /// The right to import where other processes might; `None` where one of them has it, or there are none.
    pub async fn free_import_lock(&self) -> Result<Option<ImportLock>> {
        match &self.pool {
            Pool::Sqlite { .. } => Ok(None),
            Pool::Postgres(pools) => pools.free_import_lock().await,
        }
    }

    /// Closes the readers; at a graceful end.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite { pool, .. } => pool.close().await,
            Pool::Postgres(pools) => pools.close().await,
        }
    }

    /// What the database is, and which migrations it has.
    pub async fn schema(&self) -> Result<Schema> {
        const MIGRATIONS: &str = "SELECT version, description FROM _sqlx_migrations ORDER BY version";
        let mut reader = self.read().await?;
        let conn = &mut reader.conn();
        let engine = dialect::engine(conn).await?;
        let migrations = each!(&mut *conn, c => sqlx::query_as(MIGRATIONS).fetch_all(c).await?);
        let postgis = match &self.pool {
            Pool::Sqlite { .. } => None,
            Pool::Postgres(pools) => Some(pools.postgis.clone()),
        };
        Ok(Schema { engine, migrations, postgis })
    }

    /// Hands the tables to Citus; those that it did not have. `None` for a file.
    pub async fn distribute(&self) -> Result<Option<Vec<&'static str>>> {
        match &self.pool {
            Pool::Sqlite { .. } => Ok(None),
            Pool::Postgres(pools) => citus::distribute(&pools.write).await.map(Some),
        }
    }

    /// Tells other processes that something was committed; where there may be none, nobody.
    pub async fn notify(&self) -> Result<()> {
        match &self.pool {
            Pool::Sqlite { .. } => Ok(()),
            Pool::Postgres(pools) => postgres::notify(&pools.read).await,
        }
    }

    /// Listens for what other processes commit; `None` where there may be none.
    pub async fn listen(&self) -> Result<Option<Listener>> {
        match &self.pool {
            Pool::Sqlite { .. } => Ok(None),
            Pool::Postgres(pools) => Listener::open(&pools.read).await.map(Some),
        }
    }
}

fn migration_error(error: sqlx::migrate::MigrateError) -> StoreError {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::VersionMissing(version) => StoreError::Setup(format!(
            "a newer guli has brought the database to migration {version}, which this one does not know: use that version"
        )),
        MigrateError::Execute(error) => error.into(),
        other => StoreError::Setup(format!("the database's schema does not fit this version of guli: {other}")),
    }
}

/// Takes the lock on the file beside the database, or says who holds it.
fn lock_beside(file: &Path) -> Result<std::fs::File> {
    let mut path = file.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let setup = |e: std::io::Error| StoreError::Setup(format!("cannot open {}: {e}", path.display()));
    let lock = std::fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(setup)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Locked(file.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => Err(setup(e)),
    }
}

/// The first 128 bits of a digest, as text.
fn digest_text(digest: &[u8]) -> String {
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    format!("{:032x}", u128::from_be_bytes(first))
}

/// Rows of one multi-row statement, below `SQLite`'s 32,766 parameters for any of our tables.
pub(crate) const ROWS_PER_STATEMENT: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        for (code, passes) in [
            ("13", true),
            ("778", true),
            ("2067", false),
            ("53100", true),
            ("57P01", true),
            ("08006", true),
            ("40001", true),
            ("40P01", true),
            ("55P03", true),
            ("57014", true),
            ("25006", true),
            ("23505", false),
            ("42P01", false),
        ] {
            assert_eq!(is_unavailable(code), passes, "{code}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let url = DatabaseUrl::from_str("postgres://guli:se:cr@t@db.example/guli").unwrap();
        assert_eq!(url.to_string(), "postgres://guli@db.example/guli");
        for (address, shown) in [
            (
                "postgres://guli@db.example/guli?sslmode=require&password=se@cret",
                "postgres://guli@db.example/guli?sslmode=require",
            ),
            ("postgres://guli:se?cret@db.example/guli", "postgres://…"),
        ] {
            let url = DatabaseUrl::from_str(address).unwrap();
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), format!("DatabaseUrl({shown})")));
        }
        assert_eq!(DatabaseUrl::from_str("sqlite://a/guli.db").unwrap().file(), Some("a/guli.db".into()));
        assert!(DatabaseUrl::from_str("mysql://x").is_err());
    }
}
