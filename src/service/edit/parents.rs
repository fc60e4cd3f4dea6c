//! The areas above, which give and take the ground of what is redrawn within them: an edge between two communities is an
//! edge of grids too, and moves with them in one call.

use std::collections::BTreeSet;

use geo::MultiPolygon;

use super::ground::Plan;
use crate::domain::id::DistrictCode;
use crate::domain::partition;
use crate::store::areas::{self, Area, Level};
use crate::store::{Conn, Result};

/// Adds the communities to a plan whose grids give or take ground across their edges, then the sub-districts whose
/// communities do.
pub(super) async fn follow(conn: &mut Conn<'_>, district: DistrictCode, plan: &mut Plan) -> Result<()> {
    for below in [Level::Grid, Level::Community] {
        let moved = Moved::of(plan, below);
        let parents: BTreeSet<u64> = moved.given.iter().chain(&moved.taken).map(|area| area.code / 1_000).collect();
        for before in areas::known(conn, district, &parents.into_iter().collect::<Vec<_>>()).await? {
            let Some(outline) = moved.outline_of(&before) else { continue };
            if !outline.0.is_empty() {
                let after = Area { outline, version: before.version + 1, ..before.clone() };
                plan.put.push((Some(before), after));
            } else if is_left_empty(conn, district, plan, below, before.code).await? {
                // It has given all of itself away.
                plan.remove.push(before);
            }
        }
    }
    Ok(())
}

/// Whether no area is left within one.
async fn is_left_empty(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    plan: &Plan,
    below: Level,
    code: u64,
) -> Result<bool> {
    let goes = |code: u64| plan.remove.iter().any(|area| area.code == code);
    let there = areas::list(conn, district, None, below.within(code), 0, i64::MAX).await?;
    let come = plan.put.iter().any(|(_, area)| area.code / 1_000 == code);
    Ok(!come && there.iter().all(|area| goes(area.code)))
}

/// The areas of one level whose ground a plan changes: as they were, and as they are to be.
struct Moved {
    given: Vec<Area>,
    taken: Vec<Area>,
}

impl Moved {
    fn of(plan: &Plan, of: Level) -> Self {
        let is_one = |area: &&Area| Level::of(area.code) == of;
        // One whose outline stays gives nothing and takes nothing, be it in its place or not.
        let redrawn = |(before, after): &&(Option<Area>, Area)| {
            before.as_ref().is_none_or(|before| before.outline != after.outline)
        };
        let redrawn = plan.put.iter().filter(redrawn);
        let before = redrawn.clone().filter_map(|(before, _)| before.as_ref());
        let given = before.chain(&plan.remove).filter(is_one).cloned().collect();
        let taken = redrawn.map(|(_, area)| area).filter(is_one).cloned().collect();
        Self { given, taken }
    }

    /// What an area above becomes; `None` where its edge stays.
    fn outline_of(&self, above: &Area) -> Option<MultiPolygon<f64>> {
        partition::exchange(&above.outline, &within(above, &self.given), &within(above, &self.taken))
    }
}

fn within<'a>(above: &Area, areas: &'a [Area]) -> Vec<&'a MultiPolygon<f64>> {
    areas.iter().filter(|area| area.code / 1_000 == above.code).map(|area| &area.outline).collect()
}
