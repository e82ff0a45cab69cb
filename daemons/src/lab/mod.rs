//! `mip4d lab`: home agents, gateways, foreign agents, mobile nodes, the store and the SNMP engine in
//! one process, but for gateways that are to be killed.

mod chance;
mod network;
mod nodes;
mod processes;
mod region;
mod site;
mod summary;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use anyhow::Context as _;
use clap::Args;
use tracing::info;

use crate::cli::LogArgs;
use crate::exit::{ExitStatus, Failure};
use crate::logging::{self, Format};
use crate::run::{Signals, reactor};
use network::{MobileNetwork, Peer};
use nodes::Progress;
use processes::Processes;
use site::Site;
use summary::Totals;

/// The most nodes that the addresses of the lab have room for.
const NODES_MAX: u32 = 60_000;

/// How often standard error hears how far it is.
const TELL_EVERY: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
pub(crate) struct LabArgs {
    /// How many mobile nodes register
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=i64::from(NODES_MAX)))]
    nodes: u32,
    /// How many home agents the mobile nodes are spread over
    #[arg(long, value_name = "H", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    home_agents: u32,
    /// How many foreign agents the mobile nodes register through; without any, each has a care-of address of its own
    #[arg(long, value_name = "F", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=200))]
    foreign_agents: u32,
    /// How many gateways there are above the foreign agents, for regional registration
    #[arg(long, value_name = "G", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=16))]
    gateways: u32,
    /// How many regions the gateways and foreign agents are divided among
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    regions: u32,
    /// Make every gateway a process of its own, which can be killed and started again
    #[arg(long)]
    gateway_processes: bool,
    /// How long a mobile node stays in one place, on average [default: for ever]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    mobility: Option<u32>,
    /// How much is lost on the way from and to the mobile nodes
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=90))]
    loss: u32,
    /// Where the store and its socket are, kept afterwards [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Where the SNMP engine listens, for the community `public`; an address of the loopback interface
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1161", value_parser = loopback)]
    snmp: SocketAddr,
    /// The UDP port of all agents [default: any that is free]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    mip_port: u16,
    /// The lifetime that the mobile nodes ask for
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u16).range(1..=65_534))]
    lifetime: u16,
}

impl LabArgs {
    /// What the parser of one option cannot see.
    fn check(&self) -> Result<(), Failure> {
        let checks = [
            (
                self.mobility.is_some() && self.foreign_agents == 1,
                "`--mobility` needs two foreign agents to move between, or none",
            ),
            (
                self.gateways > self.foreign_agents,
                "`--gateways` needs at least as many foreign agents: each has one beneath it",
            ),
            (
                self.regions > self.gateways.max(1),
                "`--regions` needs at least as many gateways: each region has one",
            ),
            (
                self.gateway_processes && self.gateways == 0,
                "`--gateway-processes` needs `--gateways`",
            ),
        ];
        match checks.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, words)) => Err(Failure::new(ExitStatus::Usage, anyhow::anyhow!(words))),
            None => Ok(()),
        }
    }
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

/// Runs a lab until it is interrupted.
pub(crate) fn lab(args: &LabArgs, log: &LogArgs) -> Result<(), Failure> {
    args.check()?;
    // What people wait for is on standard output; progress is worth a line, not more.
    let level = log.log_level.as_deref();
    logging::start(log.log_format.unwrap_or(Format::Human), level)?;
    let directory = Directory::prepare(args.directory.as_deref())?;
    let result = reactor()?.block_on(run(args, directory.path()));
    directory.end()?;
    result
}

