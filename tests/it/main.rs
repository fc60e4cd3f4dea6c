//! What outsiders rely on, tried from outside: the real program, real files, real crashes.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod command_line;
mod command_line_said;
mod copy;
mod demo_data;
mod durability;
mod house;
mod journeys;
mod many_districts;
mod peers;
mod postgres;
mod quality;
mod replicas;
mod staging;
mod support;
mod tiles;
mod two_databases;
mod upgrade;
mod world;
