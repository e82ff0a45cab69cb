//! SIGHUP: the file is read again, and what can change while the process runs is changed.

use anyhow::Context as _;
use tracing::{error, info, warn};

use crate::associations;
use crate::config::{Config, SnmpConfig};
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
        let snmp = match self.apply(&config, system).await {
            Ok(snmp) => snmp,
            Err(error) => {
                error!("the file is not applied: {error:#}");
                system.instance.file_applied(&self.config.path, Some(format!("{error:#}")));
                return;
            }
        };
        system.instance.file_applied(&self.config.path, None);
        for section in unchangeable(&self.config, &config) {
            warn!("`{section}` has changed: that takes a restart");
        }
        // What takes a restart stays as it was, so that the next reload says so again.
        self.config.log = config.log;
        self.config.associations = config.associations;
        if snmp.is_some() {
            self.config.snmp = snmp;
        }
        info!(associations = self.config.associations.len(), "reloaded");
    }

    /// Changes what can be changed, once all of it was looked at; returns what SNMP acts on then.
    async fn apply(&self, config: &Config, system: &System) -> anyhow::Result<Option<SnmpConfig>> {
        let both = self.config.snmp.as_ref().zip(config.snmp.clone());
        let snmp = both.map(|(running, read)| keeping_fixed(running, read));
        if snmp.is_some() {
            let checked = Config { snmp: snmp.clone(), ..self.config.clone() };
            system.check_snmp(&checked).await.context("`[snmp]` cannot be")?;
        }
        let name = system.instance.name();
        let followed = associations::follow_file(&system.store, &name, &config.associations).await;
        followed.context("the associations of the file")?;
        // Even if the file is the same: `mip4d snmp user` writes beside it.
        if let Some(snmp) = &snmp {
            system.reload_snmp(snmp).await.context("`[snmp]`")?;
        }
        Ok(snmp)
    }
}

/// `read`, with what only a restart applies as it is in `running`.
fn keeping_fixed(running: &SnmpConfig, read: SnmpConfig) -> SnmpConfig {
    let SnmpConfig { listen, agentx, state_file, .. } = running.clone();
    SnmpConfig { listen, agentx, state_file, ..read }
}

/// The tables that differ and that only a restart can apply.
fn unchangeable(running: &Config, read: &Config) -> Vec<&'static str> {
    let mut changed = Vec::new();
    changed.extend((running.daemon != read.daemon).then_some("[daemon]"));
    changed.extend((running.log.format != read.log.format).then_some("[log]"));
    changed.extend((running.store != read.store).then_some("[store]"));
    match (&running.snmp, &read.snmp) {
        (Some(running), Some(read)) => {
            changed.extend((running.listen != read.listen).then_some("[snmp] listen"));
            changed.extend((running.agentx != read.agentx).then_some("[snmp] agentx"));
            changed.extend((running.state_file != read.state_file).then_some("[snmp] state-file"));
        }
        (running, read) => changed.extend((running != read).then_some("[snmp]")),
    }
    changed.extend((running.home_agent != read.home_agent).then_some("[home-agent]"));
    changed.extend((running.foreign_agent != read.foreign_agent).then_some("[foreign-agent]"));
    changed.extend((running.gateway != read.gateway).then_some("[gateway]"));
    changed.extend((running.mobile_node != read.mobile_node).then_some("[mobile-node]"));
    changed.extend((running.advertise != read.advertise).then_some("[[advertise]]"));
    changed
}
