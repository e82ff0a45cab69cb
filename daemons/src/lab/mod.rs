//! `mip4d lab`: a home agent, mobile nodes, the store and the SNMP engine in one process.

mod network;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use store::Store;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::driver::mobile_nodes::Progress;
use network::Network;

/// The most nodes that the addresses of the lab have room for.
const NODES_MAX: u32 = 60_000;

/// Try it: a home agent and mobile nodes that register with it, on the loopback interface
///
/// Needs no configuration, no root, and no free well-known port. Everything is gone when it
/// stops, unless a directory is given.
#[derive(Args, Debug)]
pub(crate) struct Lab {
    /// How many mobile nodes register
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=i64::from(NODES_MAX)))]
    nodes: u32,
    /// Where the store and its socket are, kept afterwards [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Where the SNMP engine listens; an address of the loopback interface
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1161", value_parser = loopback)]
    snmp: SocketAddr,
    /// The UDP port of the home agent [default: any that is free]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    mip_port: u16,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "expected an address and a port".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("the lab serves the loopback interface alone, its community is no secret".to_owned())
    }
}

impl Lab {
    /// Runs until it is interrupted.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let temporary = match &self.directory {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("mip4-lab-").tempdir()?),
        };
        let directory = match (&self.directory, &temporary) {
            (Some(given), _) => given.clone(),
            (None, Some(made)) => made.path().to_owned(),
            (None, None) => PathBuf::new(),
        };
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("failed to make `{}`", directory.display()))?;
        let directory = directory.canonicalize().context("the directory of the lab is gone")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.serve(&directory))
    }

    async fn serve(&self, directory: &std::path::Path) -> anyhow::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt()).context("failed to await SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("failed to await SIGTERM")?;
        let network = Network::start(self, directory).await?;
        let stopped = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        tokio::pin!(stopped);
        tokio::select! {
            () = &mut stopped => {}
            () = all_registered(network.progress.clone(), self.nodes) => {
                self.greet(&network.store, &network.home_agent.to_string(), directory)?;
                stopped.await;
            }
        }
        info!("stopping");
        network.stop().await
    }

    /// The line that scripts wait for, then what to type.
    fn greet(
        &self,
        store: &Store,
        home_agent: &str,
        directory: &std::path::Path,
    ) -> anyhow::Result<()> {
        let (nodes, snmp) = (self.nodes, self.snmp);
        let revision = store.snapshot().revision;
        let directory = directory.display();
        let mut out = std::io::stdout().lock();
        let written = write!(
            out,
            "ready: {nodes} mobile nodes registered with {home_agent}, store revision {revision}

Try, in another terminal:
  export MIP4_STORE=unix:{directory}/store.sock
  mip4ctl show bindings
  mip4ctl show status
  mip4ctl
  snmpwalk -v2c -c public -M mibs/modules -m MIP-MIB {snmp} MIP-MIB::haMobilityBindingTable
  snmpget -v2c -c public -M mibs/modules -m MIP-MIB {snmp} MIP-MIB::haRegistrationAccepted.0
  cd {directory} && ETCDCTL_API=3 etcdctl --endpoints=unix://store.sock get --prefix /mip4/

Ctrl-C stops it.
"
        )
        .and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.context("failed to write to standard output"),
        }
    }
}

/// Returns when `wanted` nodes are registered; tells how far it is on the way there.
async fn all_registered(mut progress: Progress, wanted: u32) {
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let mut tell = tokio::time::interval(Duration::from_secs(2));
    tell.tick().await;
    loop {
        tokio::select! {
            reached = progress.wait_for(|registered| *registered >= wanted) => {
                if reached.is_err() {
                    std::future::pending::<()>().await; // The driver has stopped; so do we, soon.
                }
                return;
            }
            _ = tell.tick() => {}
        }
        let registered = *progress.borrow();
        info!(registered, of = wanted, "mobile nodes register");
    }
}
