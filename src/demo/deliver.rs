//! Writing the departments' files of covers, with the mistakes that are planted in them.

use std::path::Path;

use super::Error;
use super::covers::{Cover, code, rebuilt};
use super::files::{COVER_FILES, Codes, CoverFile, Faults, Field, Format};
use super::offices::{self, owners};
use super::plan::{Plan, Use};
use super::plane::{Crs, Frame, Point, Surveyor, Vertex, plus};
use super::rng::Rng;
use super::sink::{Sink, Value};
use super::site::Site;
use super::utilities::{UTILITIES, index_of};

/// Smaller worlds are too small for mistakes.
const FLAWED_FROM: u64 = 5_000;

/// One line of the answer key: what the import must report, or of what it takes the quality check.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Imperfection {
    pub(super) file: &'static str,
    pub(super) profile: &'static str,
    /// Counted from 1, without the header.
    pub(super) row: u64,
    pub(super) code: &'static str,
    pub(super) severity: &'static str,
    pub(super) external_id: String,
    pub(super) note: String,
}

/// A mistake to be made.
#[derive(Debug, Clone, PartialEq)]
enum Fault {
    OwnerMissing,
    PositionInvalid,
    Outside,
    Swapped,
    CodeRepeated,
    IdRepeated,
    Also(Seen),
}

/// A cover that a later file has, too.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    profile: &'static str,
    external_id: String,
    utility: usize,
    vertex: Vertex,
    /// The file that will have it again.
    again: &'static str,
}

/// What runs on through all files.
pub(super) struct Delivery<'a> {
    plan: &'a Plan<'a>,
    surveyor: Surveyor,
    frame: Frame,
    site: Site,
    flawed: bool,
    /// The next sequence of each category, for stored covers and for rows that will be refused.
    sequences: [u64; 16],
    refused: [u64; 16],
    seen: Vec<Seen>,
    outside: usize,
    pub(super) key: Vec<Imperfection>,
    pub(super) stored: u64,
    pub(super) rows: u64,
}

/// Places outside Shibei, each by more than 100 m: a street beyond the southern border that
/// lies inside if the outline is not brought from GCJ-02, the bay, Laoshan, Licang, the south.
const OUTSIDE: [Point; 6] = [
    [120.37, 36.08],
    [120.305_2, 36.120_5],
    [120.441_8, 36.117_7],
    [120.383_6, 36.172_1],
    [120.354_7, 36.056_1],
    [120.409_3, 36.138_8],
];

/// Whether the files of so many covers have mistakes.
pub(super) const fn is_flawed(covers: u64) -> bool {
    covers >= FLAWED_FROM
}

/// How many covers of each category are planted as covers of an earlier file.
pub(super) fn planted(covers: u64) -> [u64; 16] {
    let mut planted = [0; 16];
    if is_flawed(covers) {
        for &(category, _, n) in COVER_FILES.iter().flat_map(|file| file.faults.also) {
            planted[index_of(category)] += n as u64;
        }
    }
    planted
}

impl<'a> Delivery<'a> {
    /// `shares`: covers of each category.
    pub(super) fn new(plan: &'a Plan<'a>, site: Site, covers: u64, shares: [u64; 16]) -> Result<Self, Error> {
        Ok(Self {
            plan,
            surveyor: Surveyor::new()?,
            frame: site.frame(),
            site,
            flawed: is_flawed(covers),
            sequences: [1; 16],
            refused: shares.map(|n| n + 1),
            seen: Vec::new(),
            outside: 0,
            key: Vec::new(),
            stored: 0,
            rows: 0,
        })
    }

    /// Writes all files in their order.
    pub(super) fn all(&mut self, out: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), Error> {
        for file in &COVER_FILES {
            self.file(file, out, progress)?;
        }
        self.key.extend(self.flawed.then(|| offices::unreachable(self.site)));
        self.key.sort_by(|a, b| (a.file, a.row).cmp(&(b.file, b.row)));
        Ok(())
    }

