//! The ground of areas that are redrawn: what a plan would leave to nobody, give twice, or put outside.

use geo::orient::Direction;
use geo::{BoundingRect as _, Contains as _, CoordsIter as _, MultiPolygon, Orient as _, Rect, coord};

use crate::domain::id::{CommunityCode, DistrictCode, GridCode, OrderCode, SubdistrictCode};
use crate::domain::partition::{self, Ground, near};
use crate::domain::said::say;
use crate::index::Regridded;
use crate::service::error::{At, Fault, Result, ServiceError};
use crate::store::areas::{self, Area, Level};
use crate::store::{Conn, Result as StoreResult};

/// What an edit of areas does besides.
#[derive(Debug, Default)]
pub struct Effects {
    /// Covers that come into another grid.
    pub covers: Vec<Regridded>,
    /// Open orders that do: the grid before and after.
    pub orders: Vec<(OrderCode, GridCode, GridCode)>,
    /// Square metres before and after, by code.
    pub sizes: Vec<(u64, f64, f64)>,
    /// Ground that two areas of a level would have: of the changed one and another.
    pub overlaps: Vec<(u64, u64, Ground)>,
    /// Ground that no area of its level would have any more.
    pub gaps: Vec<Ground>,
    /// Ground outside the area that a changed one lies in.
    pub outside: Vec<(u64, Ground)>,
}

/// What is to be the present: areas as they are to be with what they were, and areas that are to be no more.
#[derive(Default)]
pub(in crate::service) struct Plan {
    pub(in crate::service) put: Vec<(Option<Area>, Area)>,
    pub(in crate::service) remove: Vec<Area>,
}

impl Plan {
    /// The same with every area that would be as it is left so, in its version too.
    pub(super) fn settled(mut self) -> Self {
        for (before, area) in &mut self.put {
            if let Some(before) = before.as_ref().filter(|before| same(before, area)) {
                area.clone_from(before);
            }
        }
        self
    }

    /// What of a settled plan is to be another than it is.
    pub(super) fn changes(&self) -> impl Iterator<Item = &(Option<Area>, Area)> {
        self.put.iter().filter(|(before, area)| before.as_ref() != Some(area))
    }
}

/// Whether two states of an area are the same to whoever reads them: rings turn one way there, and degrees are rounded.
fn same(before: &Area, after: &Area) -> bool {
    let rings = |area: &Area| {
        let outline = area.outline.orient(Direction::Default);
        let ring = |ring: &geo::LineString<f64>| {
            ring.coords_iter().map(|at| [(at.x * 1e8).round(), (at.y * 1e8).round()]).collect::<Vec<_>>()
        };
        let parts =
            outline.iter().map(|part| std::iter::once(part.exterior()).chain(part.interiors()).map(ring).collect());
        parts.collect::<Vec<Vec<_>>>()
    };
    before.name == after.name
        && before.supervising_department == after.supervising_department
        && rings(before) == rings(after)
}

/// The area one level above that an outline lies in for the most part.
pub(super) async fn parent_of(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    level: Level,
    outline: &MultiPolygon<f64>,
) -> StoreResult<Option<u64>> {
    let above = match level {
        Level::Subdistrict => return Ok(Some(district.number())),
        Level::Community => Level::Subdistrict,
        Level::Grid => Level::Community,
    };
    let above = areas::list(conn, district, None, above.within(district.number()), 0, i64::MAX).await?;
    let shared = above.iter().filter_map(|area| {
        let shared = near(&area.outline, outline).then(|| partition::overlap(&area.outline, outline))??;
        Some((area.code, shared.square_metres))
    });
    let most = shared.max_by(|a, b| a.1.total_cmp(&b.1));
    Ok(most.map(|(code, _)| code))
}

/// An outline that reaches further beyond its district than this, in degrees, is of another coordinate system. It could not
/// be held in memory either.
const BEYOND: f64 = 1.0;

/// Whether an outline lies where nothing of the district can.
pub(super) fn is_far(outline: &MultiPolygon<f64>, district: &MultiPolygon<f64>) -> bool {
    outline.bounding_rect().zip(district.bounding_rect()).is_some_and(|(outline, district)| {
        let beyond = coord! { x: BEYOND, y: BEYOND };
        !Rect::new(district.min() - beyond, district.max() + beyond).contains(&outline)
    })
}

