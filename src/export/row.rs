//! What a feature of each layer says: a place, and the same cells in every format.

use std::borrow::Cow;
use std::fmt::Display;
use std::hash::{Hash, Hasher};

use geo::MultiPolygon;

use super::Layer;
use crate::domain::cover::{LoadClass, Material, Place, Shape};
use crate::domain::id::{CommunityCode, DistrictCode, GridCode, SubdistrictCode};
use crate::domain::order::{Assignee, Order};
use crate::domain::organization::Organization;
use crate::domain::position::{Position, Wgs84};
use crate::index::{CoverView, GridInfo, Index};
use crate::service::Guli;
use crate::service::moment::Moment;
use crate::store::areas::Area;

/// One value of a feature.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Integer(i64),
    Number(f64),
    Flag(bool),
}

impl Hash for Cell<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        std::mem::discriminant(self).hash(hasher);
        match self {
            Self::Null => {}
            Self::Text(text) => text.hash(hasher),
            Self::Integer(number) => number.hash(hasher),
            Self::Number(number) => number.to_bits().hash(hasher),
            Self::Flag(is_so) => is_so.hash(hasher),
        }
    }
}

impl<'a> Cell<'a> {
    fn code(code: impl Display) -> Self {
        Self::Text(Cow::Owned(code.to_string()))
    }

    fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    fn maybe<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, cell)
    }

    /// An organisation's code and name.
    fn organization(organization: Option<&'a Organization>) -> [Self; 2] {
        match organization {
            Some(organization) => [Self::text(organization.code.as_str()), Self::text(&organization.name)],
            None => [Self::Null, Self::Null],
        }
    }

    /// A grid's code and name.
    fn grid(grid: Option<&'a GridInfo>) -> [Self; 2] {
        match grid {
            Some(grid) => [Self::code(grid.code), Self::text(&grid.name)],
            None => [Self::Null, Self::Null],
        }
    }
}

/// The names of the cells of a layer, in order.
pub(super) const fn columns(layer: Layer) -> &'static [&'static str] {
    match layer {
        Layer::Districts => &["code", "name", "version"],
        Layer::Subdistricts => &["code", "name", "version", "district", "district_name"],
        Layer::Communities => {
            &["code", "name", "version", "district", "district_name", "subdistrict", "subdistrict_name"]
        }
        Layer::Grids => &[
            "code",
            "name",
            "version",
            "district",
            "district_name",
            "subdistrict",
            "subdistrict_name",
            "community",
            "community_name",
            "supervising_department",
            "supervising_department_name",
        ],
        Layer::Covers => COVER,
        Layer::WorkOrders => ORDER,
    }
}

const COVER: &[&str] = &[
    "code",
    "code_2026",
    "category",
    "category_name",
    "owner",
    "owner_name",
    "responsible_unit",
    "responsible_unit_name",
    "status",
    "accuracy",
    "shape",
    "opening_mm",
    "opening_width_mm",
    "depth_m",
    "material",
    "load_class",
    "place",
    "installed",
    "grid",
    "grid_name",
    "version",
];

const ORDER: &[&str] = &[
    "code",
    "version",
    "status",
    "damage",
    "cover",
    "category",
    "grid",
    "grid_name",
    "responsible_unit",
    "responsible_unit_name",
    "due_at",
    "promise_at",
    "disputed",
    "level",
    "rework",
    "opened_at",
    "closed_at",
    "report_count",
];

/// Where a feature is.
#[derive(Debug, Clone, Copy)]
pub(super) enum At<'a> {
    Point(Position<Wgs84>),
    Area(&'a MultiPolygon<f64>),
}

/// An area with the names of those that it lies in.
#[derive(Debug)]
pub(super) struct AreaRow {
    area: Area,
    level: Layer,
    /// District, sub-district and community.
    parents: Vec<(String, String)>,
    department: Option<std::sync::Arc<Organization>>,
}

impl AreaRow {
    pub(super) fn district(area: Area) -> Self {
        Self { area, level: Layer::Districts, parents: Vec::new(), department: None }
    }

    /// The area of one of the levels below the district.
    pub(super) fn new(area: Area, level: Layer, index: &Index) -> Self {
        let grid = GridCode::from_number(area.code);
        let community = CommunityCode::from_number(area.code).or(grid.map(CommunityCode::of));
        let subdistrict = SubdistrictCode::from_number(area.code).or(community.map(SubdistrictCode::of));
        let known = grid.and_then(|code| index.grid(code));
        let mut parents = Vec::new();
        if let Some(district) = subdistrict.map(SubdistrictCode::district) {
            parents.push((district.to_string(), district_name(district, index)));
        }
        if let Some(code) = subdistrict.filter(|_| level != Layer::Subdistricts) {
            let name = index.subdistrict(code).map_or_else(|| code.to_string(), |known| known.name.clone());
            parents.push((code.to_string(), name));
        }
        if let Some(code) = community.filter(|_| level == Layer::Grids) {
            let name = known.as_ref().map_or_else(|| code.to_string(), |grid| grid.community.name.clone());
            parents.push((code.to_string(), name));
        }
        let department = known.and_then(|grid| grid.supervising_department.clone());
        Self { area, level, parents, department }
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        let mut cells = vec![Cell::code(self.area.code), Cell::text(&self.area.name), Cell::Integer(self.area.version)];
        for (code, name) in &self.parents {
            cells.extend([Cell::text(code), Cell::text(name)]);
        }
        if self.level == Layer::Grids {
            cells.extend(Cell::organization(self.department.as_deref()));
        }
        cells
    }
}

