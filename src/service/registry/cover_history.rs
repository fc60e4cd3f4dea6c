//! What became of a cover, version by version.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::domain::actor::{self, Action, Actor, Resource};
use crate::domain::cover::Cover;
use crate::domain::id::{CoverCode, DistrictCode};
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::{Result, ServiceError};
use crate::store::cover_history::{self, CoverState};
use crate::store::events::{self, Event, REGRIDDED};
use crate::store::{Conn, Result as StoreResult};

/// A version of a cover, and the change that made it.
#[derive(Debug)]
pub struct CoverVersion {
    pub cover: Cover,
    pub event: Option<Event>,
    /// The import that made it, and the row there if that is known still.
    pub import: Option<(String, Option<i64>)>,
}

impl Guli {
    /// Every version of a cover, the oldest first; of a removed one too.
    pub async fn cover_history(&self, actor: &Actor, code: CoverCode) -> Result<Vec<CoverVersion>> {
        let district = code.district();
        actor::authorize(actor, Action::ReadCovers, Resource::District(district))
            .map_err(|r| ServiceError::refused(r, say!("cover {code}", "井盖 {code}")))?;
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let hidden = || ServiceError::NotFound(say!("cover {code}", "井盖 {code}"));
        let present = cover_history::present(conn, code).await?.ok_or_else(hidden)?;
        let states = cover_history::states(conn, district, present.cover.id).await?;
        let numbers: Vec<i64> = states.iter().map(|state| state.seq).collect();
        let events = events::numbered(conn, district, &numbers).await?;
        let mut events: HashMap<i64, Event> = events.into_iter().map(|e| (e.seq, e)).collect();
        own_events(conn, district, &states, &mut events).await?;
        let deliveries = cover_history::deliveries(conn, district, present.cover.id).await?;
        let versions = states.into_iter().map(|CoverState { cover, seq, source }| {
            let event = events.remove(&seq);
            let import = event.as_ref().filter(|event| event.kind == "import.applied").map(|event| &event.subject);
            let row = import.and_then(|import| {
                let delivered =
                    |(from, id, _): &&(String, uuid::Uuid, i64)| *from == source && id.to_string() == *import;
                deliveries.iter().find(delivered).map(|(_, _, row)| *row)
            });
            CoverVersion { import: import.cloned().map(|import| (import, row)), cover, event }
        });
        Ok(versions.collect())
    }
}

/// Covers that came into another grid bear the number of the first event of what redrew the grids, and each has its own
/// further on: puts that in its place.
async fn own_events(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    states: &[CoverState],
    events: &mut HashMap<i64, Event>,
) -> StoreResult<()> {
    let mut told: HashMap<CoverCode, Vec<Event>> = HashMap::new();
    for CoverState { cover, seq, .. } in states {
        let is_anothers = |event: &&mut Event| !event.kind.starts_with("cover.") && !event.kind.starts_with("import.");
        let Some(event) = events.get_mut(seq).filter(is_anothers) else { continue };
        let of_cover = match told.entry(cover.code) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                new.insert(events::of(conn, district, &cover.code.to_string(), None, i64::MAX).await?)
            }
        };
        let own = |own: &&Event| own.kind == REGRIDDED && own.version == cover.version;
        if let Some(own) = of_cover.iter().find(own) {
            *event = own.clone();
        }
    }
    Ok(())
}
