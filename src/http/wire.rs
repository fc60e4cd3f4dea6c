//! What goes over the wire: positions with their coordinate system, codes with names, specifications.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::params::Params;
use super::refs::{Code, Ref};
use super::words;
use crate::crs::{Crs, CrsError, CrsKind, CrsService};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::{LoadClass, Material, Place, Shape, Spec};
use crate::domain::id::{CommunityCode, GridCode, SubdistrictCode};
use crate::domain::position::{Position, Wgs84};
use crate::domain::resolve::Pin;
use crate::domain::said::{Said, say};
use crate::index::{CoverView, GridHit, GridInfo};
use crate::service::error::{At, Fault, Result, ServiceError};

/// A position as it comes: `lon`/`lat` with the geographic systems, `x`/`y` with the projected ones.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"lon": 120.341_494_6, "lat": 36.115_589_2, "crs": "GCJ-02", "accuracy_m": 8}))]
pub struct PositionIn {
    pub lon: Option<f64>,
    pub lat: Option<f64>,
    pub x: Option<f64>,
    pub y: Option<f64>,
    /// EPSG:4326 unless said otherwise.
    #[schema(schema_with = words::maybe_crs)]
    pub crs: Option<String>,
    /// The 68 % radius; below 1 counts as 1.
    #[schema(minimum = 0, maximum = 1000)]
    pub accuracy_m: Option<f64>,
}

/// Where the members of a position came from: a body or the query.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// Members below this pointer.
    Body(&'a str),
    Query,
}

impl Source<'_> {
    pub fn at(self, member: &str) -> At {
        match self {
            Self::Body(base) => At::Pointer(format!("{base}/{member}")),
            Self::Query => At::Parameter(member.to_owned()),
        }
    }

    fn fault(self, member: &str, detail: impl Into<Said>) -> Fault {
        Fault { at: self.at(member), detail: detail.into() }
    }

    pub fn invalid(self, member: &str, detail: impl Into<Said>) -> ServiceError {
        ServiceError::Invalid(vec![self.fault(member, detail)])
    }
}

/// Reads the name of a coordinate system.
pub fn crs(name: Option<&str>, source: Source<'_>, member: &str) -> Result<Crs> {
    name.map_or(Ok(Crs::default()), |name| name.parse().map_err(|e| ServiceError::UnknownCrs(source.fault(member, e))))
}

impl PositionIn {
    /// Takes a position's parameters from the query.
    pub fn from_params(params: &mut Params<'_>) -> Result<Self> {
        Ok(Self {
            lon: params.number("lon")?,
            lat: params.number("lat")?,
            x: params.number("x")?,
            y: params.number("y")?,
            crs: params.text("crs"),
            accuracy_m: params.number("accuracy_m")?,
        })
    }

    /// The position in WGS 84.
    pub fn locate(&self, source: Source<'_>) -> Result<Position<Wgs84>> {
        let crs = crs(self.crs.as_deref(), source, "crs")?;
        let (own, foreign) = match crs.kind() {
            CrsKind::Geographic => ([("lon", self.lon), ("lat", self.lat)], [("x", self.x), ("y", self.y)]),
            CrsKind::Projected => ([("x", self.x), ("y", self.y)], [("lon", self.lon), ("lat", self.lat)]),
        };
        if let Some((member, _)) = foreign.iter().find(|(_, value)| value.is_some()) {
            let (east, north) = crs.kind().members();
            let detail = say!("{crs} takes {east} and {north}", "{crs} 应使用 {east} 和 {north}");
            return Err(source.invalid(member, detail));
        }
        let need = |(member, value): (&str, Option<f64>)| {
            let missing = || say!("{member} is needed with {crs}", "使用 {crs} 时需要 {member}");
            value.ok_or_else(|| source.invalid(member, missing()))
        };
        let (east, north) = (need(own[0])?, need(own[1])?);
        CrsService::new().to_wgs84(crs, east, north).map_err(|error| match error.axis() {
            Some(axis) => source.invalid(&axis.to_string(), error),
            None => source.invalid(own[0].0, error),
        })
    }

    /// The position as a pin, with a hint and the number of candidates wanted.
    pub fn pin(&self, source: Source<'_>, category: Option<CategoryCode>, limit: usize) -> Result<Pin> {
        let accuracy = self.accuracy_m.unwrap_or(Pin::DEFAULT_ACCURACY_M);
        Pin::new(self.locate(source)?, accuracy, category, limit).map_err(|e| source.invalid(e.member(), e))
    }
}

/// A position as it goes out, in the system asked for.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PositionOut {
    Geographic { lon: f64, lat: f64 },
    Projected { x: f64, y: f64 },
}

/// The coordinate system of an answer (`out_crs`).
#[derive(Debug, Clone, Copy, Default)]
pub struct Out(pub Crs);

impl Out {
    pub fn from_params(params: &mut Params<'_>) -> Result<Self> {
        let name = params.text("out_crs");
        crs(name.as_deref(), Source::Query, "out_crs").map(Self)
    }

    pub fn position(self, at: Position<Wgs84>) -> Result<PositionOut> {
        if self.0 == Crs::Wgs84 {
            return Ok(PositionOut::Geographic { lon: at.lon(), lat: at.lat() });
        }
        let outside = |error: CrsError| ServiceError::parameter("out_crs", error);
        let (east, north) = CrsService::new().from_wgs84(self.0, at).map_err(outside)?;
        Ok(match self.0.kind() {
            CrsKind::Geographic => PositionOut::Geographic { lon: east, lat: north },
            CrsKind::Projected => PositionOut::Projected { x: east, y: north },
        })
    }
}

