//! Covers of an import on their way in: staged where nobody sees them and applied by set statements, or written at once.

use sqlx::QueryBuilder;

use super::covers::{FIELDS, Row, bind_fields, codes_of};
use super::{Conn, Result, corrupt, each};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::Cover;
use crate::domain::id::{CoverCode, CoverId, DistrictCode, ImportId};

/// Rows of one staging statement: 30 columns each stay below `SQLite`'s 32,766 parameters.
pub const STAGED_PER_STATEMENT: usize = 1_000;

/// One cover of a file, with its identity settled: an existing one's, or a new one.
#[derive(Debug, Clone)]
pub struct StagedCover {
    pub row: u64,
    pub source: String,
    pub external_id: String,
    pub digest: [u8; 16],
    pub original: (f64, f64),
    pub original_crs: &'static str,
    /// What the file was compared with; `None` for a cover that is new.
    pub seen: Option<Seen>,
    /// Of a cover that is new: whether the file names its code, or the registry gives it.
    pub names_code: bool,
    /// As it is to be.
    pub cover: Cover,
}

/// A cover of the registry that a record was compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub version: i64,
    /// Where the cover stays as it is, and only what the record says is remembered: the event that it is from.
    pub stands: Option<i64>,
    /// What the record says otherwise than the cover, as [`delivered::text`](super::delivered::text) writes it.
    pub kept: Option<String>,
}

impl StagedCover {
    /// Whether the cover is in the registry and gets another version.
    fn supersedes(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.stands.is_none())
    }

    /// The cover as it is once it is written, if it was.
    pub fn written(self) -> Option<Cover> {
        let version = match self.seen {
            None => 1,
            Some(Seen { version, stands: None, .. }) => version + 1,
            Some(_) => return None,
        };
        Some(Cover { version, ..self.cover })
    }

    fn stays(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.stands.is_some())
    }
}

/// Stages a chunk of covers.
pub async fn stage(conn: &mut Conn<'_>, district: DistrictCode, id: ImportId, rows: &[StagedCover]) -> Result<()> {
    for chunk in rows.chunks(STAGED_PER_STATEMENT) {
        each!(conn, c => {
            let mut sql = QueryBuilder::<Db>::new(format!(
                "INSERT INTO cover_stage (district, import, row_number, source, external_id, digest, original_x, original_y, \
                 original_crs, seen, stands, kept, names_code, code, id, {FIELDS}) "
            ));
            sql.push_values(chunk, |mut row, staged| {
                let seen = staged.seen.as_ref();
                row.push_bind(district.as_i64())
                    .push_bind(id.0.as_bytes().as_slice())
                    .push_bind(staged.row.cast_signed())
                    .push_bind(staged.source.as_str())
                    .push_bind(staged.external_id.as_str())
                    .push_bind(staged.digest.as_slice())
                    .push_bind(staged.original.0)
                    .push_bind(staged.original.1)
                    .push_bind(staged.original_crs)
                    .push_bind(seen.map(|seen| seen.version))
                    .push_bind(seen.and_then(|seen| seen.stands))
                    .push_bind(seen.and_then(|seen| seen.kept.as_deref()))
                    .push_bind(i64::from(staged.names_code))
                    .push_bind(staged.cover.code.number().cast_signed())
                    .push_bind(staged.cover.id.0.as_bytes().as_slice());
                bind_fields!(row, &staged.cover);
            });
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// What happens to a cover that is there already.
fn on_known_cover() -> String {
    let fields = FIELDS.split(',').map(|f| format!("{0} = excluded.{0}", f.trim())).collect::<Vec<_>>().join(", ");
    format!(
        " ON CONFLICT (district, id) DO UPDATE SET version = cover.version + 1, {fields}, \
         seq_from = excluded.seq_from, source = excluded.source WHERE cover.seq_from < excluded.seq_from"
    )
}

/// What happens to a record that was delivered before.
const ON_KNOWN_SOURCE: &str = " ON CONFLICT (district, source, external_id) DO UPDATE SET digest = excluded.digest, \
    original_x = excluded.original_x, original_y = excluded.original_y, original_crs = excluded.original_crs, \
    import = excluded.import, row_number = excluded.row_number, stands = excluded.stands, kept = excluded.kept";

/// Makes rows the present without staging them; superseded states go to the past.
pub async fn write(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    seq: i64,
    rows: &[StagedCover],
) -> Result<()> {
    for chunk in rows.chunks(STAGED_PER_STATEMENT) {
        let known: Vec<CoverId> = chunk.iter().filter(|row| row.supersedes()).map(|row| row.cover.id).collect();
        if !known.is_empty() {
            super::cover_history::to_past(conn, district, seq, &known).await?;
        }
        let changed: Vec<&StagedCover> = chunk.iter().filter(|row| !row.stays()).collect();
        if !changed.is_empty() {
            write_present(conn, district, seq, &changed).await?;
        }
        for of_source in chunk.chunk_by(|a, b| a.source == b.source) {
            let said = of_source.iter().filter(|row| row.seen.is_some()).map(|row| row.external_id.as_str());
            if said.clone().next().is_some() {
                super::cover_source::keep(conn, district, id, &of_source[0].source, said).await?;
            }
        }
        write_sources(conn, district, id, seq, chunk).await?;
    }
    Ok(())
}

async fn write_present(conn: &mut Conn<'_>, district: DistrictCode, seq: i64, rows: &[&StagedCover]) -> Result<()> {
    each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(format!(
            "INSERT INTO cover (district, code, id, version, seq_from, source, {FIELDS}) "
        ));
        sql.push_values(rows, |mut row, staged| {
            row.push_bind(district.as_i64())
                .push_bind(staged.cover.code.number().cast_signed())
                .push_bind(staged.cover.id.0.as_bytes().as_slice())
                .push_bind(1_i64)
                .push_bind(seq)
                .push_bind(format!("{}/{}", staged.source, staged.external_id));
            bind_fields!(row, &staged.cover);
        });
        sql.push(on_known_cover());
        sql.build().execute(c).await.map(drop)?;
    });
    Ok(())
}

async fn write_sources(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    seq: i64,
    rows: &[StagedCover],
) -> Result<()> {
    each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(
            "INSERT INTO cover_source (district, source, external_id, cover, digest, original_x, original_y, \
             original_crs, import, row_number, stands, kept) ",
        );
        sql.push_values(rows, |mut row, staged| {
            let seen = staged.seen.as_ref();
            row.push_bind(district.as_i64())
                .push_bind(staged.source.as_str())
                .push_bind(staged.external_id.as_str())
                .push_bind(staged.cover.id.0.as_bytes().as_slice())
                .push_bind(staged.digest.as_slice())
                .push_bind(staged.original.0)
                .push_bind(staged.original.1)
                .push_bind(staged.original_crs)
                .push_bind(id.0.as_bytes().as_slice())
                .push_bind(staged.row.cast_signed())
                .push_bind(seen.and_then(|seen| seen.stands).unwrap_or(seq))
                .push_bind(seen.and_then(|seen| seen.kept.as_deref()));
        });
        sql.push(ON_KNOWN_SOURCE);
        sql.build().execute(c).await.map(drop)?;
    });
    Ok(())
}

