//! `/v1/me`: who is calling.

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::{Response, StatusCode};
use serde::Serialize;

use super::edge::Caller;
use super::json;
use super::params::Params;
use super::problem::Failure;
use crate::domain::actor::Scope;

/// The caller's role and where it holds.
#[derive(Debug, Serialize)]
pub struct Me {
    pub role: &'static str,
    pub name: String,
    /// Codes, or `*` for every unit.
    pub units: Vec<String>,
    /// Codes of grids and sub-districts, or `*` for every grid.
    pub grids: Vec<String>,
    /// Codes, or `*` for every district.
    pub districts: Vec<String>,
}

pub async fn get(caller: Caller, RawQuery(query): RawQuery) -> Result<Response<Body>, Failure> {
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
