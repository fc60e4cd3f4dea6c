//! One cover: what it is made as, by its category, its street and its age; and as a file's row.

use super::areas::Class;
use super::files::{Codes, CoverFile, Field};
use super::offices;
use super::plane::{Vertex, count};
use super::rng::Rng;
use super::site::Site;
use super::utilities::{UTILITIES, Utility};
use crate::domain::catalog::{CategoryCode, type_2026};
use crate::domain::cover::{Accuracy, LoadClass, Material, Place, Shape, Status};

/// A cover as its department knows it.
#[derive(Debug, Clone)]
pub(super) struct Cover {
    pub(super) utility: usize,
    pub(super) vertex: Vertex,
    /// By its place in the list of units.
    pub(super) owner: Option<usize>,
    shape: Shape,
    opening: [u16; 2],
    material: Material,
    load: LoadClass,
    place: Place,
    depth: f64,
    installed: u16,
    accuracy: Accuracy,
    status: Status,
}

/// The newest year in which a cover was put in.
const NEWEST: u16 = 2026;

impl Cover {
    /// A cover `off` metres from the middle of a street that was last rebuilt in `rebuilt`.
    pub(super) fn draw(utility: usize, vertex: Vertex, class: Class, off: f64, rebuilt: u16, rng: &mut Rng) -> Self {
        let kind = &UTILITIES[utility];
        let ownerless = kind.category == 114;
        let place = place(class, off);
        let status = match rng.unit() {
            u if u < 0.010 => Status::Abandoned,
            u if u < 0.016 => Status::Planned,
            u if u < 0.021 => Status::Removed,
            _ => Status::InService,
        };
        let replaced = if rng.chance(0.15) { years(rng, 14) } else { 0 };
        let installed =
            if status == Status::Planned { NEWEST } else { (rebuilt + replaced + years(rng, 3)).min(NEWEST - 1) };
        let shape = if ownerless { *rng.pick(&[Shape::Round, Shape::Round, Shape::Square]) } else { kind.shape };
        Self {
            utility,
            vertex,
            owner: None,
            shape,
            opening: opening(kind, rng),
            material: material(kind, installed, rng),
            load: load(kind, place, rng),
            place,
            depth: rng.between(kind.depth[0], kind.depth[1]),
            installed,
            accuracy: accuracy(installed, ownerless, rng),
            status,
        }
    }

    /// It was not taken from the street: nobody would find it a second time.
    pub(super) fn keep(&mut self) {
        if self.status == Status::Removed {
            self.status = Status::InService;
        }
    }