/// How finely ground is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// Outlines that were drawn to what there is: what they leave besides was meant.
    Fine,
    /// Outlines as they were kept once, or as others make them by giving and taking, to 1e-8°.
    Coarse,
}

/// What the plan does to the ground of each level; `sent` is how finely it is measured of the one that was asked for.
pub(super) async fn measure(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    plan: &Plan,
    sent: Grain,
) -> StoreResult<Effects> {
    let mut effects = Effects::default();
    for (before, after) in &plan.put {
        let size = before.as_ref().map_or(0.0, |before| partition::square_metres(&before.outline));
        effects.sizes.push((after.code, size, partition::square_metres(&after.outline)));
    }
    effects.sizes.extend(plan.remove.iter().map(|area| (area.code, partition::square_metres(&area.outline), 0.0)));
    // Those that follow lie above.
    let levels = [Level::Grid, Level::Community, Level::Subdistrict];
    let all = plan.put.iter().map(|(_, area)| area).chain(&plan.remove);
    let asked = levels.into_iter().find(|of| all.clone().any(|area| Level::of(area.code) == *of));
    for of in levels {
        let grain = if Some(of) == asked { sent } else { Grain::Coarse };
        measure_level(conn, district, plan, (of, grain), &mut effects).await?;
        // What is wrong with grids is wrong with what they lie in for the same reason.
        if !(effects.overlaps.is_empty() && effects.gaps.is_empty() && effects.outside.is_empty()) {
            break;
        }
    }
    Ok(effects)
}

async fn measure_level(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    plan: &Plan,
    (of, grain): (Level, Grain),
    effects: &mut Effects,
) -> StoreResult<()> {
    let redrawn = |(before, after): &&(Option<Area>, Area)| {
        Level::of(after.code) == of && before.as_ref().is_none_or(|before| before.outline != after.outline)
    };
    let redrawn: Vec<&(Option<Area>, Area)> = plan.put.iter().filter(redrawn).collect();
    let removed: Vec<&Area> = plan.remove.iter().filter(|area| Level::of(area.code) == of).collect();
    if redrawn.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let present = areas::list(conn, district, None, of.within(district.number()), 0, i64::MAX).await?;
    // One whose outline stays keeps its ground, be it in the plan or not.
    let changed =
        |code: u64| redrawn.iter().any(|(_, area)| area.code == code) || removed.iter().any(|area| area.code == code);
    let staying: Vec<&Area> = present.iter().filter(|area| !changed(area.code)).collect();
    let held = redrawn.iter().filter_map(|(before, _)| before.as_ref()).chain(removed.iter().copied());
    let held = partition::union(held.map(|area| &area.outline));
    for (n, (before, area)) in redrawn.iter().enumerate() {
        // What any of them shared with one that stays was so, whichever has that ground now.
        let staying = staying.iter().map(|other| (Some((&held, &other.outline)), *other));
        let others = redrawn[n + 1..].iter().map(|(was, other)| {
            (before.as_ref().zip(was.as_ref()).map(|(before, was)| (&before.outline, &was.outline)), other)
        });
        for (were, other) in staying.chain(others).filter(|(_, other)| near(&other.outline, &area.outline)) {
            let news = || partition::newly_shared(&area.outline, &other.outline, were);
            let shared = partition::overlap(&area.outline, &other.outline);
            if let Some(shared) = shared.or_else(|| (grain == Grain::Fine).then(news)?) {
                effects.overlaps.push((area.code, other.code, shared));
            }
        }
        if let Some(parent) = parent(conn, district, plan, area.code).await?
            && let Some(outside) = partition::lost(&area.outline, &parent)
        {
            effects.outside.push((area.code, outside));
        }
    }
    let after = redrawn.iter().map(|(_, area)| area).chain(staying.iter().copied());
    let after = partition::union(after.filter(|area| near(&area.outline, &held)).map(|area| &area.outline));
    effects.gaps.extend(match grain {
        Grain::Fine => partition::newly_lost(&held, &after),
        Grain::Coarse => partition::lost(&held, &after),
    });
    Ok(())
}

