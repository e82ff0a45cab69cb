//! `mip4ctl explain`

use std::time::Duration;

use store::wire::{Code, Identification};
use store::{
    Algorithm, Association, ClockState, Identity, Instance, Registration, ReplayProtection, Role,
    Table, TrailEvent, UtcTime, Visitor,
};

use super::association::{algorithm_word, parse_peer, replay_word};
use super::show_nodes::{self, NodeRow};
use super::show_trail::{self, TrailRow};
use crate::cell::{Cell, Column};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::output::Listing;
use crate::selector::Selector;
use crate::session::Session;
use crate::timeout;
use crate::view::View;
use crate::words;

/// Explain why a mobile node is bound or refused
#[derive(clap::Args, Debug)]
pub(crate) struct Explain {
    /// The node's home address or NAI
    #[arg(value_parser = parse_peer)]
    node: Identity,
}

impl Explain {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        const TABLES: &[Table] = &[Table::Associations, Table::Visitors, Table::Registrations];
        let tables = [TABLES, show_trail::TABLES].concat();
        let view = session.read(&tables)?;
        let nodes: Vec<_> = show_nodes::rows(&view, &Selector::default())
            .into_iter()
            .filter(|row| self.is_about(row))
            .collect();
        let associations = self.associations(&view, &nodes);
        let trail = show_trail::rows(&view, &self.node);
        let visits = self.visits(&view, &nodes);
        let own = self.registrations(&view, &nodes);
        let is_seen = !(nodes.is_empty() && visits.is_empty() && own.is_empty());
        if !is_seen && associations.is_empty() && trail.is_empty() {
            let message = format!("nothing is known of `{}`", self.node);
            let hint = "no request of it arrived, and it has no association";
            return Err(Failure::new(ExitStatus::NothingMatched, message).hint(hint).into());
        }
        let mut findings: Vec<Finding> = associations.iter().map(association).collect();
        if associations.is_empty() && has_home_agent(&view) {
            let hint = "`association add` makes one; without it no request is answered";
            findings.push(Finding::new("association", "there is none for this node").hint(hint));
        }
        for node in &nodes {
            findings.extend(bindings(node, &view));
            findings.extend(home_agent_clock(node, &view));
            findings.extend(clock(node));
            findings.extend(denial(node, &associations));
        }
        findings.extend(visits);
        findings.extend(own);
        findings.extend(gateway(&trail));
        findings.extend(refusal(&trail));
        session.print(&Listing::new(view.revision(), COLUMNS, &findings))
    }

    fn is_about(&self, row: &NodeRow) -> bool {
        let address = row.home_address().map(Identity::Address);
        row.key.identity == self.node || address.as_ref() == Some(&self.node)
    }

    /// Every name of the node.
    fn names(&self, nodes: &[NodeRow]) -> Vec<Identity> {
        let mut names = vec![self.node.clone()];
        for row in nodes {
            names.push(row.key.identity.clone());
            names.extend(row.home_address().map(Identity::Address));
        }
        names
    }

    /// Where the node is a visitor, or waits to be one.
    fn visits(&self, view: &View, nodes: &[NodeRow]) -> Vec<Finding> {
        let names = self.names(nodes);
        let visitors = view.rows::<Visitor>().iter();
        let own = visitors.filter(|row| {
            // By address only if that was asked for: many nodes may share one.
            names.contains(&row.identity) || self.node == Identity::Address(row.home_address)
        });
        own.map(|row| visit(row, view)).collect()
    }

    /// What the node itself says, if it uses this store.
    fn registrations(&self, view: &View, nodes: &[NodeRow]) -> Vec<Finding> {
        let names = self.names(nodes);
        let own = view.rows::<Registration>().iter().filter(|row| {
            names.contains(&row.identity) || self.node == Identity::Address(row.home_address)
        });
        own.map(|row| registration(row, view)).collect()
    }

    /// Associations of the node under any of its names.
    fn associations(&self, view: &View, nodes: &[NodeRow]) -> Vec<Association> {
        let names = self.names(nodes);
        let known = view.rows::<Association>().iter();
        known.filter(|row| names.contains(&row.peer)).map(|row| row.as_ref().clone()).collect()
    }
}

/// One thing that explains something.
struct Finding {
    topic: &'static str,
    words: String,
    hint: Option<String>,
}

