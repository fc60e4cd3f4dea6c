//! What became of each row of a file, in pieces, for as long as somebody may ask.

use jiff::Timestamp;

use super::{Conn, Result, each};
use crate::domain::id::{DistrictCode, ImportId};

/// A piece of an import's rows.
#[derive(Debug, Clone)]
pub struct Piece {
    pub district: DistrictCode,
    pub import: ImportId,
    /// Counted from 0.
    pub number: i64,
    /// Compressed.
    pub rows: Vec<u8>,
}

/// Keeps a piece.
pub async fn put(conn: &mut Conn<'_>, piece: &Piece, retain_until: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO import_rows (district, id, piece, retain_until, rows) VALUES ($1, $2, $3, $4, $5)";
    each!(conn, c => sqlx::query(SQL)
        .bind(piece.district.as_i64()).bind(piece.import.0.as_bytes().as_slice()).bind(piece.number)
        .bind(retain_until.as_microsecond()).bind(piece.rows.as_slice())
        .execute(c).await.map(drop)?);
    Ok(())
}

/// A piece, if it is kept.
pub async fn read(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    import: ImportId,
    number: i64,
) -> Result<Option<Vec<u8>>> {
    const SQL: &str = "SELECT rows FROM import_rows WHERE district = $1 AND id = $2 AND piece = $3";
    Ok(each!(conn, c => sqlx::query_scalar(SQL)
        .bind(district.as_i64()).bind(import.0.as_bytes().as_slice()).bind(number).fetch_optional(c).await?))
}

/// Removes what is past its end; returns how many pieces.
pub async fn purge(conn: &mut Conn<'_>, district: DistrictCode, now: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM import_rows WHERE district = $1 AND retain_until < $2";
    Ok(each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(now.as_microsecond()).execute(c).await?.rows_affected()))
}
