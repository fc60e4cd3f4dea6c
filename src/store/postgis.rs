//! `PostGIS`: an accelerator and a door for GIS programs, where the server has it. Nothing here is needed.

use sqlx::{Connection as _, PgConnection};

use super::Result;

/// What a server has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostGis {
    /// The server does not have the extension.
    Absent,
    /// It is there, and this database's user may not create it.
    Forbidden,
    /// In use, in this version.
    InUse(String),
}

/// Gives this database what GIS programs open, if the server can.
pub(super) async fn set_up(conn: &mut PgConnection) -> Result<PostGis> {
    const AVAILABLE: &str = "SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'";
    const INSTALLED: &str = "SELECT extversion FROM pg_extension WHERE extname = 'postgis'";
    let installed: Option<String> = sqlx::query_scalar(INSTALLED).fetch_optional(&mut *conn).await?;
    let version = match installed {
        Some(version) => version,
        None => {
            let available: i64 = sqlx::query_scalar(AVAILABLE).fetch_one(&mut *conn).await?;
            if available == 0 {
                return Ok(PostGis::Absent);
            }
            match sqlx::raw_sql("CREATE EXTENSION postgis").execute(&mut *conn).await {
                Ok(_) => sqlx::query_scalar(INSTALLED).fetch_one(&mut *conn).await?,
                // Another server that starts at this moment may have been quicker.
                Err(error) => match sqlx::query_scalar(INSTALLED).fetch_optional(&mut *conn).await? {
                    Some(version) => version,
                    None => {
                        tracing::info!(%error, "PostGIS could not be made; a superuser may: CREATE EXTENSION postgis");
                        return Ok(PostGis::Forbidden);
                    }
                },
            }
        }
    };
    open_the_door(conn).await?;
    Ok(PostGis::InUse(version))
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
