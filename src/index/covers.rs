//! The covers of a district, packed: about 95 bytes each with every way to find them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hashbrown::HashTable;

use super::IndexError;
use super::cells::Cells;
use super::district::Regridded;
use super::frame::{Box32, Frame, Ruler, Spot};
use super::ground::{GridInfo, Ground};
use super::layers::CoverVersion;
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::{Accuracy, Cover, Spec, Status};
use crate::domain::id::{CoverCode, CoverId, OrgCode};
use crate::domain::organization::Organization;
use crate::domain::position::{Position, Wgs84};

/// A cover as answers show it; names are shared, not copied.
#[derive(Debug, Clone, PartialEq)]
pub struct CoverView {
    pub id: CoverId,
    pub code: CoverCode,
    pub category_name: Arc<str>,
    pub owner: Option<Arc<Organization>>,
    pub responsible_unit: Option<Arc<Organization>>,
    pub spec: Spec,
    pub status: Status,
    pub position: Position<Wgs84>,
    pub accuracy: Accuracy,
    pub grid: Option<Arc<GridInfo>>,
    pub version: i64,
}

impl CoverView {
    pub const fn category(&self) -> CategoryCode {
        self.code.category()
    }
}

/// "No unit", "no grid".
const NO_UNIT: u16 = u16::MAX;
const NO_GRID: u32 = u32::MAX;

/// 64 bytes.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    id: CoverId,
    spot: Spot,
    sequence: u32,
    grid: u32,
    version: u32,
    spec: Spec,
    category: CategoryCode,
    owner: u16,
    unit: u16,
    status: Status,
    accuracy: Accuracy,
}

/// What a cover is weighed by, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) spot: Spot,
    pub(super) slot: u32,
    pub(super) category: CategoryCode,
    pub(super) status: Status,
    pub(super) accuracy: Accuracy,
}

/// Organisations by a small number.
#[derive(Debug, Default)]
struct Units {
    all: Vec<Arc<Organization>>,
    numbers: HashMap<OrgCode, u16>,
    /// How often one was exchanged for another.
    changes: u64,
}

impl Units {
    fn put(&mut self, organization: Arc<Organization>) -> Result<u16, IndexError> {
        if let Some(&number) = self.numbers.get(&organization.code) {
            self.all[usize::from(number)] = organization;
            self.changes += 1;
            return Ok(number);
        }
        let number = u16::try_from(self.all.len()).ok().filter(|&n| n != NO_UNIT).ok_or(IndexError::TooManyUnits)?;
        self.numbers.insert(organization.code.clone(), number);
        self.all.push(organization);
        Ok(number)
    }

    /// The number of a code; one that the district has not named goes by its code.
    fn number(&mut self, code: Option<&OrgCode>) -> Result<u16, IndexError> {
        let Some(code) = code else { return Ok(NO_UNIT) };
        if let Some(&number) = self.numbers.get(code) {
            return Ok(number);
        }
        self.put(Arc::new(Organization::nameless(code.clone())))
    }

    fn get(&self, number: u16) -> Option<Arc<Organization>> {
        self.all.get(usize::from(number)).cloned()
    }
}

fn hash_id(id: CoverId) -> u64 {
    let bits = id.0.as_u128();
    #[expect(clippy::cast_possible_truncation, reason = "both halves are folded together")]
    mix((bits as u64) ^ ((bits >> 64) as u64))
}

fn hash_code(category: CategoryCode, sequence: u32) -> u64 {
    mix(u64::from(category.number()) << 32 | u64::from(sequence))
}

/// Fibonacci hashing, with the high bits brought down: hashbrown reads both ends.
fn mix(bits: u64) -> u64 {
    let product = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 32)
}

#[derive(Debug)]
pub(super) struct Covers {
    records: Vec<Packed>,
    free: Vec<u32>,
    by_id: HashTable<u32>,
    by_code: HashTable<u32>,
    /// Those that are not removed.
    cells: Cells,
    units: Units,
    /// How many covers that a pin may mean each category has.
    counts: BTreeMap<CategoryCode, u32>,
}

