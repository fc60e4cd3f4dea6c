//! What only `PostgreSQL` has: a server that may be away, too old or closed to us, and notices to other processes.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};

use super::postgis::{self, PostGis};
use super::{Result, StoreError, Writing, citus};

/// Connections of one process: as many for those who read as for those who write.
const CONNECTIONS: u32 = 8;
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 1_024;
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// The oldest server that is supported.
const OLDEST: i32 = 140_000;
/// The lock of those who import: "guli" in ASCII.
const IMPORTING: i64 = 0x6775_6c69;
/// How long a connection that is given back may take to say that it is alive.
const ALIVE: Duration = Duration::from_secs(2);
/// Where changes are told to other processes.
const CHANNEL: &str = "guli";

/// The two pools of a process: reading never keeps a report from being written.
#[derive(Debug, Clone)]
pub(super) struct Pools {
    pub(super) read: PgPool,
    pub(super) write: PgPool,
    pub(super) postgis: PostGis,
    pub(super) writing: Writing,
}

impl Pools {
    /// Connects, checks the server, and brings the schema to this version.
    pub(super) async fn open(url: &str) -> Result<Self> {
        let options = options(url)?;
        // One connection of its own first: a pool says only that it waited in vain.
        let connecting = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options));
        let away = || StoreError::silent();
        let mut conn = connecting.await.map_err(|_| away())?.map_err(|error| refused(error, &options))?;
        check_version(&mut conn).await?;
        migrate(&mut conn, &options).await?;
        let postgis = postgis::set_up(&mut conn).await?;
        let writing = if citus::is_there(&mut conn).await? { Writing::Apart } else { Writing::Together };
        conn.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .idle_timeout(Duration::from_mins(5))
            // One whose reader gave up waiting for a silent server would keep its place for as long as TCP hopes.
            .after_release(|conn, _| {
                Box::pin(async move {
                    let silent = |_| sqlx::Error::PoolTimedOut;
                    tokio::time::timeout(ALIVE, conn.ping()).await.map_err(silent)?.map(|()| true)
                })
            });
        let read = pool.clone().connect_lazy_with(options.clone());
        let write = pool.connect_lazy_with(options);
        Ok(Self { read, write, postgis, writing })
    }

    pub(super) fn is_short_of_writers(&self) -> bool {
        self.write.num_idle() == 0 && self.write.size() >= CONNECTIONS
    }

    /// Waits for the right to import.
    pub(super) async fn import_lock(&self) -> Result<ImportLock> {
        let mut conn = self.to_import().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(IMPORTING).execute(&mut conn).await?;
        Ok(ImportLock { _holding: conn })
    }

    /// The right to import, if nobody has it.
    pub(super) async fn free_import_lock(&self) -> Result<Option<ImportLock>> {
        let mut conn = self.to_import().await?;
        let free = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(IMPORTING);
        let free: bool = free.fetch_one(&mut conn).await?;
        Ok(free.then_some(ImportLock { _holding: conn }))
    }

    /// A connection with a transaction that may last as long as an import.
    async fn to_import(&self) -> Result<PgConnection> {
        const SQL: &str = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                           SET LOCAL idle_in_transaction_session_timeout = 0";
        let mut conn = PgConnection::connect_with(&self.write.connect_options()).await?;
        sqlx::raw_sql(SQL).execute(&mut conn).await?;
        Ok(conn)
    }

    /// Closes what is idle, and waits for the rest only so long.
    pub(super) async fn close(&self) {
        let close = async {
            self.read.close().await;
            self.write.close().await;
        };
        let _ = tokio::time::timeout(PATIENCE, close).await;
    }
}

fn options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| StoreError::Setup(format!("wrong database address: {error}")))?;
    Ok(options
        .application_name("guli")
        // Each number of rows is a statement of its own, and preparing one costs more than running it.
        .statement_cache_capacity(STATEMENTS)
        .options([
            ("synchronous_commit", "on"),
            ("default_transaction_isolation", "read committed"),
            ("statement_timeout", "30s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "30s"),
        ])
        .disable_statement_logging())
}

/// Why a connection was refused, and what to do.
fn refused(error: sqlx::Error, options: &PgConnectOptions) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
    let (name, user) = (options.get_database().unwrap_or("(none named)"), options.get_username());
    let what = match code.as_deref() {
        Some("3D000") => format!("there is no database {name:?} on the server: createdb {name}"),
        Some("28P01" | "28000") => {
            format!("the server refuses user {user:?}: check the name, the password and pg_hba.conf")
        }
        Some("42501") => {
            format!("user {user:?} may not connect to {name:?}: GRANT CONNECT ON DATABASE {name} TO {user}")
        }
        _ => return error.into(),
    };
    StoreError::Setup(format!("{what} ({error})"))
}

async fn check_version(conn: &mut PgConnection) -> Result<()> {
    let version: String = sqlx::query_scalar("SHOW server_version_num").fetch_one(conn).await?;
    is_new_enough(&version)
}

/// Of a `server_version_num`, such as 150008.
fn is_new_enough(version: &str) -> Result<()> {
    let version: i32 = version.parse().unwrap_or(0);
    if version < OLDEST {
        let (is, needs) = (version / 10_000, OLDEST / 10_000);
        return Err(StoreError::Setup(format!("the server is PostgreSQL {is}; guli needs {needs} or later")));
    }
    Ok(())
}

async fn migrate(conn: &mut PgConnection, options: &PgConnectOptions) -> Result<()> {
    // A migration may rewrite a table of millions of rows.
    sqlx::raw_sql("SET statement_timeout = 0; SET lock_timeout = 0").execute(&mut *conn).await?;
    sqlx::migrate!("migrations/postgres").run_direct(None, conn, false).await.map_err(|error| {
        let denied = |error: &sqlx::Error| {
            error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "42501")
        };
        match &error {
            sqlx::migrate::MigrateError::Execute(cause) | sqlx::migrate::MigrateError::ExecuteMigration(cause, _)
                if denied(cause) =>
            {
                let user = options.get_username();
                StoreError::Setup(format!(
                    "user {user:?} may not create guli's tables: GRANT CREATE, USAGE ON SCHEMA public TO {user} ({cause})"
                ))
            }
            _ => super::migration_error(error),
        }
    })
}

/// Tells every process that listens that something was committed.
pub(super) async fn notify(pool: &PgPool) -> Result<()> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(pool).await?;
    Ok(())
}

/// Keeps other processes from importing: a transaction that does nothing but hold a lock. It ends with its connection, and
/// so with a process that crashes.
#[derive(Debug)]
pub struct ImportLock {
    _holding: PgConnection,
}

/// Waits for what other processes commit.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    pub(super) async fn open(pool: &PgPool) -> Result<Self> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.ignore_pool_close_event(true);
        listener.listen(CHANNEL).await?;
        Ok(Self(listener))
    }

    /// Waits for the next notice; an error is a connection that broke.
    pub async fn wait(&mut self) -> Result<()> {
        self.0.try_recv().await?.ok_or(StoreError::Unavailable(sqlx::Error::PoolClosed))?;
        // What came together wakes once.
        while self.0.next_buffered().is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_is_told_which_one_is_needed() {
        for (version, said) in [
            ("130014", "the server is PostgreSQL 13; guli needs 14 or later"),
            ("90624", "the server is PostgreSQL 9; guli needs 14 or later"),
        ] {
            assert_eq!(is_new_enough(version).unwrap_err().to_string(), said);
        }
        assert!(is_new_enough("140000").is_ok() && is_new_enough("150008").is_ok());
    }
}
