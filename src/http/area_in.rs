//! An area as it comes: whole, as a patch, or together with others.

use geo::MultiPolygon;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

use super::cover_in::CodeIn;
use super::write;
use crate::crs::outline::{MAX_PUBLIC_VERTICES, outline_of};
use crate::crs::{Crs, CrsService};
use crate::domain::said::say;
use crate::service::error::{Result, ServiceError};
use crate::store::areas::{Area, Level};

/// An area as an answer of this service shows it, or without what the registry gives itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AreaIn {
    /// In a redrawing: which grid; a new one gets the next code of its community.
    pub code: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// 责任科室; of grids. In a redrawing what a grid that is there leaves out stays as it is, and `null` takes it away.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<CodeIn>)]
    pub supervising_department: Option<Option<CodeIn>>,
    /// A `Polygon` or `MultiPolygon` (`GeoJSON`) in `crs`.
    #[schema(value_type = Object)]
    pub geometry: Value,
    /// The registry's to give.
    pub district: Option<CodeIn>,
    /// The registry's to give.
    pub subdistrict: Option<CodeIn>,
    /// The registry's to give.
    pub community: Option<CodeIn>,
    /// Of a person's duty.
    #[schema(value_type = Option<Object>)]
    pub leader: Option<Value>,
    /// The registry's to give. In a redrawing the version that a grid was redrawn from: if it is no longer the present
    /// one, nothing is done (412). A new grid has none: with one, a code that no grid has is
    /// refused as mistyped.
    pub version: Option<i64>,
}

/// A patch of an area (RFC 7396).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AreaPatch {
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    pub supervising_department: Option<CodeIn>,
    /// A `Polygon` or `MultiPolygon` (`GeoJSON`) in `crs`.
    #[schema(value_type = Option<Object>)]
    pub geometry: Option<Value>,
}

/// Grids redrawn together: what one gives, another takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "grids": [{
        "code": "370203005001003", "name": "海晏社区第三网格", "supervising_department": "370203005-K01",
        "geometry": {"type": "Polygon", "coordinates": [[
            [120.3115, 36.0938], [120.3125, 36.0938], [120.3125, 36.0943], [120.3115, 36.0943], [120.3115, 36.0938],
        ]]},
    }],
    "remove": [],
}))]
pub struct RedrawIn {
    /// Grids as they are to be.
    pub grids: Vec<AreaIn>,
    /// Grids that are to be no more.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Whether communities and sub-districts give and take ground with their grids (社区、街道边界随网格移动).
    #[serde(default)]
    pub move_parents: bool,
}

/// What is there, `null` too: what is left out is not read at all.
#[expect(clippy::option_option, reason = "left out, null or a code are three things to say")]
fn said<'de, D: Deserializer<'de>>(member: D) -> std::result::Result<Option<Option<CodeIn>>, D::Error> {
    Option::deserialize(member).map(Some)
}

pub(super) fn outline(geometry: &Value, crs: Crs, pointer: &str) -> Result<MultiPolygon<f64>> {
    let unreadable = |error| ServiceError::invalid(pointer, say!("{error}", "无法按 GeoJSON 解析：{error}"));
    let geometry: geojson::Geometry =
        serde_json::from_value(geometry.clone()).map_err(|error: serde_json::Error| unreadable(error))?;
    outline_of(&geometry, crs, CrsService::new(), MAX_PUBLIC_VERTICES)
        .map_err(|error| ServiceError::invalid(pointer, error))
}

pub(super) fn department(code: Option<&CodeIn>) -> Option<String> {
    code.map(|code| code.text().to_owned())
}

/// Refuses a supervising department of what is no grid: nothing would ever show it.
pub(super) fn only_of_grids(level: Level) -> Result<()> {
    if level == Level::Grid {
        return Ok(());
    }
    let detail = say!(
        "grids have a supervising department; sub-districts and communities have none",
        "责任科室属于网格，街道和社区没有这一项"
    );
    Err(ServiceError::invalid("/supervising_department", detail))
}

impl AreaIn {
    /// 责任科室, or none.
    pub(super) fn department(&self) -> Option<String> {
        department(self.supervising_department.as_ref().and_then(Option::as_ref))
    }

    /// The area that this makes of the one that is there: what the registry gives may be sent back.
    pub(super) fn redraft(&self, area: &Area, crs: Crs) -> Result<Area> {
        let other = write::not_to_change;
        if self.code.as_ref().is_some_and(|code| *code != area.code.to_string()) {
            return Err(other("/code"));
        }
        write::still_current(self.version, area.version)?;
        if self.department().is_some() {
            only_of_grids(Level::of(area.code))?;
        }
        Ok(Area {
            name: self.name.clone(),
            supervising_department: self.department(),
            outline: outline(&self.geometry, crs, "/geometry")?,
            ..area.clone()
        })
    }
}
