//! Guli (古力): a spatial registry of a city's manhole covers and responsibility grids.

pub mod config;
pub mod crs;
pub mod demo;
pub mod domain;
pub mod http;
pub mod import;
pub mod index;
pub mod local;
pub mod service;
pub mod store;
pub mod table;
