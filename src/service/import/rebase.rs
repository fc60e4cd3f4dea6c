//! Covers that somebody changed between their comparison with a file and its writing: what the file changes is carried
//! over to what they have become.

use std::collections::HashMap;

use super::ImportFile;
use crate::domain::cover::CoverDraft;
use crate::domain::id::{CoverId, DistrictCode};
use crate::domain::merge;
use crate::store::cover_history::{self, CoverState};
use crate::store::cover_stage::{self, Moved, Seen, StagedCover};
use crate::store::{Conn, Result, covers, imports};

/// Carries rows that are to be written over; whoever calls it writes them in the same transaction.
pub(super) async fn rebase(conn: &mut Conn<'_>, district: DistrictCode, rows: &mut [StagedCover]) -> Result<()> {
    let known: Vec<CoverId> = rows.iter().filter(|row| row.seen.is_some()).map(|row| row.cover.id).collect();
    let versions = covers::versions(conn, district, &known).await?;
    let has_moved = |row: &StagedCover| {
        row.seen.as_ref().is_some_and(|seen| versions.get(&row.cover.id).is_some_and(|now| *now != seen.version))
    };
    let mut moved = Vec::new();
    for row in rows.iter().filter(|row| has_moved(row)) {
        if let Some(seen) = row.seen.clone() {
            moved.push(Moved { row: row.row, seen, cover: row.cover.clone() });
        }
    }
    let moved = carried_over(conn, district, moved).await?;
    let mut moved: HashMap<u64, Moved> = moved.into_iter().map(|moved| (moved.row, moved)).collect();
    for row in rows {
        if let Some(Moved { seen, cover, .. }) = moved.remove(&row.row) {
            (row.seen, row.cover) = (Some(seen), cover);
        }
    }
    Ok(())
}

/// The same of rows that are staged.
pub(super) async fn rebase_stage(conn: &mut Conn<'_>, file: &ImportFile, rows: (u64, u64)) -> Result<()> {
    let moved = cover_stage::moved(conn, file.district, file.id, rows).await?;
    for moved in carried_over(conn, file.district, moved).await? {
        cover_stage::restage(conn, file.district, file.id, &moved).await?;
    }
    Ok(())
}

async fn carried_over(conn: &mut Conn<'_>, district: DistrictCode, moved: Vec<Moved>) -> Result<Vec<Moved>> {
    if moved.is_empty() {
        return Ok(moved);
    }
    let is_seen = |moved: &Moved, state: &CoverState| state.cover.version == moved.seen.version;
    let states = cover_history::now_and_then(conn, district, &moved, |moved| moved.cover.id, is_seen).await?;
    states.into_iter().map(|(moved, present, then)| one(moved, &present, then.as_ref())).collect()
}

/// What a row changes of the cover that it was compared with, changed of the one that is there.
fn one(Moved { row, seen, cover }: Moved, present: &CoverState, then: Option<&CoverState>) -> Result<Moved> {
    let (wanted, ours) = (CoverDraft::of(&cover), CoverDraft::of(&present.cover));
    let then = then.map(|then| merge::cover(&CoverDraft::of(&then.cover)));
    let taken = merge::merge(then.as_ref(), &merge::cover(&wanted), &merge::cover(&ours)).taken;
    let after = merge::with_columns(ours.clone(), &taken, &wanted);
    let grid = if after.position == ours.position { present.cover.grid } else { cover.grid };
    let stands = (after == ours).then_some(present.seq);
    let after = after.into_cover(cover.id, present.cover.code, grid, present.cover.version);
    let says = imports::said(&cover, seen.kept.as_deref())?;
    let kept = imports::kept(&says.columns, Some(says.code), &after);
    Ok(Moved { row, seen: Seen { version: present.cover.version, stands, kept }, cover: after })
}