impl Finding {
    fn new(topic: &'static str, words: impl Into<String>) -> Self {
        Self { topic, words: words.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

fn association(row: &Association) -> Finding {
    let words = format!(
        "SPI {} with `{}`: {}, {} within {} s",
        row.spi,
        row.peer,
        algorithm_word(row.algorithm),
        replay_word(row.replay),
        row.tolerance
    );
    let finding = Finding::new("association", words);
    if !row.active {
        return finding.hint("it is inactive, so nothing is authenticated with it");
    }
    match row.algorithm {
        Algorithm::KeyedMd5 => finding.hint("the node must use MD5 in prefix+suffix mode too"),
        Algorithm::HmacMd5 | Algorithm::HmacSha1 | Algorithm::HmacSha256 => finding,
    }
}

/// Whether a home agent uses this store, and so the associations of its nodes are here.
fn has_home_agent(view: &View) -> bool {
    let mut instances = view.rows::<Instance>().iter();
    instances.any(|instance| instance.roles.contains(&Role::HomeAgent))
}

fn visit(row: &Visitor, view: &View) -> Finding {
    let (foreign_agent, home_agent) = (row.foreign_agent, row.home_agent);
    let at = format!("{} at foreign agent {foreign_agent}", row.home_address);
    let remaining = row.remaining_seconds(view.owner_now(&row.instance));
    let finding = match (row.accepted, remaining) {
        (true, Some(seconds)) => Finding::new("visitor", format!("{at}, {seconds} s left")),
        (true, None) => Finding::new("visitor", format!("{at}, no end")),
        (false, _) => Finding::new("visitor", format!("{at} waits for home agent {home_agent}")),
    };
    if view.freshness(&row.instance).is_live() {
        finding
    } else {
        finding.hint("the foreign agent is silent; see `show status`")
    }
}

/// How the node sees itself: at home, through a foreign agent, or within a region.
fn registration(row: &Registration, view: &View) -> Finding {
    let (home_agent, agent) = (row.home_agent, row.agent_address);
    let words = match &row.regional {
        _ if !row.accepted => format!("waits for home agent {home_agent}"),
        None => format!("with home agent {home_agent} through {agent}"),
        Some(regional) => format!(
            "with home agent {home_agent} through gateway {}, at foreign agent {agent}; {} regional \
             registrations since",
            regional.gateway, regional.accepted
        ),
    };
    let finding = Finding::new("registration", words);
    if view.freshness(&row.instance).is_live() {
        finding
    } else {
        finding.hint("the mobile node is silent; see `show status`")
    }
}

fn bindings(node: &NodeRow, view: &View) -> Vec<Finding> {
    if node.bindings.is_empty() {
        return vec![Finding::new(
            "binding",
            format!("none at home agent {}", node.key.home_agent),
        )];
    }
    let finding = |binding: &std::sync::Arc<store::Binding>| {
        let remaining = binding.remaining_seconds(view.owner_now(&binding.instance));
        let left =
            remaining.map_or_else(|| "no end".to_owned(), |seconds| format!("{seconds} s left"));
        let through = binding.foreign_agent.map(|it| format!(" through foreign agent {it}"));
        let through = through.unwrap_or_default();
        let words = format!(
            "{} at {}{} by home agent {}, {left}",
            binding.home_address, binding.care_of_address, through, binding.home_agent
        );
        let finding = Finding::new("binding", words);
        if node.freshness.is_live() {
            finding
        } else {
            finding.hint("the home agent is silent; see `show status`")
        }
    };
    node.bindings.iter().map(finding).collect()
}

/// What other nodes say of the clock that this one is measured by.
fn home_agent_clock(node: &NodeRow, view: &View) -> Option<Finding> {
    let owner = view.owner(node.key.home_agent)?;
    let health = owner.clock_health.filter(|health| health.state == ClockState::Suspect)?;
    let words = format!(
        "{} of {} nodes disagree with the clock of `{}`",
        health.disagreeing, health.nodes, owner.name
    );
    Some(
        Finding::new("clock", words)
            .hint("set the clock of the home agent, not those of the nodes"),
    )
}

/// How far the node's clock was off when it was accepted last (RFC 5944 §5.7.1).
fn clock(node: &NodeRow) -> Option<Finding> {
    let state = node.node.as_ref()?;
    let offset = clock_offset(state.last_identification, state.last_accepted_at)?;
    let at = state.last_accepted_at.rfc3339();
    let words = format!("off by {} s when a request was accepted at {at}", tenths(offset));
    Some(Finding::new("clock", words))
}

/// Milliseconds as seconds with one digit and a sign; nothing is not negative.
fn tenths(milliseconds: f64) -> String {
    let rounded = (milliseconds / 100.0).round();
    if rounded == 0.0 { "0.0".to_owned() } else { format!("{:+.1}", rounded / 10.0) }
}

/// Milliseconds from `accepted_at` to the NTP time in `identification`; `None` if that is no time.
fn clock_offset(identification: Identification, accepted_at: UtcTime) -> Option<f64> {
    /// From 1900, where NTP begins, to 1970.
    const NTP_TO_UNIX: u32 = 2_208_988_800;
    /// Nonces look like times that are far away.
    const PLAUSIBLE: Duration = Duration::from_secs(86_400);
    let accepted_seconds = accepted_at.0.div_euclid(1000);
    // NTP seconds wrap in 2036; the difference does not care.
    let accepted_ntp =
        u32::try_from(accepted_seconds.rem_euclid(1 << 32)).ok()?.wrapping_add(NTP_TO_UNIX);
    let seconds = identification.high().wrapping_sub(accepted_ntp).cast_signed();
    let fraction = f64::from(identification.low()) / 4_294_967_296.0;
    let accepted_fraction = i32::try_from(accepted_at.0.rem_euclid(1000)).ok()?;
    let milliseconds = (f64::from(seconds) + fraction) * 1000.0 - f64::from(accepted_fraction);
    (milliseconds.abs() <= PLAUSIBLE.as_secs_f64() * 1000.0).then_some(milliseconds)
}

fn denial(node: &NodeRow, associations: &[Association]) -> Option<Finding> {
    let counters = node.counters.as_ref()?;
    let code = counters.last_denied_code?;
    let at = counters.last_denied_at.map_or_else(|| "-".to_owned(), UtcTime::rfc3339);
    let words =
        format!("{} denied, last at {at} with {code}: {}", counters.denied, words::code(code));
    Some(Finding { topic: "denial", words, hint: advice(code, associations) })
}

/// What the node itself took down of regions last, if that is a gateway that failed.
fn gateway(trail: &[TrailRow]) -> Option<Finding> {
    const EVENTS: [&str; 4] =
        ["entered-region", "left-region", "gateway-failed", "gateway-returned"];
    let of_regions = |row: &&TrailRow| EVENTS.contains(&&*row.event.event);
    let event = &trail.iter().rev().find(of_regions)?.event;
    if event.event != "gateway-failed" {
        return None;
    }
    let which = match event.care_of_address {
        Some(address) if !address.is_broadcast() => format!("gateway {address}"),
        _ => "the gateway that the region assigns".to_owned(),
    };
    let how = event.code.map_or_else(
        || "did not answer".to_owned(),
        |code| format!("was of no use ({code}: {})", words::code(code)),
    );
    let words = format!("{which} {how} at {}", event.at.rfc3339());
    let hint = "the node registers without it, and tries again after `gateway-hold-off`";
    Some(Finding::new("gateway", words).hint(hint))
}

/// The latest event, if it is a refusal: what the clock and the SPI of the request were.
fn refusal(trail: &[TrailRow]) -> Option<Finding> {
    let last = &trail.last()?.event;
    let code = last.code.filter(|code| !code.is_accepted())?;
    // What a foreign agent saw of a denial, the home agent knows better, if it is here.
    let events = trail.iter().rev().map(|row| &row.event);
    let mut at_home_agent = events.filter(|event| !is_relayed(event) && event.code == last.code);
    let event = if is_relayed(last) { at_home_agent.next().unwrap_or(last) } else { last };
    let from = event.peer.map_or_else(String::new, |peer| format!(", from {peer}"));
    let spi = event.spi.map_or_else(String::new, |spi| format!(", SPI {spi}"));
    let meaning = words::code(code);
    let times = event.times;
    let words = format!("refused with {code} ({meaning}), {times} times in a row{from}{spi}");
    let finding = Finding::new("last event", words);
    if let Some(hint) = event_advice(&event.event).or_else(|| foreign_agent_advice(code)) {
        return Some(finding.hint(hint));
    }
    Some(match event.clock_offset {
        None => finding,
        Some(milliseconds) => {
            let milliseconds = i32::try_from(milliseconds).unwrap_or(i32::MAX);
            finding.hint(format!("its clock was off by {} s", tenths(milliseconds.into())))
        }
    })
}

/// The events of a foreign agent that relayed a denial.
const RELAYED: [&str; 2] = ["denied-by-home-agent", "denied-by-gateway"];

fn is_relayed(event: &TrailEvent) -> bool {
    RELAYED.contains(&&*event.event)
}

/// What to look at where the event says more than its Code.
fn event_advice(event: &str) -> Option<&'static str> {
    Some(match event {
        "foreign-agent-of-another-region" | "foreign-agent-of-another-gateway" => {
            "the foreign agent that relayed it is not beneath that gateway; see `regional show`"
        }
        "foreign-agent-failed-authentication" => {
            "compare the association of foreign agent and gateway"
        }
        "gateway-association-missing" => {
            "the foreign agent shares no association with its gateway; see `spi` in `regional show`"
        }
        "revocation-required" => {
            "its home agent takes no part in revocation: see `required` in `[….revocation]`"
        }
        _ => return None,
    })
}

/// What to look at after a denial of a foreign agent, or of a gateway.
fn foreign_agent_advice(code: Code) -> Option<&'static str> {
    Some(match code.0 {
        64 => "the foreign agent is closed: see `admission` in its configuration",
        65 => "the foreign agent is being drained and takes no new visitors",
        66 => "the foreign agent has no room: see `max-visitors` and `max-pending`",
        67 => "compare the association of mobile node and foreign agent",
        68 => "compare the association of foreign agent and home agent",
        69 => {
            "it asks for more than `max-lifetime` of the foreign agent, and is told how much that is"
        }
        70 => {
            "its request has a reserved bit, nothing that authenticates it, or an extension out of order"
        }
        71 => "what the home agent answered is not well-formed, or not authenticated for the node",
        72 => "it asks for an encapsulation that the foreign agent does not offer",
        74 | 75 => "see `reverse-tunnel` in the configuration of the foreign agent",
        76 => "it wants a reverse tunnel from beyond the foreign agent's link: its TTL was not 255",
        77 => "it asks for a care-of address that is not offered; see `show care-of-addresses`",
        78 => "its home agent did not answer in time: is it there, and does it know the node?",
        79 => "see `encapsulating-delivery` in the configuration of the foreign agent",
        80..=95 => "ICMP says so: look at the way to its home agent, and whether that serves",
        96 => "it has neither a home address nor an NAI",
        97..=99 => "the home agent's answer lacks what RFC 2794 asks for",
        110 => {
            "the gateway does not offer the replay protection that it asks for; see `regional show`"
        }
        111 => {
            "it asks for no gateway in particular: see `dynamic` in `regional show`, and whether the \
             gateway shares an association with its home agent"
        }
        112 => "it asks for a gateway that the foreign agent does not know; see `regional show`",
        113..=115 => "ICMP says so: look at the way to the gateway, and whether that serves",
        116 => "it names the foreign agent itself, or nobody, as its home agent",
        193 => {
            "its home registration through the gateway has ended, or never was: it has to register at home"
        }
        _ => return None,
    })
}

/// What to look at after a denial.
fn advice(code: Code, associations: &[Association]) -> Option<String> {
    let timestamps = associations.iter().find(|row| row.replay == ReplayProtection::Timestamps);
    Some(match (code.0, timestamps) {
        (128..=130, _) => "look at the log of the home agent".to_owned(),
        (131, _) if associations.is_empty() => "there is no association; add one".to_owned(),
        (131, _) => "compare SPI, algorithm and key with those of the node".to_owned(),
        (132, _) => "compare the association of home agent and foreign agent".to_owned(),
        (133, Some(row)) => {
            let tolerance = timeout::words(Duration::from_secs(row.tolerance.into()));
            format!(
                "the node's clock is off by more than {tolerance}, or somebody repeats requests"
            )
        }
        (133, None) => "the node answers an old reply, or somebody repeats requests".to_owned(),
        (134, _) => "the request has a reserved bit or an extension out of order".to_owned(),
        (135, _) => "the node has as many bindings as it may; some must end first".to_owned(),
        (136, _) => "the node asks for another home agent; correct its configuration".to_owned(),
        _ => return None,
    })
}

const COLUMNS: &[Column<Finding>] = &[
    Column::text("topic", "TOPIC", |finding| Cell::text(finding.topic)),
    Column::text("finding", "FINDING", |finding| Cell::text(&finding.words)),
    Column::text("hint", "HINT", |finding| Cell::of(finding.hint.as_ref(), Cell::text)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_a_sign_unless_they_are_none() {
        let words = [-49.0, 0.0, 51.0, -1550.0, 91_500.0].map(tenths);
        assert_eq!(words, ["0.0", "0.0", "+0.1", "-1.6", "+91.5"]);
    }

    #[test]
    fn the_clock_offset_is_that_of_ntp_and_utc() {
        // 2026-11-23T20:00:00Z is 4004452800 in NTP seconds.
        let at = UtcTime(1_795_464_000_250);
        let offset = |high, low| clock_offset(Identification::from_halves(high, low), at);
        assert_eq!(offset(4_004_452_800, 0x4000_0000), Some(0.0));
        assert_eq!(offset(4_004_452_803, 0x4000_0000), Some(3000.0));
        assert_eq!(offset(4_004_452_799, 0xc000_0000), Some(-500.0));
        assert_eq!(offset(17, 0), None, "a nonce is no time");
        // In 2036 NTP seconds begin anew.
        let later = UtcTime(2_085_978_496_000 + 5_000);
        assert_eq!(clock_offset(Identification::from_halves(7, 0), later), Some(2000.0));
    }
}