/// The outline that the area has or is to have which an area lies in.
async fn parent(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    plan: &Plan,
    code: u64,
) -> StoreResult<Option<MultiPolygon<f64>>> {
    let parent = match Level::of(code) {
        Level::Grid => GridCode::from_number(code).map(|code| CommunityCode::of(code).number()),
        Level::Community => CommunityCode::from_number(code).map(|code| SubdistrictCode::of(code).number()),
        Level::Subdistrict => {
            let record = areas::district(conn, district).await?;
            return Ok(record.map(|record| record.outline));
        }
    };
    let Some(parent) = parent else { return Ok(None) };
    if let Some((_, planned)) = plan.put.iter().find(|(_, area)| area.code == parent) {
        return Ok(Some(planned.outline.clone()));
    }
    Ok(areas::known(conn, district, &[parent]).await?.pop().map(|area| area.outline))
}

/// Where a request says what it makes of the ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// In its body, which is one area.
    One,
    /// In its body, which lists areas and what is to be removed, in the order of the plan.
    Several,
    /// Only in the path.
    Path,
}

impl Says {
    /// Where it says it of this area.
    fn at(self, plan: &Plan, code: u64) -> At {
        // Those that follow are not in the body.
        let put = || plan.put.iter().position(|(_, area)| area.code == code).filter(|_| Level::of(code) == Level::Grid);
        let put = || put().map(|n| format!("/grids/{n}/geometry"));
        let gone = || plan.remove.iter().position(|area| area.code == code).map(|n| format!("/remove/{n}"));
        match self {
            Self::One => At::Pointer("/geometry".to_owned()),
            Self::Several => At::Pointer(put().or_else(gone).unwrap_or_else(|| "/grids".to_owned())),
            Self::Path => At::Parameter("code".to_owned()),
        }
    }
}

/// Whose the ground was for the most part that a plan leaves to nobody.
fn loser(plan: &Plan, gap: &Ground) -> u64 {
    let before = plan.put.iter().filter_map(|(before, _)| before.as_ref()).chain(&plan.remove);
    // Of those that follow others, the others.
    let deepest = before.clone().map(|area| area.code.ilog10()).max();
    let before = before.filter(|area| Some(area.code.ilog10()) == deepest);
    let lost = before.filter_map(|area| {
        let shared = near(&area.outline, &gap.outline).then(|| partition::overlap(&area.outline, &gap.outline))??;
        Some((area.code, shared.square_metres))
    });
    lost.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(code, _)| code)
}

/// Whether no ground is left to nobody or given to two.
pub(super) fn seamless(plan: &Plan, effects: &Effects, says: Says) -> Result<()> {
    let mut faults = Vec::new();
    for (code, other, shared) in &effects.overlaps {
        let size = shared.square_metres;
        let detail = say!("{code} would overlap {other} by {size:.2} m²", "{code} 将与 {other} 重叠 {size:.2} 平方米");
        faults.push(Fault { at: says.at(plan, *code), detail });
    }
    for (code, outside) in &effects.outside {
        let size = outside.square_metres;
        let mut detail = say!(
            "{size:.2} m² of {code} would lie outside the area that it belongs to",
            "{code} 将有 {size:.2} 平方米在所属区域之外"
        );
        if says == Says::Several && Level::of(*code) == Level::Grid {
            detail = say!(
                "{detail}: with \"move_parents\": true the edges of communities and sub-districts move with those of grids",
                "{detail}：加上 \"move_parents\": true 则社区和街道的边界随网格移动",
                detail = detail,
            );
        }
        faults.push(Fault { at: says.at(plan, *code), detail });
    }
    for gap in &effects.gaps {
        let size = gap.square_metres;
        let detail = say!(
            "{size:.2} m² would belong to nobody: give them to a neighbour in the same call (POST /v1/grids/redraw)",
            "将有 {size:.2} 平方米无所归属：请在同一次请求中划给相邻网格（POST /v1/grids/redraw）"
        );
        faults.push(Fault { at: says.at(plan, loser(plan, gap)), detail });
    }
    if faults.is_empty() { Ok(()) } else { Err(ServiceError::Invalid(faults)) }
}