impl Covers {
    /// None yet, in a district with this outline.
    pub(super) fn within_outline(corners: (Spot, Spot)) -> Self {
        Self {
            records: Vec::new(),
            free: Vec::new(),
            by_id: HashTable::new(),
            by_code: HashTable::new(),
            cells: Cells::over(corners, 0),
            units: Units::default(),
            counts: BTreeMap::new(),
        }
    }

    pub(super) fn put_unit(&mut self, organization: Arc<Organization>) -> Result<(), IndexError> {
        self.units.put(organization).map(|_| ())
    }

    /// The organisations that are only named.
    pub(super) fn nameless(&self) -> Vec<OrgCode> {
        self.units.all.iter().filter(|unit| unit.version == 0).map(|unit| unit.code.clone()).collect()
    }

    pub(super) fn units(&self) -> impl Iterator<Item = &Arc<Organization>> {
        self.units.all.iter()
    }

    pub(super) fn unit(&self, code: &OrgCode) -> Option<Arc<Organization>> {
        self.units.numbers.get(code).and_then(|&number| self.units.get(number))
    }

    fn pack(&mut self, cover: Cover, ground: &Ground) -> Result<Packed, IndexError> {
        Ok(Packed {
            id: cover.id,
            spot: ground.frame.spot_of(cover.position).ok_or(IndexError::TooFar(cover.code))?,
            sequence: cover.code.sequence(),
            grid: cover.grid.and_then(|code| ground.grid_index(code)).unwrap_or(NO_GRID),
            version: u32::try_from(cover.version).unwrap_or(u32::MAX),
            spec: cover.spec,
            category: cover.code.category(),
            owner: self.units.number(cover.owner.as_ref())?,
            unit: self.units.number(cover.responsible_unit.as_ref())?,
            status: cover.status,
            accuracy: cover.accuracy,
        })
    }

    /// Takes a cover without making it findable; [`Covers::seal`] makes all of them so at once.
    pub(super) fn load(&mut self, cover: Cover, ground: &Ground) -> Result<(), IndexError> {
        let packed = self.pack(cover, ground)?;
        self.records.push(packed);
        Ok(())
    }

    pub(super) fn reserve(&mut self, covers: usize) {
        self.records.reserve_exact(covers);
    }

    pub(super) fn seal(&mut self, corners: (Spot, Spot)) {
        self.records.shrink_to_fit();
        let mut cells = Cells::over(corners, self.records.len());
        // Neighbours lie side by side in memory too.
        self.records.sort_unstable_by_key(|record| (cells.cell(record.spot), record.category, record.sequence));
        let slots = 0..u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        self.by_id = HashTable::with_capacity(self.records.len());
        self.by_code = HashTable::with_capacity(self.records.len());
        cells.reserve(self.records.len());
        self.cells = cells;
        // From the last, so that each list goes forward.
        for slot in slots.rev() {
            self.list(slot);
        }
    }

    /// Adds a cover or replaces the one with its identity.
    pub(super) fn put(&mut self, cover: Cover, ground: &Ground) -> Result<(), IndexError> {
        let packed = self.pack(cover, ground)?;
        let slot = if let Some(slot) = self.slot_of_id(packed.id) {
            self.unlist(slot);
            slot
        } else if let Some(slot) = self.free.pop() {
            slot
        } else {
            u32::try_from(self.records.len()).map_err(|_| IndexError::TooManyCovers)?
        };
        match self.records.get_mut(slot as usize) {
            Some(record) => *record = packed,
            None => self.records.push(packed),
        }
        self.list(slot);
        if self.cells.are_full() {
            self.narrow(ground.outline.corners());
        }
        Ok(())
    }

    /// Puts all covers into narrower cells. A table of hashes grows in the same way, but four times as often: a district
    /// that starts empty and comes to a million covers has this done three times, some milliseconds each.
    fn narrow(&mut self, corners: (Spot, Spot)) {
        let mut cells = Cells::over(corners, self.records.len());
        cells.reserve(self.records.len());
        for (slot, record) in self.present() {
            cells.insert(slot, record.spot);
        }
        self.cells = cells;
    }

