//! `PostGIS`: an accelerator and a door for GIS programs, where the server has it. Nothing here is needed.

use sqlx::{Connection as _, PgConnection};

use super::Result;

/// What a server has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostGis {
    /// The server does not have the extension.
    Absent,
    /// It is there, and this database's user may not create it or its views.
    Forbidden,
    /// In use, in this version.
    InUse(String),
}

/// Gives this database what GIS programs open, if the server can.
pub(super) async fn set_up(conn: &mut PgConnection) -> Result<PostGis> {
    const AVAILABLE: &str = "SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'";
    if let Some(version) = installed(conn).await? {
        return Ok(in_use(conn, version).await);
    }
    let available: i64 = sqlx::query_scalar(AVAILABLE).fetch_one(&mut *conn).await?;
    if available == 0 {
        return Ok(PostGis::Absent);
    }
    let made = sqlx::raw_sql("CREATE EXTENSION postgis").execute(&mut *conn).await;
    // Another server that starts at this moment may have been quicker.
    if let Some(version) = installed(conn).await? {
        return Ok(in_use(conn, version).await);
    }
    if let Err(error) = made {
        tracing::info!(%error, "PostGIS could not be made; a superuser may: CREATE EXTENSION postgis");
    }
    Ok(PostGis::Forbidden)
}

/// Opens the door; what keeps it shut is no reason not to serve.
async fn in_use(conn: &mut PgConnection, version: String) -> PostGis {
    match open_the_door(conn).await {
        Ok(()) => PostGis::InUse(version),
        Err(error) => {
            tracing::warn!(%error, "the views for GIS programs could not be made; guli serves without them");
            PostGis::Forbidden
        }
    }
}

/// The version that this database has.
async fn installed(conn: &mut PgConnection) -> Result<Option<String>> {
    const SQL: &str = "SELECT extversion FROM pg_extension WHERE extname = 'postgis'";
    Ok(sqlx::query_scalar(SQL).fetch_optional(conn).await?)
}

/// Columns, indexes and views; one process at a time, and nothing where all of it is there in this form.
async fn open_the_door(conn: &mut PgConnection) -> Result<()> {
    const SQL: &str = include_str!("postgis.sql");
    const MARK: &str = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'gis'";
    let mark = format!("guli {:016x}", fingerprint(SQL));
    let marked = |found: Option<Option<String>>| found.flatten().as_deref() == Some(&*mark);
    if marked(sqlx::query_scalar(MARK).fetch_optional(&mut *conn).await?) {
        return Ok(());
    }
    let mut transaction = conn.begin().await?;
    sqlx::raw_sql("LOCK TABLE _sqlx_migrations IN EXCLUSIVE MODE").execute(&mut *transaction).await?;
    if !marked(sqlx::query_scalar(MARK).fetch_optional(&mut *transaction).await?) {
        sqlx::raw_sql(SQL).execute(&mut *transaction).await?;
        let comment = format!("COMMENT ON SCHEMA gis IS '{mark}'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(comment)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Tells one text from another (FNV-1a).
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
