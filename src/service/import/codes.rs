//! Codes of covers that are new: what the registry gave while the file was read may have been taken since, and is given
//! anew; what the file names is refused. Whoever asks has locked the district's head, so that it stays so.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::ImportFile;
use super::undo::named;
use crate::domain::catalog::CategoryCode;
use crate::domain::id::{CoverCode, DistrictCode};
use crate::domain::said::say;
use crate::service::error::{Result, ServiceError};
use crate::store::cover_stage::{self, StagedCover, TakenCode};
use crate::store::{Conn, Result as StoreResult, covers};

/// Gives rows that are to be written other codes where they need them.
pub(super) async fn settle(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    rows: &mut [StagedCover],
) -> StoreResult<Result<()>> {
    let new = |row: &&StagedCover| row.seen.is_none();
    let codes: Vec<CoverCode> = rows.iter().filter(new).map(|row| row.cover.code).collect();
    let taken = covers::given(conn, district, &codes).await?;
    if taken.is_empty() {
        return Ok(Ok(()));
    }
    let lost = |row: &&StagedCover| new(row) && taken.contains(&row.cover.code);
    if let Err(refused) = refuse(rows.iter().filter(lost).filter(|row| row.names_code).map(|row| row.cover.code)) {
        return Ok(Err(refused));
    }
    let mut next = HashMap::new();
    for code in codes {
        let last = next.entry(code.category()).or_insert(0);
        *last = code.sequence().max(*last);
    }
    for row in rows.iter_mut().filter(|row| row.seen.is_none() && taken.contains(&row.cover.code)) {
        match give(conn, district, row.cover.code.category(), &mut next).await? {
            Ok(code) => row.cover.code = code,
            Err(refused) => return Ok(Err(refused)),
        }
    }
    Ok(Ok(()))
}

/// The same of rows that are staged.
pub(super) async fn settle_stage(conn: &mut Conn<'_>, file: &ImportFile, rows: (u64, u64)) -> StoreResult<Result<()>> {
    let (district, id) = (file.district, file.id);
    let taken = cover_stage::taken_codes(conn, district, id, rows).await?;
    if let Err(refused) = refuse_named(&taken) {
        return Ok(Err(refused));
    }
    let mut next = HashMap::new();
    for TakenCode { row, code, .. } in taken {
        let category = code.category();
        if let Entry::Vacant(own) = next.entry(category) {
            own.insert(cover_stage::last_sequence(conn, district, id, category).await?);
        }
        match give(conn, district, category, &mut next).await? {
            Ok(code) => cover_stage::recode(conn, district, id, row, code).await?,
            Err(refused) => return Ok(Err(refused)),
        }
    }
    Ok(Ok(()))
}

/// Refuses codes that the file names and that others have.
pub(super) fn refuse_named(taken: &[TakenCode]) -> Result<()> {
    refuse(taken.iter().filter(|taken| taken.names_code).map(|taken| taken.code))
}

fn refuse(codes: impl Iterator<Item = CoverCode>) -> Result<()> {
    let codes: Vec<String> = codes.map(|code| code.to_string()).collect();
    if codes.is_empty() {
        return Ok(());
    }
    let codes = named(codes);
    Err(ServiceError::Conflict(say!(
        "codes that the file names have been given to other covers since it was read: {codes}",
        "文件中的编码在读取之后已用于其他井盖：{codes}"
    )))
}

/// The next code of a category, after those in the registry and the last one of the import's own.
async fn give(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    category: CategoryCode,
    own: &mut HashMap<CategoryCode, u32>,
) -> StoreResult<Result<CoverCode>> {
    let given = covers::last_sequence(conn, district, category).await?;
    let last = own.entry(category).or_insert(0);
    *last = given.max(*last) + 1;
    Ok(CoverCode::new(district, category, *last).map_err(|_| full(category)))
}

/// A category whose codes are all given.
pub fn full(category: CategoryCode) -> ServiceError {
    let detail = say!(
        "category {category} has no free sequence left below 1,000,000",
        "小类 {category} 在 1,000,000 以内已没有可用的顺序号"
    );
    ServiceError::invalid("/category", detail)
}
