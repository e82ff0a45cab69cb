//! What SNMP needs beside its sockets: who may ask, and what the engine keeps on disk.

mod engine;
mod interfaces;
mod keeper;
mod management;
mod state;
mod stored;
mod targets;
mod users;

use engine::engine_config;
pub(crate) use interfaces::interfaces;
pub(crate) use keeper::Keeper;
pub(crate) use management::Management;
use state::EngineState;
pub(crate) use state::state_path;
use stored::saved;
pub(crate) use users::{UserCommand, user};
