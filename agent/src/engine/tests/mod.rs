//! The engine, asked as managers ask it.

mod fuzz;
mod informs;
mod notify;
mod read;
mod set;
mod silence;
mod v1;
mod v3;
mod world;
