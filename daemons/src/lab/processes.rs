//! The gateways of a lab that are processes of their own: `kill -9` ends one as a power failure does.

use std::fmt;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, io::Write as _};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use store::{Instance, InstanceState, Store};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::LabArgs;
use super::region::PENDING_MAX;
use super::site::{gateway, gateway_name};

/// How long a gateway may take to start, or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A gateway, and the file that says what it is.
struct Process {
    number: u32,
    config: PathBuf,
    child: Child,
}

impl Drop for Process {
    /// Whatever ended the lab, nothing is left behind.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// All of them; shown, it says how to kill them and to start them again.
pub(super) struct Processes(Vec<Process>);

impl Processes {
    /// Starts what the arguments ask for, and waits until all of it serves.
    pub(super) async fn start(
        args: &LabArgs,
        port: u16,
        directory: &Path,
        store: &Store,
    ) -> anyhow::Result<Self> {
        let count = if args.gateway_processes { args.gateways } else { 0 };
        let start = |number| start(number, port, directory);
        let mut all = Self((1..=count).map(start).collect::<Result<_, _>>()?);
        let deadline = Instant::now() + PATIENCE;
        while !all.0.iter().all(|it| serves(store, it)) {
            for it in &mut all.0 {
                if let Some(status) = it.child.try_wait()? {
                    bail!("gateway {} ended: {status}", it.number);
                }
            }
            if Instant::now() > deadline {
                bail!("the gateways do not serve after {} s", PATIENCE.as_secs());
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(all)
    }

    /// Lets all of them end in order.
    pub(super) async fn stop(mut self) {
        for it in &mut self.0 {
            let is_running = matches!(it.child.try_wait(), Ok(None));
            let pid = i32::try_from(it.child.id()).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid.filter(|_| is_running)
                && let Err(error) = kill_process(pid, Signal::TERM)
            {
                warn!(gateway = it.number, %error, "cannot be stopped in order");
            }
        }
        let deadline = Instant::now() + PATIENCE;
        while self.0.iter_mut().any(|it| matches!(it.child.try_wait(), Ok(None))) {
            if Instant::now() > deadline {
                warn!("some gateways do not end, and are killed");
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

impl fmt::Display for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Process { number, config, child } in &self.0 {
            let (name, config) = (gateway_name(*number), config.display());
            writeln!(
                f,
                "{name} is process {}; to start it again: mip4d run --config {config}",
                child.id()
            )?;
        }
        if self.0.is_empty() { Ok(()) } else { writeln!(f) }
    }
}

fn start(number: u32, port: u16, directory: &Path) -> anyhow::Result<Process> {
    let name = gateway_name(number);
    let config = directory.join(format!("{name}.toml"));
    let socket = directory.join("store.sock");
    let text = format!(
        "[daemon]\nname = \"{name}\"\n[log]\nlevel = \"warn\"\n[store]\nconnect = \"unix:{}\"\n\
         [gateway]\naddress = \"{}\"\nport = {port}\nhome-agent-port = {port}\nmax-pending = {PENDING_MAX}\n",
        socket.display(),
        gateway(number, port).ip(),
    );
    let shown = config.display();
    let file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&config);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("failed to write `{shown}`"))?;
    let program = env::current_exe().context("failed to find this program")?;
    let child = Command::new(program)
        .arg("run")
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("failed to start `{name}`"))?;
    Ok(Process { number, config, child })
}

/// Whether the store says that this very process serves.
fn serves(store: &Store, process: &Process) -> bool {
    let snapshot = store.snapshot();
    let row = snapshot.rows::<Instance>().get(&gateway_name(process.number));
    row.is_some_and(|row| {
        row.state == InstanceState::Serving && row.process_id == process.child.id()
    })
}
