//! The areas above, which give and take the ground of what is redrawn within them: an edge between two communities is an
//! edge of grids too, and moves with them in one call.

use std::collections::BTreeSet;

use geo::MultiPolygon;

use super::ground::{Plan, level};
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
        let mut following = Vec::new();
        for before in areas::known(conn, district, &parents.into_iter().collect::<Vec<_>>()).await? {
            if let Some(outline) = moved.outline_of(&before) {
                let after = Area { outline, version: before.version + 1, ..before.clone() };
                following.push((Some(before), after));
            }
        }
        plan.put.extend(following);
    }
    Ok(())
}

/// The areas of one level whose ground a plan changes: as they were, and as they are to be.
struct Moved {
    given: Vec<Area>,
    taken: Vec<Area>,
}

impl Moved {
    fn of(plan: &Plan, of: Level) -> Self {
        let is_one = |area: &&Area| level(area.code) == of;
        let before = plan.put.iter().filter_map(|(before, _)| before.as_ref());
        let given = before.chain(&plan.remove).filter(is_one).cloned().collect();
        let taken = plan.put.iter().map(|(_, area)| area).filter(is_one).cloned().collect();
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
