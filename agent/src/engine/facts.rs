//! What the engine knows about itself, as far as managers may see it.

use store::Now;

use super::Counters;
use super::admin::Admin;

/// The state of the engine that its own managed objects show.
#[derive(Clone, Debug, Default)]
pub struct EngineFacts {
    pub counters: Counters,
    pub engine_boots: i32,
    pub message_size_max: usize,
    pub admin: Admin,
}

impl EngineFacts {
    /// `snmpEngineID`.
    pub fn engine_id(&self) -> &[u8] {
        self.admin.engine_id.octets()
    }

    /// `snmpEngineTime`: seconds since `engine_boots` was counted up, which is
    /// when the process started; the monotonic clock counts them.
    pub fn engine_time(&self, now: Now) -> i32 {
        i32::try_from(now.uptime.as_millis() / 1000).unwrap_or(i32::MAX)
    }
}
