//! `/v1/me`: who is calling.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::edge::Caller;
use super::params::Params;
use super::problem::Outcome;
use super::{json, words};
use crate::domain::actor::Scope;

/// The caller's role and where it holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    #[schema(schema_with = words::role)]
    pub role: &'static str,
    pub name: String,
    /// Codes, or `*` for every unit.
    pub units: Vec<String>,
    /// Codes of grids and sub-districts, or `*` for every grid.
    pub grids: Vec<String>,
    /// Codes, or `*` for every district.
    pub districts: Vec<String>,
}

/// Who is calling
#[utoipa::path(
    get, path = "/v1/me", operation_id = "me", tag = "keys",
    responses((status = 200, description = "The caller's role and where it holds", body = Me)),
)]
pub async fn get(caller: Caller, RawQuery(query): RawQuery) -> Outcome {
    Params::read(query.as_deref())?.finish("none")?;
    let mut me = Me {
        role: caller.0.role.as_str(),
        name: caller.0.name.clone(),
        units: Vec::new(),
        grids: Vec::new(),
        districts: Vec::new(),
    };
    for scope in &caller.0.scopes {
        match scope {
            Scope::Everywhere => me.districts.push("*".to_owned()),
            Scope::District(code) => me.districts.push(code.to_string()),
            Scope::Subdistrict(code) => me.grids.push(code.to_string()),
            Scope::Grid(code) => me.grids.push(code.to_string()),
            Scope::Unit(code) => me.units.push(code.to_string()),
            Scope::EveryGrid => me.grids.push("*".to_owned()),
            Scope::EveryUnit => me.units.push("*".to_owned()),
        }
    }
    json(StatusCode::OK, &me)
}