const STAGED: &str = "district = $1 AND import = $2 AND row_number BETWEEN $3 AND $4";

/// A staged row whose cover has become another since it was compared.
#[derive(Debug, Clone)]
pub struct Moved {
    pub row: u64,
    pub seen: Seen,
    pub cover: Cover,
}

#[derive(sqlx::FromRow)]
struct MovedRow {
    #[sqlx(flatten)]
    row: Row,
    row_number: i64,
    seen: i64,
    stands: Option<i64>,
    kept: Option<String>,
}

/// The staged rows from `first` to `last` whose covers have other versions than they were compared with.
pub async fn moved(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    (first, last): (u64, u64),
) -> Result<Vec<Moved>> {
    let sql = format!(
        "SELECT row_number, seen, stands, kept, code, id, CAST(0 AS BIGINT) AS version, {FIELDS} FROM cover_stage \
         WHERE {STAGED} AND seen IS NOT NULL AND seen <> (SELECT version FROM cover \
         WHERE cover.district = $1 AND cover.id = cover_stage.id)"
    );
    let rows: Vec<MovedRow> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(first.cast_signed()).bind(last.cast_signed())
        .fetch_all(c).await?);
    let read = |row: MovedRow| {
        let MovedRow { row, row_number, seen, stands, kept } = row;
        Ok(Moved { row: row_number.unsigned_abs(), seen: Seen { version: seen, stands, kept }, cover: row.read()? })
    };
    rows.into_iter().map(read).collect()
}

/// Stages a row otherwise than it was.
pub async fn restage(conn: &mut Conn<'_>, district: DistrictCode, id: ImportId, moved: &Moved) -> Result<()> {
    each!(conn, c => {
        let mut sql =
            QueryBuilder::<Db>::new(format!("UPDATE cover_stage SET (code, seen, stands, kept, {FIELDS}) = ("));
        let mut row = sql.separated(", ");
        row.push_bind(moved.cover.code.number().cast_signed())
            .push_bind(moved.seen.version)
            .push_bind(moved.seen.stands)
            .push_bind(moved.seen.kept.as_deref());
        bind_fields!(row, &moved.cover);
        sql.push(") WHERE district = ").push_bind(district.as_i64());
        sql.push(" AND import = ").push_bind(id.0.as_bytes().as_slice());
        sql.push(" AND row_number = ").push_bind(moved.row.cast_signed());
        sql.build().execute(c).await.map(drop)?;
    });
    Ok(())
}

/// A staged row whose new cover has a code that another has, or once had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenCode {
    pub row: u64,
    pub code: CoverCode,
    pub names_code: bool,
}

