//! What the engine knows about itself, as far as managers may see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::Now;

use crate::security::Name;
use crate::usm::User;
use crate::vacm::Vacm;

use super::Counters;

/// The state of the engine that its own managed objects show.
#[derive(Clone, Debug, Default)]
pub struct EngineFacts {
    pub counters: Counters,
    pub engine_id: Vec<u8>,
    pub engine_boots: i32,
    pub message_size_max: usize,
    pub vacm: Vacm,
    /// The users of this engine.
    pub users: BTreeMap<Name, Arc<User>>,
}

impl EngineFacts {
    /// `snmpEngineTime`: seconds since `engine_boots` was counted up, which is
    /// when the process started; the monotonic clock counts them.
    pub fn engine_time(&self, now: Now) -> i32 {
        i32::try_from(now.uptime.as_millis() / 1000).unwrap_or(i32::MAX)
    }
}
