//! What Guli knows about covers, grids, reports and orders, as pure values and functions.
//!
//! Nothing in here is async, reads a clock, draws a random number, speaks SQL, JSON or HTTP:
//! a function that needs the time is given `now`, a transition takes an order and gives the next
//! one or a refusal. Reading order: [`said`], [`id`], [`position`], [`catalog`], [`cover`], [`grid`],
//! [`organization`], [`actor`], [`resolve`], [`deadline`], [`task`], [`order`], [`report`],
//! [`merge`].

pub mod actor;
pub mod catalog;
pub mod cover;
pub mod deadline;
mod edges;
pub mod finding;
pub mod grid;
pub mod id;
pub mod merge;
pub mod order;
pub mod organization;
pub mod partition;
pub mod phone;
pub mod position;
pub mod quality;
pub mod report;
pub mod resolve;
pub mod responsibility;
pub mod runs;
pub mod said;
pub mod seams;
pub mod snap;
pub mod task;
pub mod text;
