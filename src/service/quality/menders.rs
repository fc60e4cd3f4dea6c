//! Which change mended a finding: the last one, since it was found, of what its rule looks at. Where none is known, nobody is
//! named: whoever changed something else last did not mend it.

mod people;

use std::collections::{HashMap, HashSet};

use self::people::People;
use super::{Place, Subject};
use crate::domain::cover::Status;
use crate::domain::id::{CoverCode, DistrictCode};
use crate::domain::partition;
use crate::domain::position::{Position, Wgs84};
use crate::domain::quality::Rule;
use crate::index::Index;
use crate::store::areas::{self, Area, AreaState, Level};
use crate::store::events::{self, Event};
use crate::store::findings::{self, Kept, Known};
use crate::store::{Conn, Result as StoreResult, cover_history};

/// Degrees, far less than anybody measures.
const SAME_PLACE: f64 = 2e-8;

/// For each of these what mended it. `index` shows the registry that they are no longer found in.
pub(super) async fn menders(
    index: &Index,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    gone: &[Known],
) -> StoreResult<Vec<Option<Event>>> {
    let ids: Vec<&str> = gone.iter().map(|known| known.id.as_str()).collect();
    let kept = findings::of(conn, district, &ids).await?;
    let covers = Covers::read(conn, district, &kept).await?;
    let kept: HashMap<&str, &Kept> = kept.iter().map(|kept| (kept.id.as_str(), kept)).collect();
    let mut ground = Ground { district, grids: None, redrawn: HashMap::new() };
    let mut people = People::new(district);
    let mut numbers = Vec::with_capacity(gone.len());
    for known in gone {
        let number = match kept.get(known.id.as_str()) {
            Some(kept) => number(index, conn, kept, &covers, (&mut ground, &mut people)).await?,
            None => None,
        };
        numbers.push(number.filter(|seq| *seq > known.found_seq));
    }
    let mut distinct: Vec<i64> = numbers.iter().flatten().copied().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let events = events::numbered(conn, district, &distinct).await?;
    let events: HashMap<i64, Event> = events.into_iter().map(|event| (event.seq, event)).collect();
    Ok(numbers.into_iter().map(|number| events.get(&number?).cloned()).collect())
}

/// The number of the last change that may have mended a finding.
async fn number(
    index: &Index,
    conn: &mut Conn<'_>,
    kept: &Kept,
    covers: &Covers,
    (ground, people): (&mut Ground, &mut People),
) -> StoreResult<Option<i64>> {
    let subject = kept.subjects.first();
    Ok(match (kept.rule, subject) {
        (Rule::GridsOverlap, _) => ground.of_either(conn, &kept.subjects).await?,
        (Rule::GridsGap, _) => ground.of_gap(conn, kept.place.as_ref()).await?,
        // One that lies where it did is in a grid because that was redrawn.
        (Rule::CoverOutsideGrids, Some(Subject::Cover(code))) => {
            let now = covers.now.get(code).unwrap_or(code);
            match grid_around(index, *now, kept.place.as_ref()) {
                Some(grid) => ground.of_grid(conn, grid).await?.map(|change| change.seq),
                None => covers.last(kept),
            }
        }
        (Rule::GridWithoutLeader, Some(Subject::Grid(code))) => match people.leader_came(conn, *code).await? {
            Some(seq) => Some(seq),
            None => ground.of_grid(conn, *code).await?.filter(|change| change.is_removal).map(|change| change.seq),
        },
        (Rule::PersonWithoutArea, Some(Subject::Person(id))) => people.placed(conn, id).await?,
        (Rule::UnitUnreachable, Some(Subject::Organization(code))) => people.reached(conn, code).await?,
        _ => covers.last(kept),
    })
}

/// The grid that a cover lies in now, if it lies where it lay.
fn grid_around(index: &Index, code: CoverCode, place: Option<&Place>) -> Option<u64> {
    let cover = index.cover(code).filter(|cover| cover.status != Status::Removed)?;
    let Some(Place::At(then)) = place else { return None };
    let same = |a: f64, b: f64| (a - b).abs() < SAME_PLACE;
    let stays = |now: Position<Wgs84>| same(now.lon(), then.lon()) && same(now.lat(), then.lat());
    cover.grid.filter(|_| stays(cover.position)).map(|grid| grid.code.number())
}

/// What is known of the covers that findings are about.
struct Covers {
    /// The codes that they have now, by those that they had.
    now: HashMap<CoverCode, CoverCode>,
    /// The last change of each, by every code.
    last: HashMap<String, i64>,
}

