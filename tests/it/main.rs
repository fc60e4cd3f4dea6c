//! What outsiders rely on, tried from outside: the real program, real files, real crashes.

mod command_line;
mod demo_data;
mod durability;
mod house;
mod journeys;
mod support;
mod two_databases;