async fn run(args: &LabArgs, directory: &Path) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let peers = Peer::several(args)?;
    let site = Site::bind(args, &peers, directory)?;
    let port = site.port();
    let started = async {
        let (mut system, links) = site.start(args).await?;
        let before = Totals::of(&system.store.snapshot());
        let rest = async {
            let gateways = Processes::start(args, port, directory, &system.store).await?;
            let mobile = MobileNetwork::start(args, &peers, port, links, &mut system).await?;
            anyhow::Ok((gateways, mobile))
        };
        match rest.await {
            Ok((gateways, mobile)) => Ok((system, gateways, mobile, before)),
            Err(error) => {
                drop(system.stop().await);
                Err(Failure::from(error))
            }
        }
    };
    let (mut system, gateways, mobile, before) = tokio::select! {
        started = started => started?,
        () = signals.stop() => return Ok(()),
    };
    drop(peers);
    let served = tokio::select! {
        () = signals.stop() => Ok(()),
        error = system.broken() => Err(error),
        greeted = greet_when_ready(args, mobile.progress(), port, directory, &gateways) => match greeted {
            Ok(()) => tokio::select! {
                () = signals.stop() => Ok(()),
                error = system.broken() => Err(error),
            },
            Err(error) => Err(error),
        },
    };
    mobile.stop().await;
    if args.gateways > 0 || args.mobility.is_some() {
        summary::tell(args, &before, &system.store).await;
    }
    gateways.stop().await;
    system.stop().await?;
    Ok(served?)
}

/// Waits until all have registered, then says so and what to do next.
async fn greet_when_ready(
    args: &LabArgs,
    progress: Progress,
    port: u16,
    directory: &Path,
    gateways: &Processes,
) -> anyhow::Result<()> {
    all_registered(progress, args.nodes).await;
    match greet(args, port, directory, gateways) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("failed to write to standard output"),
    }
}

/// The line that scripts wait for, then what to type.
fn greet(args: &LabArgs, port: u16, directory: &Path, gateways: &Processes) -> io::Result<()> {
    let (nodes, snmp) = (args.nodes, args.snmp);
    let directory = directory.display();
    let home_agents = match args.home_agents {
        1 => format!("the home agent {}", site::home_agent(1, port)),
        several => format!("{several} home agents from {} on", site::home_agent(1, port)),
    };
    let through = match args.foreign_agents {
        0 => String::new(),
        1 => " through a foreign agent".to_owned(),
        several => format!(" through {several} foreign agents"),
    };
    let beneath = match args.gateways {
        0 => String::new(),
        1 => ", beneath a gateway".to_owned(),
        several => format!(", beneath {several} gateways"),
    };
    let regional = if args.gateways > 0 { "  mip4ctl regional show\n" } else { "" };
    let visitors = match args.foreign_agents {
        0 => "",
        _ => "  mip4ctl show visitors\n",
    };
    let mut out = io::stdout().lock();
    write!(
        out,
        "ready: {nodes} mobile nodes are registered with {home_agents}{through}{beneath}

Try, in another terminal:
  export MIP4_STORE=unix:{directory}/store.sock
  mip4ctl show bindings
{visitors}{regional}  mip4ctl show status
  mip4ctl
  snmpwalk -v2c -c public -M mibs/modules -m MIP-MIB {snmp} MIP-MIB::haMobilityBindingTable
  snmpget -v2c -c public -M mibs/modules -m MIP-MIB {snmp} MIP-MIB::haRegistrationAccepted.0
  cd {directory} && ETCDCTL_API=3 etcdctl --endpoints=unix://store.sock get --prefix /mip4/

{gateways}Ctrl-C stops it.
"
    )?;
    out.flush()
}

/// Returns when `wanted` nodes have registered; tells how far it is on the way there.
async fn all_registered(mut progress: Progress, wanted: u32) {
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let mut tell = tokio::time::interval(TELL_EVERY);
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

/// Where the lab keeps its files.
enum Directory {
    Given(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Directory {
    fn prepare(given: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = given else {
            let made = tempfile::Builder::new().prefix("mip4-lab-").tempdir();
            return made.map(Self::Temporary).context("failed to make a temporary folder");
        };
        let shown = path.display();
        fs::create_dir_all(path).with_context(|| format!("failed to make `{shown}`"))?;
        let path = path.canonicalize().with_context(|| format!("failed to find `{shown}`"))?;
        Ok(Self::Given(path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(made) => made.path(),
        }
    }

    /// Removes what is temporary, and says so if that does not work.
    fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Given(_) => Ok(()),
            Self::Temporary(made) => made.close().context("failed to remove the temporary folder"),
        }
    }
}
