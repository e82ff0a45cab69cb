//! A new configuration for an engine that serves.

use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tracing::warn;

use super::Service;
use crate::config::SnmpConfig;

/// How often it is tried while a SET is on its way to the disk, and how long between.
const ATTEMPTS_MAX: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// A configuration, and who waits for it to be in force.
pub(crate) struct Reload {
    config: SnmpConfig,
    /// The instance that the engine belongs to.
    instance: String,
    done: oneshot::Sender<anyhow::Result<()>>,
}

/// Hands configurations to the engine.
#[derive(Clone)]
pub(crate) struct Reloads(mpsc::Sender<Reload>);

/// Where configurations go in, and where they come out.
pub(super) fn channel() -> (Reloads, mpsc::Receiver<Reload>) {
    let (sender, receiver) = mpsc::channel(1);
    (Reloads(sender), receiver)
}

impl Reloads {
    /// Returns when the engine acts on `config`; sockets and files stay what they are.
    pub(crate) async fn apply(&self, config: SnmpConfig, instance: String) -> anyhow::Result<()> {
        let (done, result) = oneshot::channel();
        let sent = self.0.send(Reload { config, instance, done }).await;
        sent.map_err(|_| anyhow!("the SNMP engine has stopped"))?;
        result.await.context("the SNMP engine has stopped")?
    }
}

impl Service {
    pub(super) async fn reload(&self, Reload { config, instance, done }: Reload) {
        drop(done.send(self.reconfigure(config, instance).await));
    }

    async fn reconfigure(&self, config: SnmpConfig, instance: String) -> anyhow::Result<()> {
        for _ in 0..ATTEMPTS_MAX {
            let (service, config, instance) = (self.clone(), config.clone(), instance.clone());
            // To make keys of passwords takes a while, and there is a file to be read.
            let tried = spawn_blocking(move || service.try_reconfigure(&config, &instance));
            if tried.await.context("a new configuration of SNMP panicked")?? {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(anyhow!("SETs are on their way without end: SNMP stays as it was"))
    }

    /// Whether it is done; not while a SET of the engine itself is on its way.
    fn try_reconfigure(&self, config: &SnmpConfig, instance: &str) -> anyhow::Result<bool> {
        // Until it is in force, nothing else is kept: what is read is what there is.
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let (made, saved) = keeper.read(config, instance, &self.clock)?;
        let users = made.users.clone();
        let Some(problems) = self.engine().reconfigure(made, saved) else { return Ok(false) };
        for problem in problems {
            warn!(problem, "something that was SET is left out");
        }
        keeper.follow(&users);
        Ok(true)
    }
}
