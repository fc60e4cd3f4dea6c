//! What an edit of areas does or would do, as it goes out.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::areas::{AreaOut, GeometryOut, area_out};
use super::edge::Caller;
use super::wire::Out;
use super::{to_bytes, write};
use crate::domain::partition::Ground;
use crate::service::command::Rendered;
use crate::service::edit::areas::{AreaOutcome, RenderAreas, Run};
use crate::service::edit::ground::Effects;
use crate::service::error::Result;

/// A cover or an order that comes into another grid.
#[derive(Debug, Serialize, ToSchema)]
pub struct MovedOut {
    pub code: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// An area's size, in m² on the ellipsoid.
#[derive(Debug, Serialize, ToSchema)]
pub struct SizeOut {
    pub code: String,
    pub before_m2: f64,
    pub after_m2: f64,
}

/// Ground that is shared, or outside, or nobody's.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroundOut {
    pub code: Option<String>,
    /// The other that would have it too.
    pub other: Option<String>,
    pub area_m2: f64,
    pub geometry: GeometryOut,
}

/// What a change of areas does besides.
#[derive(Debug, Serialize, ToSchema)]
pub struct EffectsOut {
    pub cover_count: usize,
    /// The first 1,000 covers that come into another grid.
    pub covers: Vec<MovedOut>,
    /// Open orders that come into another grid.
    pub orders: Vec<MovedOut>,
    pub sizes: Vec<SizeOut>,
    /// What makes it impossible: ground that two would have,
    pub overlaps: Vec<GroundOut>,
    /// ground outside the area that they lie in,
    pub outside: Vec<GroundOut>,
    /// and ground that would be nobody's.
    pub gaps: Vec<GroundOut>,
}

/// Areas as they now are or would be, and what else changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedrawnOut {
    pub dry_run: bool,
    pub areas: Vec<AreaOut>,
    pub effects: EffectsOut,
}

/// Most covers that are named.
const NAMED: usize = 1_000;

fn centimetres2(square_metres: f64) -> f64 {
    (square_metres * 100.0).round() / 100.0
}

fn effects_out(effects: &Effects, out: Out) -> Result<EffectsOut> {
    let ground = |code: Option<u64>, other: Option<u64>, ground: &Ground| -> Result<GroundOut> {
        Ok(GroundOut {
            code: code.map(|code| code.to_string()),
            other: other.map(|code| code.to_string()),
            area_m2: centimetres2(ground.square_metres),
            geometry: GeometryOut::new(&ground.outline, out)?,
        })
    };
    let covers = effects.covers.iter().take(NAMED).map(|moved| MovedOut {
        code: moved.code.to_string(),
        from: moved.from.map(|grid| grid.to_string()),
        to: moved.to.map(|grid| grid.to_string()),
    });
    let orders = effects.orders.iter().map(|(code, from, to)| MovedOut {
        code: code.to_string(),
        from: Some(from.to_string()),
        to: Some(to.to_string()),
    });
    let sizes = effects.sizes.iter().map(|(code, before, after)| SizeOut {
        code: code.to_string(),
        before_m2: centimetres2(*before),
        after_m2: centimetres2(*after),
    });
    let overlaps = effects.overlaps.iter().map(|(code, other, shared)| ground(Some(*code), Some(*other), shared));
    let outside = effects.outside.iter().map(|(code, outside)| ground(Some(*code), None, outside));
    Ok(EffectsOut {
        cover_count: effects.covers.len(),
        covers: covers.collect(),
        orders: orders.collect(),
        sizes: sizes.collect(),
        overlaps: overlaps.collect::<Result<_>>()?,
        outside: outside.collect::<Result<_>>()?,
        gaps: effects.gaps.iter().map(|gap| ground(None, None, gap)).collect::<Result<_>>()?,
    })
}

/// How an answer is to look.
#[derive(Clone, Copy)]
pub(super) struct View {
    pub(super) out: Out,
    pub(super) run: Run,
}

/// What is answered to an edit of one area: the area, or with `dry_run` what would change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum AreaAnswer {
    Area(Box<AreaOut>),
    Tried(RedrawnOut),
}

/// How the answer of an edit is written.
fn render(write: impl Fn(&AreaOutcome) -> Result<Rendered> + Send + Sync + 'static) -> RenderAreas {
    Arc::new(move |outcome: &AreaOutcome| write::rendered(write(outcome)))
}

fn redrawn(outcome: &AreaOutcome, caller: &Caller, asked: View) -> Result<RedrawnOut> {
    let areas = outcome.areas.iter().map(|area| area_out(&outcome.registry, area, caller, asked.out));
    Ok(RedrawnOut {
        dry_run: asked.run == Run::Dry,
        areas: areas.collect::<Result<_>>()?,
        effects: effects_out(&outcome.effects, asked.out)?,
    })
}

/// The answer of an edit of several areas.
pub(super) fn render_several(caller: &Caller, asked: View) -> RenderAreas {
    let caller = caller.clone();
    render(move |outcome| {
        let body = to_bytes(&redrawn(outcome, &caller, asked)?)?;
        Ok(Rendered { status: 200, location: None, etag: None, body })
    })
}

/// The answer of a new area.
pub(super) fn render_new(caller: &Caller, asked: View, path: &'static str) -> RenderAreas {
    let caller = caller.clone();
    render(move |outcome| {
        let Some(area) = outcome.areas.first().filter(|_| asked.run == Run::Real) else {
            let body = to_bytes(&redrawn(outcome, &caller, asked)?)?;
            return Ok(Rendered { status: 200, location: None, etag: None, body });
        };
        let shown = area_out(&outcome.registry, area, &caller, asked.out)?;
        let location = Some(format!("{path}/{}", area.code));
        Ok(Rendered { status: 201, location, etag: Some(format!("\"{}\"", area.version)), body: to_bytes(&shown)? })
    })
}

/// The answer of an edit of one area: nothing is left to be shown of one that was removed.
pub(super) fn render_one(caller: &Caller, asked: View) -> RenderAreas {
    let caller = caller.clone();
    render(move |outcome| {
        let (etag, shown) = match (asked.run, outcome.areas.first()) {
            (Run::Real, None) => return Ok(Rendered { status: 204, location: None, etag: None, body: Vec::new() }),
            (Run::Real, Some(area)) => {
                let shown = area_out(&outcome.registry, area, &caller, asked.out)?;
                (Some(format!("\"{}\"", area.version)), AreaAnswer::Area(Box::new(shown)))
            }
            (Run::Dry, _) => (None, AreaAnswer::Tried(redrawn(outcome, &caller, asked)?)),
        };
        Ok(Rendered { status: 200, location: None, etag, body: to_bytes(&shown)? })
    })
}
