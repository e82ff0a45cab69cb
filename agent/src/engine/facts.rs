//! What the engine knows about itself, as far as managers may see it.

use crate::vacm::Vacm;

use super::Counters;

/// The state of the engine that its own managed objects show.
#[derive(Clone, Debug, Default)]
pub struct EngineFacts {
    pub counters: Counters,
    pub vacm: Vacm,
}