    /// The uses that a file has of a category, by whose they are.
    fn uses(&self, utility: usize, whose: &'static [usize]) -> impl Iterator<Item = (Use, Option<usize>)> + use<'a> {
        let plan = self.plan;
        let all = owners(UTILITIES[utility].category);
        plan.networks[utility].uses.iter().filter_map(move |&used| {
            if all.is_empty() {
                return Some((used, None));
            }
            let owner = plan.owner(utility, used.segment, all.len());
            whose.contains(&owner).then_some((used, Some(all[owner])))
        })
    }

    fn file(&mut self, file: &'static CoverFile, out: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), Error> {
        let faults = if self.flawed { self.faults(file) } else { Vec::new() };
        let rows: u64 = file
            .parts
            .iter()
            .flat_map(|&(category, _, whose)| self.uses(index_of(category), whose))
            .map(|(used, _)| u64::from(used.covers))
            .sum();
        let mut page = Page::create(file, out, rows, faults)?;
        let plan = self.plan;
        for &(category, _, whose) in file.parts {
            let utility = index_of(category);
            let again = self.to_be_seen_again(file, utility, whose);
            for (used, owner) in self.uses(utility, whose) {
                let piece = &plan.streets.segments[used.segment as usize];
                let rebuilt = rebuilt(self.site.seed, piece.street);
                let mut rng = Rng::keyed(self.site.seed, [7, u64::from(used.segment), u64::from(category)]);
                let mut first = again.iter().find(|(segment, _)| *segment == used.segment).map(|(_, again)| *again);
                let mut result = Ok(());
                plan.places(utility, used, |slot| {
                    let vertex = self.frame.vertex(slot.at, 1);
                    let mut cover = Cover::draw(utility, vertex, piece.class, slot.off, rebuilt, &mut rng);
                    cover.owner = owner;
                    if result.is_ok() {
                        result = self.stored(&mut page, cover, first.take());
                    }
                });
                result?;
            }
            progress(self.stored);
        }
        while let Some((fault, last)) = page.due(true) {
            self.fault(&mut page, fault, last)?;
        }
        page.sink.finish()
    }

    /// The mistakes of a file, mixed.
    fn faults(&self, file: &'static CoverFile) -> Vec<Fault> {
        let Faults { owner_missing, position_invalid, outside, swapped, code_repeated, id_repeated, .. } = file.faults;
        let mut faults: Vec<Fault> = [
            (Fault::OwnerMissing, owner_missing),
            (Fault::PositionInvalid, position_invalid),
            (Fault::Outside, outside),
            (Fault::Swapped, swapped),
            (Fault::CodeRepeated, code_repeated),
            (Fault::IdRepeated, id_repeated),
        ]
        .into_iter()
        .flat_map(|(fault, n)| std::iter::repeat_n(fault, n))
        .collect();
        faults.extend(self.seen.iter().filter(|seen| seen.again == file.profile).cloned().map(Fault::Also));
        let mut rng = Rng::keyed(self.site.seed, [8, file.profile.len() as u64, u64::from(file.parts[0].0)]);
        for k in (1..faults.len()).rev() {
            faults.swap(k, rng.below(k + 1));
        }
        faults
    }

    /// On which of this file's segments the first cover will be in a later file again.
    fn to_be_seen_again(&self, file: &CoverFile, utility: usize, whose: &'static [usize]) -> Vec<(u32, &'static str)> {
        let category = UTILITIES[utility].category;
        let mut wanted: Vec<&'static str> = Vec::new();
        if self.flawed {
            for later in &COVER_FILES {
                for &(also, from, n) in later.faults.also {
                    if also == category && from == file.profile {
                        wanted.extend(std::iter::repeat_n(later.profile, n));
                    }
                }
            }
        }
        let segments: Vec<u32> = self.uses(utility, whose).map(|(used, _)| used.segment).collect();
        let n = wanted.len();
        wanted
            .into_iter()
            .enumerate()
            .map(|(k, again)| (segments[(2 * k + 1) * segments.len() / (2 * n)], again))
            .collect()
    }

    /// A cover that the import will keep, and the mistakes whose turn comes before it.
    fn stored(&mut self, page: &mut Page, mut cover: Cover, again: Option<&'static str>) -> Result<(), Error> {
        let mut ownerless = false;
        while let Some((fault, last)) = page.due(false) {
            if fault == Fault::OwnerMissing {
                ownerless = true;
                break;
            }
            self.fault(page, fault, last)?;
        }
        if ownerless {
            cover.owner = None;
        }
        if again.is_some() {
            cover.keep();
        }
        let (id, code) = (page.next_id(), self.next_code(page.file, cover.utility));
        self.write(page, &cover, &id, &code, None)?;
        if ownerless {
            self.note(page, "owner_missing", "warning", &id, "权属单位 is empty".to_owned());
        }
        if let Some(again) = again {
            let Cover { utility, vertex, .. } = cover;
            self.seen.push(Seen { profile: page.file.profile, external_id: id.clone(), utility, vertex, again });
        }
        self.stored += 1;
        page.stored += 1;
        page.last = Some((cover, id, code));
        Ok(())
    }

    /// A row with a mistake. Its place is a step from the row before it, unless that is the mistake.
    fn fault(&mut self, page: &mut Page, fault: Fault, last: (Cover, String, String)) -> Result<(), Error> {
        let (mut cover, last_id, last_code) = last;
        let utility = cover.utility;
        cover.vertex = self.shifted(cover.vertex, [0.7, 0.4]);
        let (mut id, mut place) = (page.next_id(), None);
        if let Fault::Also(seen) = fault {
            return self.near_duplicate(page, cover, &id, &seen);
        }
        let mut code = self.refused_code(page.file, utility);
        let crs = page.file.crs;
        let (kind, note) = match fault {
            Fault::PositionInvalid => {
                let text = impossible(page.file, page.rows);
                place = Some(text.clone());
                ("position_invalid", format!("the coordinates are {} and {}", text[0], text[1]))
            }
            Fault::Outside => {
                cover.vertex = self.site.here_degrees(OUTSIDE[self.outside % OUTSIDE.len()]);
                self.outside += 1;
                let at = cover.vertex.degrees();
                ("outside_district", format!("it lies at {}, {} (WGS 84)", at[0], at[1]))
            }
            Fault::Swapped => {
                let [x, y] = self.surveyor.give(cover.vertex, crs)?;
                place = Some([y, x]);
                ("axes_swapped", "the two coordinates are exchanged".to_owned())
            }
            Fault::CodeRepeated => {
                code = last_code;
                ("code_repeated", format!("the cover code {code} is that of {last_id}"))
            }
            _ => {
                id = last_id;
                ("code_repeated", format!("the external id {id} is that of an earlier row"))
            }
        };
        self.write(page, &cover, &id, &code, place)?;
        self.note(page, kind, "error", &id, note);
        Ok(())
    }

    /// The same thing as in an earlier file, a few decimetres off and measured by someone else.
    fn near_duplicate(&mut self, page: &mut Page, mut cover: Cover, id: &str, seen: &Seen) -> Result<(), Error> {
        let mut rng = Rng::keyed(self.site.seed, [9, page.rows, page.file.profile.len() as u64]);
        let way = [rng.between(-1.0, 1.0), rng.between(0.4, 1.0)];
        let far = rng.between(0.2, 0.7);
        let step = plus([0.0; 2], super::plane::unit(way), far);
        // The file's own make of the category: the two departments describe it differently.
        cover.utility = seen.utility;
        cover.vertex = self.shifted(seen.vertex, step);
        let off = super::plane::distance(self.frame.metres(cover.vertex), self.frame.metres(seen.vertex));
        let code = self.next_code(page.file, seen.utility);
        self.write(page, &cover, id, &code, None)?;
        self.note(
            page,
            "near_duplicate",
            "warning",
            id,
            format!("{off:.2} m from {} of profile {}", seen.external_id, seen.profile),
        );
        self.stored += 1;
        Ok(())
    }

    fn shifted(&self, vertex: Vertex, by: Point) -> Vertex {
        self.frame.vertex(plus(self.frame.metres(vertex), by, 1.0), 1)
    }

    fn next_code(&mut self, file: &CoverFile, utility: usize) -> String {
        self.sequences[utility] += 1;
        of_form(file, self.site, utility, self.sequences[utility] - 1)
    }

    fn refused_code(&mut self, file: &CoverFile, utility: usize) -> String {
        self.refused[utility] += 1;
        of_form(file, self.site, utility, self.refused[utility] - 1)
    }

    fn note(&mut self, page: &Page, code: &'static str, severity: &'static str, id: &str, note: String) {
        let (file, profile) = (page.file.file, page.file.profile);
        self.key.push(Imperfection { file, profile, row: page.rows, code, severity, external_id: id.to_owned(), note });
    }

    fn write(
        &mut self,
        page: &mut Page,
        cover: &Cover,
        id: &str,
        code: &str,
        place: Option<[String; 2]>,
    ) -> Result<(), Error> {
        let file = page.file;
        let [x, y] = place.map_or_else(|| self.surveyor.give(cover.vertex, file.crs), Ok)?;
        let table = matches!(file.format, Format::Csv { .. });
        let value = |field: Field| match field {
            Field::ExternalId => Value::Text(id.to_owned()),
            Field::Code => Value::Text(code.to_owned()),
            Field::East => Value::Text(x.clone()),
            Field::North => Value::Text(y.clone()),
            Field::Opening | Field::Width | Field::Depth | Field::Installed => {
                Value::Number(cover.text(field, file, self.site))
            }
            _ => Value::Text(cover.text(field, file, self.site)),
        };
        let values: Vec<Value> = file.columns.iter().map(|&(field, _)| value(field)).collect();
        page.rows += 1;
        self.rows += 1;
        if table {
            page.sink.row(&values)
        } else {
            page.sink.feature(&format!("{{\"type\":\"Point\",\"coordinates\":[{x},{y}]}}"), &page.names, &values)
        }
    }
}

fn of_form(file: &CoverFile, site: Site, utility: usize, sequence: u64) -> String {
    if file.codes == Codes::None { String::new() } else { code(file.codes, site.code, utility, sequence) }
}

/// Coordinates that are none, as such files have them.
fn impossible(file: &CoverFile, row: u64) -> [String; 2] {
    let pair = match (file.format, file.crs) {
        (Format::Csv { .. }, Crs::Plane4549 | Crs::Plane4528) if row.is_multiple_of(2) => {
            ["99999999.999", "99999999.999"]
        }
        (Format::Csv { .. }, Crs::Plane4549 | Crs::Plane4528) => ["1.#QNAN", "1.#QNAN"],
        (Format::Csv { .. }, _) if row.is_multiple_of(2) => ["无信号", "无信号"],
        (Format::Csv { .. }, _) => ["999.99999999", "99.99999999"],
        _ => ["120.36000000", "361.20000000"],
    };
    pair.map(str::to_owned)
}

/// The file that is being written.
struct Page {
    file: &'static CoverFile,
    sink: Sink,
    /// Names of the properties, in the order of the columns.
    names: Vec<&'static str>,
    faults: Vec<Fault>,
    /// Faults made so far.
    made: u64,
    planned: u64,
    /// Rows of covers in good order: expected, written.
    expected: u64,
    stored: u64,
    rows: u64,
    ids: u64,
    last: Option<(Cover, String, String)>,
}

impl Page {
    fn create(file: &'static CoverFile, out: &Path, expected: u64, faults: Vec<Fault>) -> Result<Self, Error> {
        let names: Vec<&'static str> = file.columns.iter().map(|(_, name)| *name).collect();
        let sink = Sink::create(&out.join(file.file), file.format, &names, file.profile)?;
        let planned = faults.len() as u64;
        Ok(Self { file, sink, names, faults, made: 0, planned, expected, stored: 0, rows: 0, ids: 0, last: None })
    }

    /// The next mistake, if its turn has come: they are spread evenly over the file.
    fn due(&mut self, all: bool) -> Option<(Fault, (Cover, String, String))> {
        let turn = (self.made + 1) * self.expected / (self.planned + 1);
        if self.stored < turn && !all {
            return None;
        }
        let last = self.last.clone()?;
        let fault = self.faults.pop()?;
        self.made += 1;
        Some((fault, last))
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("{}{:06}", self.file.id_prefix, self.ids)
    }
}
