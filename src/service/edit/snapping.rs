//! Outlines that come, drawn to what there is: see [`snap`](crate::domain::snap). So an outline that was read in another
//! coordinate system is the same when it is sent back, and what is cut anew meets its neighbours.

use geo::{BoundingRect as _, Intersects as _, MultiPolygon, Rect, coord};

use super::ground::Plan;
use crate::domain::id::DistrictCode;
use crate::domain::snap::{Vertices, through, to_edges, to_vertices};
use crate::store::areas::{self, Level};
use crate::store::{Conn, Result};

/// Room around an outline, in degrees: a decimetre.
const ROOM: f64 = 1e-6;

/// Draws the outlines that a plan changes to the vertices and edges of the registry, and to each other. All are of one level.
pub(super) async fn snap(conn: &mut Conn<'_>, district: DistrictCode, plan: &mut Plan) -> Result<()> {
    let is_redrawn = |place: &usize| {
        let (before, area) = &plan.put[*place];
        before.as_ref().is_none_or(|before| before.outline != area.outline)
    };
    let redrawn: Vec<usize> = (0..plan.put.len()).filter(is_redrawn).collect();
    let Some(&first) = redrawn.first() else { return Ok(()) };
    let mut there = there(conn, district, Level::of(plan.put[first].1.code)).await?;
    there.retain(|(_, outline)| redrawn.iter().any(|place| beside(&plan.put[*place].1.outline, outline)));

    let mut registry = Vertices::default();
    there.iter().for_each(|(_, outline)| registry.add(outline));
    let mut known = registry.clone();
    for &place in &redrawn {
        let (before, area) = &mut plan.put[place];
        let mut own = Vertices::default();
        before.iter().for_each(|before| own.add(&before.outline));
        area.outline = to_vertices(&area.outline, &own, &known);
        known.add(&area.outline);
    }
    // Edges of what is redrawn or goes are none any more, be they moved or not.
    let goes = |code: u64| {
        redrawn.iter().any(|place| plan.put[*place].1.code == code) || plan.remove.iter().any(|area| area.code == code)
    };
    there.retain(|(code, _)| !goes(*code));
    for &place in &redrawn {
        let outline = &mut plan.put[place].1.outline;
        let near = there.iter().map(|(_, other)| other).filter(|other| beside(outline, other));
        *outline = to_edges(outline, &registry, near);
    }
    // What one of them has on the edge of another, and what stays there.
    for way in [Way::OnEdges, Way::ThroughVertices] {
        let outlines: Vec<_> = redrawn.iter().map(|place| plan.put[*place].1.outline.clone()).collect();
        for (n, &place) in redrawn.iter().enumerate() {
            let (before, area) = &mut plan.put[place];
            let others = outlines.iter().enumerate().filter(|(other, _)| *other != n).map(|(_, other)| other);
            let others = others.filter(|other| beside(&area.outline, other));
            area.outline = match way {
                Way::OnEdges => to_edges(&area.outline, &registry, others),
                Way::ThroughVertices => {
                    let staying = there.iter().map(|(_, other)| other).filter(|other| beside(&area.outline, other));
                    let own = before.as_ref().map(|before| &before.outline);
                    through(&area.outline, own, &registry, others.chain(staying))
                }
            };
        }
    }
    Ok(())
}

/// How outlines that are sent together are drawn to each other.
#[derive(Debug, Clone, Copy)]
enum Way {
    OnEdges,
    ThroughVertices,
}

/// The areas of a level and those above, with the district.
async fn there(conn: &mut Conn<'_>, district: DistrictCode, of: Level) -> Result<Vec<(u64, MultiPolygon<f64>)>> {
    let levels: &[Level] = match of {
        Level::Grid => &[Level::Grid, Level::Community, Level::Subdistrict],
        Level::Community => &[Level::Community, Level::Subdistrict],
        Level::Subdistrict => &[Level::Subdistrict],
    };
    let mut there = Vec::new();
    for level in levels {
        let areas = areas::list(conn, district, None, level.within(district.number()), 0, i64::MAX).await?;
        there.extend(areas.into_iter().map(|area| (area.code, area.outline)));
    }
    there.extend(areas::district(conn, district).await?.map(|record| (district.number(), record.outline)));
    Ok(there)
}

fn beside(a: &MultiPolygon<f64>, b: &MultiPolygon<f64>) -> bool {
    a.bounding_rect().zip(b.bounding_rect()).is_some_and(|(a, b)| {
        let room = coord! { x: ROOM, y: ROOM };
        Rect::new(a.min() - room, a.max() + room).intersects(&b)
    })
}
