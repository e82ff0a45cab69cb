//! `mip4d run`

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::bound::Bound;
use crate::cli::{ConfigArgs, LogArgs};
use crate::config::Config;
use crate::exit::Failure;
use crate::logging::{self, Format};
use crate::privilege::{self, Account, Later};
use crate::reload::Reloader;
use crate::system::System;

/// Takes what needs privileges, gives them up, then serves until it is told to stop.
pub(crate) fn run(args: &ConfigArgs, log: &LogArgs) -> Result<(), Failure> {
    let config = Config::load(&args.config)?;
    let format = log.log_format.or(config.log.format).unwrap_or(Format::Human);
    let level = log.log_level.as_deref().or(config.log.level.as_deref());
    let level = logging::start(format, level)?;
    for warning in &config.warnings {
        warn!("{warning}");
    }
    let bound = Bound::bind(&config)?;
    let port = config.foreign_agent.as_ref().map(|section| section.address.port());
    let later = Later {
        binds_low_ports: port.is_some_and(|port| port < 1024),
        raises_priorities: config.snmp.is_some() && !privilege::allow_prompt_threads(),
    };
    if let Some(user) = &config.daemon.user {
        let account = Account::find(user, config.daemon.group.as_deref())?;
        privilege::become_account(&account, later)
            .with_context(|| format!("failed to become `{user}`"))?;
        info!(user, "privileges are dropped");
    }
    // What needed them is open: raw sockets, ports below 1024, large buffers.
    privilege::drop_capabilities(later).context("failed to give capabilities up")?;
    reactor()?.block_on(async {
        let mut signals = Signals::listen()?;
        // From here on: one that comes while everything starts must not end the process.
        let mut hang_up = listen_for(SignalKind::hangup())?;
        let mut system = tokio::select! {
            started = System::start(&config, bound) => started?,
            () = signals.stop() => return Ok(()),
        };
        let mut reloader = Reloader::new(config, level);
        loop {
            tokio::select! {
                () = signals.stop() => return system.stop().await,
                _ = hang_up.recv() => reloader.reload(&system).await,
                error = system.broken() => {
                    drop(system.stop().await);
                    return Err(error.into());
                }
            }
        }
    })
}

/// One thread serves everything but SNMP and the store's files and sockets.
pub(crate) fn reactor() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start a reactor")
}

/// What tells the process to stop.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: listen_for(SignalKind::interrupt())?,
            terminate: listen_for(SignalKind::terminate())?,
        })
    }

    /// Returns when the process is asked to stop.
    pub(crate) async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn listen_for(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("failed to listen for signals")
}