/// Of the staged rows from `first` to `last` those whose codes are taken.
pub async fn taken_codes(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    (first, last): (u64, u64),
) -> Result<Vec<TakenCode>> {
    // Counted row by row, each by its key: a join might read all covers for each step.
    let sql = format!(
        "SELECT row_number, code, names_code FROM cover_stage WHERE {STAGED} AND seen IS NULL AND \
         (SELECT count(*) FROM cover WHERE cover.district = $1 AND cover.code = cover_stage.code) + \
         (SELECT count(*) FROM cover_version AS past WHERE past.district = $1 AND past.code = cover_stage.code) > 0 \
         ORDER BY row_number"
    );
    let rows: Vec<(i64, i64, i64)> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(first.cast_signed()).bind(last.cast_signed())
        .fetch_all(c).await?);
    let read = |(row, code, names_code): (i64, i64, i64)| {
        let code = CoverCode::from_number(code.unsigned_abs()).ok_or_else(|| corrupt("a cover's code", code))?;
        Ok(TakenCode { row: row.unsigned_abs(), code, names_code: names_code != 0 })
    };
    rows.into_iter().map(read).collect()
}

/// The highest sequence of a category among an import's staged rows.
pub async fn last_sequence(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    category: CategoryCode,
) -> Result<u32> {
    const SQL: &str =
        "SELECT max(code) FROM cover_stage WHERE district = $1 AND import = $2 AND code BETWEEN $3 AND $4";
    let (first, last) = codes_of(district, category);
    let code: Option<i64> = each!(conn, c => sqlx::query_scalar(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(first.cast_signed()).bind(last.cast_signed())
        .fetch_one(c).await?);
    Ok(code.map_or(0, |code| u32::try_from(code.unsigned_abs() - first).unwrap_or(0)))
}

/// Gives a staged row another code.
pub async fn recode(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    row: u64,
    code: CoverCode,
) -> Result<()> {
    const SQL: &str = "UPDATE cover_stage SET code = $4 WHERE district = $1 AND import = $2 AND row_number = $3";
    each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(row.cast_signed()).bind(code.number().cast_signed())
        .execute(c).await.map(drop)?);
    Ok(())
}

/// Puts the states that staged rows from `first` to `last` will supersede into the past.
/// Doing it again changes nothing.
pub async fn keep_past(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    seq: i64,
    rows: (u64, u64),
) -> Result<()> {
    let past = format!(
        "INSERT INTO cover_version (district, code, id, version, seq_from, source, seq_to, {FIELDS}) \
         SELECT district, code, id, version, seq_from, source, $5, {FIELDS} FROM cover \
         WHERE district = $1 AND seq_from < $5 AND id IN (SELECT id FROM cover_stage WHERE {STAGED} AND stands IS NULL) \
         ON CONFLICT DO NOTHING"
    );
    over_rows(conn, past, district, id, seq, rows).await
}

/// Makes the staged rows from `first` to `last` the present. Doing it again changes nothing.
pub async fn apply(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    seq: i64,
    rows: (u64, u64),
) -> Result<()> {
    let present = format!(
        "INSERT INTO cover (district, code, id, version, seq_from, source, {FIELDS}) \
         SELECT district, code, id, 1, $5, source || '/' || external_id, {FIELDS} FROM cover_stage \
         WHERE {STAGED} AND stands IS NULL{}",
        on_known_cover()
    );
    let source = format!(
        "INSERT INTO cover_source (district, source, external_id, cover, digest, original_x, original_y, original_crs, import, \
         row_number, stands, kept) SELECT district, source, external_id, id, digest, original_x, original_y, original_crs, import, \
         row_number, COALESCE(stands, $5), kept FROM cover_stage WHERE {STAGED}{ON_KNOWN_SOURCE}"
    );
    over_rows(conn, present, district, id, seq, rows).await?;
    over_rows(conn, source, district, id, seq, rows).await
}

/// Runs a statement over the staged rows from `first` to `last`.
async fn over_rows(
    conn: &mut Conn<'_>,
    sql: String,
    district: DistrictCode,
    id: ImportId,
    seq: i64,
    (first, last): (u64, u64),
) -> Result<()> {
    each!(conn, c => sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64())
        .bind(id.0.as_bytes().as_slice())
        .bind(first.cast_signed())
        .bind(last.cast_signed())
        .bind(seq)
        .execute(c)
        .await
        .map(drop)?);
    Ok(())
}

/// Forgets staged rows up to `last`, after they were applied or when the import is given up.
pub async fn unstage(conn: &mut Conn<'_>, district: DistrictCode, id: ImportId, last: u64) -> Result<()> {
    const SQL: &str = "DELETE FROM cover_stage WHERE district = $1 AND import = $2 AND row_number <= $3";
    each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(last.cast_signed())
        .execute(c).await.map(drop)?);
    Ok(())
}

/// First and last staged row, if any is left.
pub async fn staged_range(conn: &mut Conn<'_>, district: DistrictCode, id: ImportId) -> Result<Option<(u64, u64)>> {
    const SQL: &str = "SELECT min(row_number), max(row_number) FROM cover_stage WHERE district = $1 AND import = $2";
    let (first, last): (Option<i64>, Option<i64>) = each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).fetch_one(c).await?);
    Ok(first.zip(last).map(|(first, last)| (first.unsigned_abs(), last.unsigned_abs())))
}