fn district_name(code: DistrictCode, index: &Index) -> String {
    let known = index.districts().into_iter().find(|district| district.code == code);
    known.map_or_else(|| code.to_string(), |district| district.name.clone())
}

/// An order with the names of its grid and of who must act.
#[derive(Debug)]
pub(super) struct OrderRow {
    order: Order,
    grid_name: String,
    assignee: String,
    assignee_name: String,
}

impl OrderRow {
    pub(super) fn new(order: Order, guli: &Guli, moment: &Moment) -> Self {
        let index = moment.registry(guli);
        let grid_name = |code| index.grid(code).map(|grid| grid.name.clone());
        let name = match &order.assignee {
            Assignee::Unit(code) => moment.organization(guli, code).map(|unit| unit.name.clone()),
            Assignee::Grid(code) => grid_name(*code),
            Assignee::Subdistrict(code) => index.subdistrict(*code).map(|subdistrict| subdistrict.name.clone()),
        };
        let assignee = order.assignee.code();
        Self {
            grid_name: grid_name(order.grid).unwrap_or_else(|| order.grid.to_string()),
            assignee_name: name.unwrap_or_else(|| assignee.clone()),
            assignee,
            order,
        }
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        let order = &self.order;
        vec![
            Cell::code(order.code),
            Cell::Integer(order.version.into()),
            Cell::text(order.status.as_str()),
            Cell::text(order.damage.as_str()),
            Cell::maybe(order.cover.as_ref(), |cover| Cell::code(cover.code)),
            Cell::maybe(order.cover.as_ref(), |cover| Cell::code(cover.code.category())),
            Cell::code(order.grid),
            Cell::text(&self.grid_name),
            Cell::text(&self.assignee),
            Cell::text(&self.assignee_name),
            Cell::code(order.due_at()),
            Cell::code(order.limits.promise_at),
            Cell::Flag(order.disputed),
            Cell::Integer(order.level.into()),
            Cell::Integer(order.rework.into()),
            Cell::code(order.opened_at),
            Cell::maybe(order.closed_at, Cell::code),
            Cell::Integer(order.report_count.into()),
        ]
    }
}

fn cover_cells(cover: &CoverView) -> Vec<Cell<'_>> {
    let spec = &cover.spec;
    let number = |value: Option<u16>| Cell::maybe(value, |value| Cell::Integer(value.into()));
    let word = |word: Option<&'static str>| Cell::maybe(word, Cell::text);
    let [owner, owner_name] = Cell::organization(cover.owner.as_deref());
    let [unit, unit_name] = Cell::organization(cover.responsible_unit.as_deref());
    let [grid, grid_name] = Cell::grid(cover.grid.as_deref());
    vec![
        Cell::code(cover.code),
        Cell::Text(Cow::Owned(cover.code.code_2026())),
        Cell::code(cover.category()),
        Cell::text(&cover.category_name),
        owner,
        owner_name,
        unit,
        unit_name,
        Cell::text(cover.status.as_str()),
        Cell::text(cover.accuracy.as_str()),
        word(spec.shape.map(Shape::as_str)),
        number(spec.opening_mm),
        number(spec.opening_width_mm),
        Cell::maybe(spec.depth_mm, |mm| Cell::Number(f64::from(mm) / 1_000.0)),
        word(spec.material.map(Material::as_str)),
        word(spec.load_class.map(LoadClass::as_str)),
        word(spec.place.map(Place::as_str)),
        number(spec.installed),
        grid,
        grid_name,
        Cell::Integer(cover.version),
    ]
}

/// One feature of any layer.
#[derive(Debug)]
pub(super) enum Row {
    Area(Box<AreaRow>),
    Cover(Box<CoverView>),
    Order(Box<OrderRow>),
}

impl Row {
    pub(super) fn at(&self) -> At<'_> {
        match self {
            Self::Area(row) => At::Area(&row.area.outline),
            Self::Cover(cover) => At::Point(cover.position),
            Self::Order(row) => At::Point(row.order.position),
        }
    }

    /// Hashes what the feature follows from. A version stands for what was edited with it, but not for the names beside it,
    /// which others may change.
    pub(super) fn mark(&self, hasher: &mut impl Hasher) {
        match self {
            Self::Area(row) => row.cells().hash(hasher),
            Self::Cover(cover) => {
                (cover.code, cover.version, &cover.category_name).hash(hasher);
                for unit in [&cover.owner, &cover.responsible_unit] {
                    unit.as_ref().map(|unit| (unit.code.as_str(), &unit.name)).hash(hasher);
                }
                cover.grid.as_ref().map(|grid| (grid.code, &grid.name)).hash(hasher);
            }
            Self::Order(row) => row.cells().hash(hasher),
        }
    }

    /// As many as the layer has [`columns`]; the first is the code.
    pub(super) fn cells(&self) -> Vec<Cell<'_>> {
        match self {
            Self::Area(row) => row.cells(),
            Self::Cover(cover) => cover_cells(cover),
            Self::Order(row) => row.cells(),
        }
    }
}