/// Metres to the centimetre.
pub fn centimetres(metres: f64) -> f64 {
    (metres * 100.0).round() / 100.0
}

/// A specification (规格); what is not known is null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SpecOut {
    #[schema(schema_with = words::maybe_shape)]
    pub shape: Option<&'static str>,
    pub opening_mm: Option<u16>,
    pub opening_width_mm: Option<u16>,
    pub depth_m: Option<f64>,
    #[schema(schema_with = words::maybe_material)]
    pub material: Option<&'static str>,
    #[schema(schema_with = words::maybe_load_class)]
    pub load_class: Option<&'static str>,
    #[schema(schema_with = words::maybe_place)]
    pub place: Option<&'static str>,
    pub installed: Option<u16>,
}

impl From<&Spec> for SpecOut {
    fn from(spec: &Spec) -> Self {
        Self {
            shape: spec.shape.map(Shape::as_str),
            opening_mm: spec.opening_mm,
            opening_width_mm: spec.opening_width_mm,
            depth_m: spec.depth_mm.map(|mm| f64::from(mm) / 1000.0),
            material: spec.material.map(Material::as_str),
            load_class: spec.load_class.map(LoadClass::as_str),
            place: spec.place.map(Place::as_str),
            installed: spec.installed,
        }
    }
}

/// A cover as lists, single reads and candidates show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CoverOut<'a> {
    #[schema(value_type = String, examples("3702030103000123"))]
    pub code: Code<'a>,
    /// The same in GB/T 47678.5-2026.
    #[schema(value_type = String, examples("37020301003000123"))]
    pub code_2026: Code<'a>,
    pub category: Ref<'a>,
    /// 产权单位
    pub owner: Option<Ref<'a>>,
    /// 责任单位
    pub responsible_unit: Option<Ref<'a>>,
    pub spec: SpecOut,
    #[schema(schema_with = words::cover_status)]
    pub status: &'static str,
    #[schema(schema_with = words::accuracy)]
    pub accuracy: &'static str,
    pub position: PositionOut,
    pub grid: Option<Ref<'a>>,
    pub version: i64,
}

impl<'a> CoverOut<'a> {
    pub fn new(cover: &'a CoverView, out: Out) -> Result<Self> {
        Ok(Self {
            code: cover.code.into(),
            code_2026: Code::of_2026(cover.code),
            category: Ref::new(cover.category(), &*cover.category_name),
            owner: cover.owner.as_deref().map(Ref::organization),
            responsible_unit: cover.responsible_unit.as_deref().map(Ref::organization),
            spec: SpecOut::from(&cover.spec),
            status: cover.status.as_str(),
            accuracy: cover.accuracy.as_str(),
            position: out.position(cover.position)?,
            grid: cover.grid.as_deref().map(Ref::grid),
            version: cover.version,
        })
    }
}

/// The grid that a position belongs to, and who stands for it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GridOut<'a> {
    #[schema(value_type = String, examples("370203005001003"))]
    pub code: Code<'a>,
    #[schema(value_type = String)]
    pub name: Cow<'a, str>,
    pub community: Ref<'a>,
    pub subdistrict: Ref<'a>,
    pub district: Ref<'a>,
    /// 责任科室
    pub supervising_department: Option<Ref<'a>>,
    /// 网格长; left out for callers without a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<Leader<'a>>,
    /// 0 inside or on the edge; more in a sliver between grids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<f64>,
}

/// The name of a grid's leader, where one is known.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Leader<'a> {
    #[schema(value_type = Option<String>)]
    pub name: Option<Cow<'a, str>>,
}

impl<'a> GridOut<'a> {
    pub fn new(grid: &'a GridInfo, audience: Audience) -> Self {
        Self {
            code: grid.code.into(),
            name: Cow::Borrowed(&grid.name),
            community: Ref::named(&grid.community),
            subdistrict: Ref::named(&grid.subdistrict),
            district: Ref::named(&grid.district),
            supervising_department: grid.supervising_department.as_deref().map(Ref::organization),
            leader: (audience == Audience::Staff).then(|| Leader { name: grid.leader.as_deref().map(Cow::Borrowed) }),
            distance_m: None,
        }
    }

    /// A grid that the registry no longer has.
    pub fn unknown(code: GridCode) -> Self {
        let community = CommunityCode::of(code);
        let subdistrict = SubdistrictCode::of(community);
        Self {
            code: code.into(),
            name: code.to_string().into(),
            community: Ref::nameless(community.to_string()),
            subdistrict: Ref::nameless(subdistrict.to_string()),
            district: Ref::nameless(code.district().to_string()),
            supervising_department: None,
            leader: None,
            distance_m: None,
        }
    }

    pub fn hit(hit: &'a GridHit, audience: Audience) -> Self {
        Self { distance_m: Some(centimetres(hit.distance_m)), ..Self::new(&hit.grid, audience) }
    }

    /// The grid that a pin lies within.
    pub fn within(grid: &'a GridInfo, audience: Audience) -> Self {
        Self { distance_m: Some(0.0), ..Self::new(grid, audience) }
    }

    /// The same on its own feet.
    pub fn into_owned(self) -> GridOut<'static> {
        GridOut {
            code: self.code.into_owned(),
            name: self.name.into_owned().into(),
            community: self.community.into_owned(),
            subdistrict: self.subdistrict.into_owned(),
            district: self.district.into_owned(),
            supervising_department: self.supervising_department.map(Ref::into_owned),
            leader: self.leader.map(|leader| Leader { name: leader.name.map(|name| name.into_owned().into()) }),
            distance_m: self.distance_m,
        }
    }
}

/// Who reads an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Anyone: no officers' names, no tasks.
    Public,
    /// A key's holder.
    Staff,
}
