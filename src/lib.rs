//! Guli (古力): a spatial registry of a city's manhole covers and responsibility grids.
//!
//! A resident drops a pin where a cover is broken. Guli says which cover that is, whose it is and which
//! grid it lies in, emits a work order, and sees it through to repair.
//!
//! # The house, in reading order
//!
//! | room | what is in it |
//! |-|-|
//! | [`domain`] | covers, grids, reports and orders as pure values; who may do what; what a pin means |
//! | [`crs`] | coordinate systems: the only place that knows another one than WGS 84 |
//! | [`index`] | every served district in memory: proposes candidates, geometry decides |
//! | [`store`] | the truth, on `SQLite` or `PostgreSQL`: one portable statement per function |
//! | [`service`] | the use cases, which join store and index; the one task that writes |
//! | [`import`] | departments' files in, as a stream of drafts and findings |
//! | [`export`] | layers out, as a stream of pieces |
//! | [`tiles`] | what a map shows of a layer, as vector tiles out of the index |
//! | [`http`] | the API; its [`http::router`] is the table of contents |
//! | [`local`] | what the command line asks, of a running server or in its own process |
//! | [`demo`] | the generator of the demo district and of larger worlds |
//! | [`config`] | settings of file, environment and flags as one checked value |
//!
//! Dependencies point one way: `domain ← crs, index, store ← service ← import, export ← http ← local ← main`;
//! `tiles` needs no more than `domain`, `crs` and `index`.
//!
//! # What always holds
//!
//! - Whoever got a 2xx finds what they sent after any crash: the answer follows the commit.
//! - An order is never decided on a registry that has changed since it was read.
//! - The index is derived from the store and can be built again from it at any time.
//! - Nothing in [`domain`] does I/O, reads a clock or draws a random number.
//! - Names, phones and whereabouts are sealed in one table, and in no event, log or answer to strangers.

pub mod config;
pub mod crs;
pub mod demo;
pub mod domain;
pub mod export;
pub mod http;
pub mod import;
pub mod index;
pub mod local;
pub mod service;
pub mod store;
pub mod table;
pub mod tiles;