impl Covers {
    async fn read(conn: &mut Conn<'_>, district: DistrictCode, kept: &[Kept]) -> StoreResult<Self> {
        let mut codes: Vec<CoverCode> =
            kept.iter().flat_map(|kept| &kept.subjects).filter_map(Subject::cover).collect();
        let now = cover_history::successors(conn, district, &codes).await?;
        codes.extend(now.values());
        let names: Vec<String> = codes.iter().map(CoverCode::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut last = events::last_on(conn, district, &names).await?;
        // An import has one event, and what it changed bears its number.
        let numbers = cover_history::numbers(conn, district, &codes).await?;
        let mut distinct: Vec<i64> = numbers.iter().map(|(_, seq)| *seq).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let imports = events::numbered(conn, district, &distinct).await?.into_iter().filter(Event::is_import_of_covers);
        let imports: HashSet<i64> = imports.map(|event| event.seq).collect();
        for (code, seq) in numbers.into_iter().filter(|(_, seq)| imports.contains(seq)) {
            let of_code = last.entry(code.to_string()).or_insert(seq);
            *of_code = seq.max(*of_code);
        }
        Ok(Self { now, last })
    }

    /// The last change of the covers that a finding is about.
    fn last(&self, kept: &Kept) -> Option<i64> {
        super::life::codes(&kept.subjects, &self.now).iter().filter_map(|code| self.last.get(code)).copied().max()
    }
}

/// The last time that a grid got another outline, or came or went.
#[derive(Debug, Clone, Copy)]
struct Redrawn {
    seq: i64,
    is_removal: bool,
}

/// The grids of a district, as far as they are asked for.
struct Ground {
    district: DistrictCode,
    grids: Option<Vec<Area>>,
    redrawn: HashMap<u64, Option<Redrawn>>,
}

impl Ground {
    async fn of_grid(&mut self, conn: &mut Conn<'_>, code: u64) -> StoreResult<Option<Redrawn>> {
        if let Some(known) = self.redrawn.get(&code) {
            return Ok(*known);
        }
        let states = areas::states(conn, self.district, code).await?;
        let mut redrawn = redrawn(&states);
        if let Some(redrawn) = &mut redrawn {
            redrawn.seq = own_number(conn, self.district, code, redrawn.seq).await?;
        }
        self.redrawn.insert(code, redrawn);
        Ok(redrawn)
    }

    async fn of_either(&mut self, conn: &mut Conn<'_>, grids: &[Subject]) -> StoreResult<Option<i64>> {
        let mut last = None;
        for subject in grids {
            if let Subject::Grid(code) = subject {
                last = last.max(self.of_grid(conn, *code).await?.map(|change| change.seq));
            }
        }
        Ok(last)
    }

    /// Of the grids that have a gap's ground now; if none has, the district gave it away.
    async fn of_gap(&mut self, conn: &mut Conn<'_>, gap: Option<&Place>) -> StoreResult<Option<i64>> {
        let Some(Place::Ground(gap)) = gap else { return Ok(None) };
        let grids = if let Some(grids) = self.grids.take() {
            grids
        } else {
            let all = Level::Grid.within(self.district.number());
            areas::list(conn, self.district, None, all, 0, i64::MAX).await?
        };
        let is_near = |area: &&Area| partition::near(&area.outline, gap);
        let takers = grids.iter().filter(is_near).filter(|area| partition::overlap(&area.outline, gap).is_some());
        let takers: Vec<Subject> = takers.map(|area| Subject::Grid(area.code)).collect();
        self.grids = Some(grids);
        if takers.is_empty() {
            return Ok(redrawn(&areas::district_states(conn, self.district).await?).map(|change| change.seq));
        }
        self.of_either(conn, &takers).await
    }
}

fn redrawn(states: &[AreaState]) -> Option<Redrawn> {
    if let Some(seq) = states.last()?.seq_to {
        return Some(Redrawn { seq, is_removal: true });
    }
    let before = std::iter::once(None).chain(states.iter().map(Some));
    let changes = before.zip(states).filter(|(before, state)| {
        before.is_none_or(|before| before.area.outline != state.area.outline || before.seq_to != Some(state.seq_from))
    });
    changes.last().map(|(_, state)| Redrawn { seq: state.seq_from, is_removal: false })
}

/// Areas that were changed in one call bear the number of its first event, and each has its own further on.
async fn own_number(conn: &mut Conn<'_>, district: DistrictCode, code: u64, seq: i64) -> StoreResult<i64> {
    let first = events::numbered(conn, district, &[seq]).await?.pop();
    let Some(first) = first.filter(|event| !event.kind.starts_with("import.")) else { return Ok(seq) };
    let own = events::of(conn, district, &code.to_string(), None, i64::MAX).await?;
    let is_own = |own: &&Event| own.seq >= seq && own.at == first.at;
    Ok(own.iter().find(is_own).map_or(seq, |own| own.seq))
}

/// The event since which something is so to this day.
fn since<T>(states: &[T], so: impl Fn(&T) -> (i64, bool)) -> Option<i64> {
    states.iter().rev().map(so).take_while(|(_, is_so)| *is_so).last().map(|(seq, _)| seq)
}
