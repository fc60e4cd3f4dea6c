//! The life of a finding: known once it was found, mended once it is no longer so, and open again when it comes back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::menders::menders;
use super::{Finding, Findings, Found, Mended};
use crate::domain::finding::Subject;
use crate::domain::id::{CoverCode, DistrictCode};
use crate::domain::quality::State;
use crate::service::{Context, Guli};
use crate::store::events::Event;
use crate::store::findings::{self, Kept, Known};
use crate::store::{Conn, Result as StoreResult, cover_history, events, head};

/// How what is found differs from what is known.
struct Difference {
    found: Vec<Arc<Finding>>,
    gone: Vec<Known>,
}

impl Difference {
    fn of(known: Vec<Known>, findings: &[Arc<Finding>]) -> Self {
        let open: HashSet<&str> =
            known.iter().filter(|known| !known.is_mended).map(|known| known.id.as_str()).collect();
        let found = findings.iter().filter(|finding| !open.contains(finding.id.as_str())).cloned().collect();
        let now: HashSet<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
        let is_gone = |known: &Known| !known.is_mended && !now.contains(known.id.as_str());
        Self { found, gone: known.iter().filter(|known| is_gone(known)).cloned().collect() }
    }

    fn is_none(&self) -> bool {
        self.found.is_empty() && self.gone.is_empty()
    }
}

impl Guli {
    /// Keeps what was found in the registry of that number, and what is no more; whether it is kept. Who reads is
    /// answered all the same where it cannot be: it is tried again at the next reading.
    pub(super) async fn keep(&self, district: DistrictCode, registry_seq: Option<u64>, findings: &Findings) -> bool {
        let kept = self.try_to_keep(district, registry_seq, Arc::clone(findings)).await;
        kept.unwrap_or_else(|error| {
            tracing::warn!(%error, %district, "what the quality check found is not kept yet");
            false
        })
    }

    async fn try_to_keep(
        &self,
        district: DistrictCode,
        registry_seq: Option<u64>,
        findings: Findings,
    ) -> StoreResult<bool> {
        let known = findings::known(&mut self.store.read().await?.conn(), district).await?;
        if Difference::of(known, &findings).is_none() {
            return Ok(true);
        }
        let context = Arc::clone(&self.context);
        let work = self.writer.patiently(
            district,
            move |conn| {
                Box::pin(async move { keep(&context, &mut conn.conn(), district, registry_seq, &findings).await })
            },
            |kept| kept,
        );
        work.await
    }

    /// Those of a district that are no more.
    pub(super) async fn mended_in(&self, district: DistrictCode) -> StoreResult<Vec<Found>> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let rows = findings::mended(conn, district).await?;
        let mut numbers: Vec<i64> = rows.iter().filter_map(|(_, mending)| mending.seq).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let changes = events::numbered(conn, district, &numbers).await?;
        let changes: HashMap<i64, Event> = changes.into_iter().map(|event| (event.seq, event)).collect();
        let covers = rows.iter().flat_map(|(kept, _)| &kept.subjects).filter_map(Subject::cover);
        let now = cover_history::successors(conn, district, &covers.collect::<Vec<_>>()).await?;
        let found = rows.into_iter().map(|(kept, mending)| {
            let change = mending.seq.and_then(|seq| changes.get(&seq)).cloned();
            let is_own = change.as_ref().is_some_and(|event| codes(&kept.subjects, &now).contains(&event.subject));
            let mut finding = Finding::new(kept.rule, kept.subjects, kept.place, kept.detail);
            finding.id = kept.id;
            let mended = Some(Mended { at: mending.at, change, is_own });
            Found { district, finding: Arc::new(finding), state: State::Mended, ruling: None, mended }
        });
        Ok(found.collect())
    }
}

/// Only what was found in the registry as it is: a server that is behind would bring back what another one mended.
async fn keep(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    registry_seq: Option<u64>,
    findings: &[Arc<Finding>],
) -> StoreResult<bool> {
    let Some(head) = head::lock(conn, district).await? else { return Ok(false) };
    if Some(head.registry_seq.unsigned_abs()) != registry_seq {
        return Ok(false);
    }
    let difference = Difference::of(findings::known(conn, district).await?, findings);
    let found = difference.found.iter().map(|finding| Kept {
        id: finding.id.clone(),
        rule: finding.rule,
        subjects: finding.subjects.clone(),
        place: finding.place.clone(),
        detail: finding.detail.clone(),
        found_seq: head.seq,
    });
    findings::put(conn, district, &found.collect::<Vec<_>>()).await?;
    let mut mendings: BTreeMap<_, Vec<String>> = BTreeMap::new();
    let changes = menders(&context.index, conn, district, &difference.gone).await?;
    for (known, change) in difference.gone.into_iter().zip(changes) {
        let at = change.as_ref().map_or_else(|| context.clock.now(), Event::at);
        mendings.entry((at, change.map(|event| event.seq))).or_default().push(known.id);
    }
    findings::mend(conn, district, &mendings).await?;
    Ok(true)
}

/// What subjects are and were called; `now`: the codes that covers have now, by those that they had.
pub(super) fn codes(subjects: &[Subject], now: &HashMap<CoverCode, CoverCode>) -> Vec<String> {
    let successors = subjects.iter().filter_map(Subject::cover).filter_map(|code| now.get(&code));
    subjects.iter().map(|subject| subject.named().1).chain(successors.map(CoverCode::to_string)).collect()
}
