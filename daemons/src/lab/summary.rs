//! What a lab has done, in a few lines: what its home agents saw of it, above all.

use std::io::{self, Write as _};
use std::time::Duration;

use store::{Counter, Counters, Role, Snapshot, Store};
use tokio::time::{Instant, sleep};

use super::LabArgs;

/// How long counters may take to be written after the last message.
const SETTLE: Duration = Duration::from_secs(1);

/// What was counted, over all agents or nodes.
pub(super) struct Totals {
    at: Instant,
    moves: u64,
    /// Home registrations that nodes asked for, and that were accepted.
    home: [u64; 2],
    /// The same of regional ones.
    regional: [u64; 2],
    gateway_failures: u64,
    gateway_returns: u64,
    /// Requests that home agents received.
    at_home: u64,
}

impl Totals {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let sum = |role: Role, counter: Counter| -> u64 {
            let rows = snapshot.rows::<Counters>().iter().filter(|row| row.role == role);
            rows.filter_map(|row| row.values.get(&counter)).sum()
        };
        let node = |counter| sum(Role::MobileNode, counter);
        Self {
            at: Instant::now(),
            moves: node(Counter::MnMoveFromFAToFA),
            home: [node(Counter::MnRegRequestsSent), node(Counter::MnRegRequestsAccepted)],
            regional: [
                node(Counter::MnRegionalRequestsSent),
                node(Counter::MnRegionalRequestsAccepted),
            ],
            gateway_failures: node(Counter::MnGatewayFailures),
            gateway_returns: node(Counter::MnGatewayReturns),
            at_home: sum(Role::HomeAgent, Counter::HaRegRequestsReceived),
        }
    }

    fn since(&self, before: &Self) -> Self {
        let one = u64::saturating_sub;
        let two = |now: [u64; 2], then: [u64; 2]| [one(now[0], then[0]), one(now[1], then[1])];
        Self {
            at: self.at,
            moves: one(self.moves, before.moves),
            home: two(self.home, before.home),
            regional: two(self.regional, before.regional),
            gateway_failures: one(self.gateway_failures, before.gateway_failures),
            gateway_returns: one(self.gateway_returns, before.gateway_returns),
            at_home: one(self.at_home, before.at_home),
        }
    }

    /// How much of what home agents would have received was kept from them, in tenths of a percent.
    fn saved_per_mille(&self) -> u64 {
        let all = self.at_home + self.regional[1];
        (self.regional[1] * 1000).checked_div(all).unwrap_or(0)
    }
}

/// Waits for the last counters and prints what was done since `before`.
pub(super) async fn tell(args: &LabArgs, before: &Totals, store: &Store) {
    sleep(SETTLE).await;
    let all = Totals::of(&store.snapshot()).since(before);
    let seconds = all.at.duration_since(before.at).saturating_sub(SETTLE).as_secs();
    // Whoever reads no more does not miss it.
    drop(print(args, &all, seconds));
}

fn print(args: &LabArgs, all: &Totals, seconds: u64) -> io::Result<()> {
    let nodes = u64::from(args.nodes);
    let mut out = io::stdout().lock();
    writeln!(out, "summary: {nodes} mobile nodes moved {} times in {seconds} s", all.moves)?;
    let lines = [("home", all.home), ("regional", all.regional)];
    for (name, [sent, accepted]) in lines {
        writeln!(out, "  {name} registrations: {accepted} accepted, {sent} asked for")?;
    }
    let hundredths = (all.at_home * 100).checked_div(nodes).unwrap_or(0);
    let (each, rest) = (hundredths / 100, hundredths % 100);
    writeln!(out, "  requests at home agents: {}, {each}.{rest:02} a node", all.at_home)?;
    if args.gateways > 0 {
        let saved = all.saved_per_mille();
        writeln!(out, "  kept from home agents by gateways: {}.{} %", saved / 10, saved % 10)?;
        let (failures, returns) = (all.gateway_failures, all.gateway_returns);
        writeln!(out, "  gateways given up: {failures} times, come back to: {returns} times")?;
    }
    out.flush()
}
