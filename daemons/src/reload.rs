//! SIGHUP: the file is read again, and what can change while the process runs is changed.

use tracing::{error, info, warn};

use crate::associations;
use crate::config::Config;
use crate::logging::LevelHandle;
use crate::system::System;

/// Knows what is in force.
pub(crate) struct Reloader {
    config: Config,
    level: LevelHandle,
}

impl Reloader {
    pub(crate) fn new(config: Config, level: LevelHandle) -> Self {
        Self { config, level }
    }

    /// Reads the file again; a wrong one changes nothing.
    pub(crate) async fn reload(&mut self, system: &System) {
        let config = match Config::load(&self.config.path) {
            Ok(config) => config,
            Err(wrong) => {
                error!("the file is wrong, nothing has changed: {wrong:#}");
                system.instance.file_applied(&self.config.path, Some(wrong.to_string()));
                return;
            }
        };
        for warning in &config.warnings {
            warn!("{warning}");
        }
        if let Some(level) = &config.log.level
            && config.log.level != self.config.log.level
        {
            match self.level.set(level) {
                Ok(()) => info!(level, "log level"),
                Err(error) => error!("{error:#}"),
            }
        }
        let name = system.instance.name();
        let followed = associations::follow_file(&system.store, &name, &config.associations).await;
        if let Err(error) = followed {
            error!("the associations of the file are not applied: {error:#}");
            system.instance.file_applied(&self.config.path, Some(format!("{error:#}")));
            return;
        }
        system.instance.file_applied(&self.config.path, None);
        for section in unchangeable(&self.config, &config) {
            warn!("`[{section}]` has changed: that takes a restart");
        }
        // What takes a restart stays as it was, so that the next reload says so again.
        self.config.log = config.log;
        self.config.associations = config.associations;
        info!(associations = self.config.associations.len(), "reloaded");
    }
}

/// The tables that differ and that only a restart can apply.
fn unchangeable(running: &Config, read: &Config) -> Vec<&'static str> {
    let mut changed = Vec::new();
    changed.extend((running.daemon != read.daemon).then_some("daemon"));
    changed.extend((running.log.format != read.log.format).then_some("log"));
    changed.extend((running.store != read.store).then_some("store"));
    changed.extend((running.snmp != read.snmp).then_some("snmp"));
    changed.extend((running.home_agent != read.home_agent).then_some("home-agent"));
    changed.extend((running.foreign_agent != read.foreign_agent).then_some("foreign-agent"));
    changed.extend((running.mobile_node != read.mobile_node).then_some("mobile-node"));
    changed.extend((running.advertise != read.advertise).then_some("[advertise]"));
    changed
}
