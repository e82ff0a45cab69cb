//! What SNMP needs beside its sockets: who may ask, and what the engine keeps on disk.

mod engine;
mod state;
mod users;

pub(crate) use engine::engine_config;
pub(crate) use state::{EngineState, state_path};
pub(crate) use users::{UserCommand, user};