    pub(super) fn remove(&mut self, id: CoverId) -> bool {
        let Some(slot) = self.slot_of_id(id) else { return false };
        self.unlist(slot);
        self.records[slot as usize].status = Status::Removed;
        self.free.push(slot);
        true
    }

    fn entry(&self, slot: u32) -> Entry {
        let Packed { spot, category, status, accuracy, .. } = self.records[slot as usize];
        Entry { spot, slot, category, status, accuracy }
    }

    /// Into everything that finds it.
    fn list(&mut self, slot: u32) {
        let records = &self.records;
        let id = |&slot: &u32| hash_id(records[slot as usize].id);
        let code = |&slot: &u32| hash_code(records[slot as usize].category, records[slot as usize].sequence);
        self.by_id.insert_unique(id(&slot), slot, id);
        self.by_code.insert_unique(code(&slot), slot, code);
        let Entry { spot, category, status, .. } = self.entry(slot);
        if status != Status::Removed {
            self.cells.insert(slot, spot);
        }
        if status.is_resolvable() {
            *self.counts.entry(category).or_default() += 1;
        }
    }

    /// Out of everything that finds it.
    fn unlist(&mut self, slot: u32) {
        let entry = self.entry(slot);
        if entry.status != Status::Removed {
            self.cells.remove(slot, entry.spot);
        }
        let record = &self.records[slot as usize];
        for (table, hash) in
            [(&mut self.by_id, hash_id(record.id)), (&mut self.by_code, hash_code(record.category, record.sequence))]
        {
            if let Ok(found) = table.find_entry(hash, |&other| other == slot) {
                found.remove();
            }
        }
        if record.status.is_resolvable()
            && let Some(count) = self.counts.get_mut(&record.category)
        {
            *count -= 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    pub(super) fn slot_of_id(&self, id: CoverId) -> Option<u32> {
        self.by_id.find(hash_id(id), |&slot| self.records[slot as usize].id == id).copied()
    }

    pub(super) fn slot_of_code(&self, code: CoverCode) -> Option<u32> {
        let is_it = |&slot: &u32| {
            let record = &self.records[slot as usize];
            (record.category, record.sequence) == (code.category(), code.sequence())
        };
        self.by_code.find(hash_code(code.category(), code.sequence()), is_it).copied()
    }

    /// Share of a category in the covers that a pin may mean, as if each of 16 had one more.
    pub(super) fn share(&self, category: CategoryCode) -> f64 {
        let of_it = self.counts.get(&category).copied().unwrap_or(0);
        let all: u32 = self.counts.values().sum();
        (f64::from(of_it) + 1.0) / (f64::from(all) + 16.0)
    }

    /// Every cover not removed within the radius, with the square of its distance in metres.
    pub(super) fn within(&self, ruler: &Ruler, radius_m: f64, mut visit: impl FnMut(&Entry, f64)) {
        let squared_radius = radius_m * radius_m;
        for entry in self.entries_in(&ruler.reach(radius_m)) {
            let squared = ruler.squared_m(entry.spot);
            if squared <= squared_radius {
                visit(&entry, squared);
            }
        }
    }

    /// Every cover not removed in a box, and others near it.
    fn entries_in(&self, reach: &Box32) -> impl Iterator<Item = Entry> {
        self.cells.slots_in(reach).map(|slot| self.entry(slot))
    }

    /// Rises with every organisation that changes.
    pub(super) fn unit_changes(&self) -> u64 {
        self.units.changes
    }

    fn code(record: &Packed, ground: &Ground) -> Option<CoverCode> {
        CoverCode::new(ground.district.code, record.category, record.sequence).ok()
    }

    /// Every cover not removed, in no order.
    pub(super) fn versions(&self, ground: &Ground) -> impl Iterator<Item = CoverVersion> {
        self.present()
            .filter_map(|(_, record)| Some(CoverVersion { code: Self::code(record, ground)?, version: record.version }))
    }

    /// The slots of what is not removed, with what they hold.
    fn present(&self) -> impl Iterator<Item = (u32, &Packed)> {
        (0..).zip(&self.records).filter(|(_, record)| record.status != Status::Removed)
    }

    /// Every cover not removed within west, south, east, north or on the edge.
    pub(super) fn in_box(&self, bounds: [f64; 4], ground: &Ground, mut visit: impl FnMut(CoverCode)) {
        self.spots_in(bounds, ground.frame, |entry, _| {
            Self::code(&self.records[entry.slot as usize], ground).into_iter().for_each(&mut visit);
        });
    }

    /// The same in the order of the cells, with longitude and latitude.
    pub(super) fn spots_in(&self, bounds: [f64; 4], frame: Frame, mut visit: impl FnMut(&Entry, (f64, f64))) {
        let [west, south, east, north] = bounds;
        for entry in self.entries_in(&frame.reach(bounds)) {
            let (lon, lat) = frame.degrees(entry.spot);
            if (west..=east).contains(&lon) && (south..=north).contains(&lat) {
                visit(&entry, (lon, lat));
            }
        }
    }

    /// Puts every cover that is not removed into the grid that it lies in; says which have moved. Those outside every grid stay.
    pub(super) fn regrid(&mut self, ground: &Ground) -> Vec<Regridded> {
        let mut moved = Vec::new();
        // What was removed stays where it was.
        let slots: Vec<u32> = self.present().map(|(slot, _)| slot).collect();
        for slot in slots {
            let record = &self.records[slot as usize];
            let at = ground.frame.position(record.spot);
            let found = ground.ruler(at).and_then(|(spot, ruler)| ground.grid_or_nearest(&ruler, spot));
            let to = found.map(|grid| grid.code);
            let from = ground.grid(record.grid).map(|grid| grid.code);
            if from == to {
                continue;
            }
            let Some(code) = Self::code(record, ground) else { continue };
            let record = &mut self.records[slot as usize];
            record.grid = to.and_then(|grid| ground.grid_index(grid)).unwrap_or(NO_GRID);
            record.version += 1;
            moved.push(Regridded { id: record.id, code, from, to, version: i64::from(record.version) });
        }
        moved.sort_by_key(|moved| moved.code);
        moved
    }

    /// Numbers of the organisations that own it and that must act, and its sequence.
    pub(super) fn units_of(&self, slot: u32) -> (Option<u16>, Option<u16>, u32) {
        let record = &self.records[slot as usize];
        let known = |number: u16| (number != NO_UNIT).then_some(number);
        (known(record.owner), known(record.unit), record.sequence)
    }

    /// Identity, version and grid: what its answers differ by, besides names.
    pub(super) fn state(&self, slot: u32) -> (CoverId, u32, u32) {
        let record = &self.records[slot as usize];
        (record.id, record.version, record.grid)
    }

    /// How many organisations there are.
    pub(super) fn unit_count(&self) -> usize {
        self.units.all.len()
    }

    /// The organisation with this number.
    pub(super) fn unit_numbered(&self, number: u16) -> Option<Arc<Organization>> {
        self.units.get(number)
    }

    /// Order of two covers by their codes, within one district.
    pub(super) fn code_key(&self, slot: u32) -> (CategoryCode, u32) {
        let record = &self.records[slot as usize];
        (record.category, record.sequence)
    }

    pub(super) fn view(&self, slot: u32, ground: &Ground) -> Option<CoverView> {
        let record = self.records.get(slot as usize)?;
        let frame: Frame = ground.frame;
        Some(CoverView {
            id: record.id,
            code: CoverCode::new(ground.district.code, record.category, record.sequence).ok()?,
            category_name: ground.category_name(record.category),
            owner: self.units.get(record.owner),
            responsible_unit: self.units.get(record.unit),
            spec: record.spec.clone(),
            status: record.status,
            position: frame.position(record.spot),
            accuracy: record.accuracy,
            grid: ground.grid(record.grid).cloned(),
            version: i64::from(record.version),
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_cover_takes_a_cache_line() {
        assert_eq!(size_of::<super::Packed>(), 64);
    }
}
