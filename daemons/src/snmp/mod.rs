//! What SNMP needs beside its sockets: who may ask, and what the engine keeps on disk.

mod engine;
mod interfaces;
mod keeper;
mod state;
mod stored;
mod targets;
mod users;

pub(crate) use engine::engine_config;
pub(crate) use interfaces::interfaces;
pub(crate) use keeper::Keeper;
pub(crate) use state::{EngineState, state_path};
pub(crate) use stored::saved;
pub(crate) use users::{UserCommand, user};