    /// The text of a column; empty where there is nothing to say.
    pub(super) fn text(&self, field: Field, file: &CoverFile, site: Site) -> String {
        let words = file.words;
        let of = |words: &[&'static str], place: Option<usize>| place.map_or("", |k| words[k]).to_owned();
        let at = |k: Option<usize>| k;
        match field {
            Field::Category => {
                let category = UTILITIES[self.utility].category;
                file.parts.iter().find(|part| part.0 == category).map_or("", |part| part.1).to_owned()
            }
            Field::Owner => self.owner.map_or_else(String::new, |unit| owner_word(file, unit, site)),
            Field::Accuracy => of(&words.accuracy, at(Accuracy::ALL.iter().position(|&v| v == self.accuracy))),
            Field::Status => of(&words.status, at(Status::ALL.iter().position(|&v| v == self.status))),
            Field::Shape => of(&words.shape, at(Shape::ALL.iter().position(|&v| v == self.shape))),
            Field::Material => of(&words.material, at(Material::ALL.iter().position(|&v| v == self.material))),
            Field::Load => of(&words.load, at(LoadClass::ALL.iter().position(|&v| v == self.load))),
            Field::Place => of(&words.place, at(Place::ALL.iter().position(|&v| v == self.place))),
            Field::Opening => self.opening[0].to_string(),
            Field::Width => self.opening[1].to_string(),
            Field::Depth => format!("{:.1}", self.depth),
            Field::Installed => self.installed.to_string(),
            // Given by whoever writes the row.
            Field::ExternalId | Field::Code | Field::East | Field::North => String::new(),
        }
    }
}

/// The file's word for an owner: newer systems use the code.
pub(super) fn owner_word(file: &CoverFile, unit: usize, site: Site) -> String {
    if file.words.owner_codes { site.unit(unit) } else { offices::UNITS[unit].2.to_owned() }
}

/// 标识码: in either edition.
pub(super) fn code(form: Codes, district: u64, utility: usize, sequence: u64) -> String {
    let category = UTILITIES[utility].category;
    match (form, CategoryCode::from_number(category)) {
        (Codes::New, Some(known)) => format!("{district}{:05}{sequence:06}", type_2026(known)),
        _ => format!("{district}{category:04}{sequence:06}"),
    }
}

fn years(rng: &mut Rng, most: usize) -> u16 {
    u16::try_from(rng.below(most + 1)).unwrap_or(0)
}

fn place(class: Class, off: f64) -> Place {
    let beyond = off - class.half_width();
    match class {
        _ if beyond < 0.3 => Place::Carriageway,
        Class::Lane => Place::Yard,
        Class::Arterial if beyond < 1.5 => Place::Cycleway,
        _ if beyond < 4.0 => Place::Pavement,
        _ => Place::Green,
    }
}

/// Mostly the typical size, in millimetres; some a hundred more or less, gas valves 300.
fn opening(kind: &Utility, rng: &mut Rng) -> [u16; 2] {
    let [long, wide] = kind.opening_mm;
    match kind.category {
        111 if rng.chance(0.35) => [300, 300],
        104 if rng.chance(0.12) => [500, 300],
        _ if rng.chance(0.08) => [long + 100, wide + 100],
        _ if rng.chance(0.05) => [long - 100, wide - 100],
        _ => [long, wide],
    }
}

fn material(kind: &Utility, installed: u16, rng: &mut Rng) -> Material {
    match kind.material {
        Material::DuctileIron if installed < 2000 && rng.chance(0.5) => Material::GreyIron,
        Material::DuctileIron if rng.chance(0.05) => Material::Composite,
        Material::DuctileIron if rng.chance(0.03) => Material::SteelFibreConcrete,
        Material::ReinforcedConcrete if rng.chance(0.1) => Material::Steel,
        Material::Composite if rng.chance(0.08) => Material::Polymer,
        usual => usual,
    }
}

fn load(kind: &Utility, place: Place, rng: &mut Rng) -> LoadClass {
    match (kind.load, place) {
        (LoadClass::D400, Place::Pavement | Place::Yard | Place::Cycleway) if rng.chance(0.45) => LoadClass::C250,
        (LoadClass::C250, Place::Pavement) if rng.chance(0.15) => LoadClass::B125,
        (LoadClass::B125, Place::Green) if rng.chance(0.2) => LoadClass::A15,
        // Too low for the place: what a quality check should find.
        (LoadClass::D400, Place::Carriageway) if rng.chance(0.02) => LoadClass::C250,
        (usual, _) => usual,
    }
}

/// New ones were surveyed (A), old ones sometimes drawn from memory (C).
fn accuracy(installed: u16, ownerless: bool, rng: &mut Rng) -> Accuracy {
    match installed {
        2018.. if rng.chance(0.55) => Accuracy::A,
        ..1998 if rng.chance(0.30) => Accuracy::C,
        _ if ownerless && rng.chance(0.25) => Accuracy::C,
        _ => Accuracy::B,
    }
}

/// The year in which a street was last rebuilt.
pub(super) fn rebuilt(seed: u64, street: u32) -> u16 {
    let mut rng = Rng::keyed(seed, [6, u64::from(street), 0]);
    let age = rng.unit();
    1982 + u16::try_from(count(42.0 * (1.0 - age * age))).unwrap_or(0)
}
