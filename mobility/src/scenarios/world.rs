//! The machines of a scenario, their store, their clock, and the network between them.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use store::{Batch, Counter, Counters, Now, Revision, Snapshot, Time, UtcTime};
use wire::{Identification, RegionalRegistrationRequest, RegistrationRequest, message_type};

use super::datagrams::{Defaults, hex, socket};
use super::print::{self, Printer};
use super::setup;
use super::words::Words;
use crate::{
    Action, ForeignAgent, ForeignAgentConfig, Gateway, GatewayConfig, HomeAgent, HomeAgentConfig,
    MobileNode, MobileNodeConfig, Output, Received, SecurityAssociation,
};

/// When every scenario begins: 2027-01-15T08:00:00Z.
const EPOCH: UtcTime = UtcTime(1_800_000_000_000);

/// A datagram that may be sent again.
#[derive(Clone)]
pub(super) struct Recorded {
    pub(super) octets: Vec<u8>,
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) ttl: Option<u8>,
}

#[derive(Default)]
pub(super) struct World {
    time: Duration,
    /// When the machines were started; uptime counts from here.
    pub(super) started: Duration,
    /// How far the wall clock was stepped in all, and before the last start, in milliseconds.
    step: i64,
    step_at_start: i64,
    pub(super) snapshot: Snapshot,
    /// Those of the home agent and the mobile node.
    pub(super) associations: Vec<SecurityAssociation>,
    /// Those of the foreign agent.
    pub(super) foreign_associations: Vec<SecurityAssociation>,
    /// Those of the mobile node with foreign agents.
    pub(super) node_associations: Vec<SecurityAssociation>,
    /// Those of the gateway.
    pub(super) gateway_associations: Vec<SecurityAssociation>,
    /// All of them, for those who sign by hand.
    pub(super) known: Vec<SecurityAssociation>,
    pub(super) home_agent: Option<(HomeAgentConfig, HomeAgent)>,
    pub(super) foreign_agent: Option<(ForeignAgentConfig, ForeignAgent)>,
    pub(super) gateway: Option<(GatewayConfig, Gateway)>,
    pub(super) node: Option<(MobileNodeConfig, MobileNode)>,
    pub(super) advertiser: Option<crate::Advertiser>,
    /// How far the mobile node's clock is ahead, in milliseconds.
    pub(super) skew: i64,
    pub(super) recorded: BTreeMap<String, Recorded>,
    /// The revocation that was sent last by a machine, and its way.
    pub(super) last_revocation: Option<Recorded>,
    /// The same of notifications.
    pub(super) last_notification: Option<Recorded>,
    last_reply: Option<Identification>,
    /// What the next regional request begins with, where nonces are used.
    pub(super) last_regional: Option<Identification>,
    /// The regional request that a mobile node sent last, and its way.
    pub(super) last_regional_request: Option<(RegionalRegistrationRequest, Recorded)>,
    /// The request that was sent last by a machine, and its way.
    last_request: Option<(RegistrationRequest, Recorded)>,
    /// Whether commits wait until the scenario decides about them.
    pub(super) held: bool,
    in_flight: BTreeMap<String, (Output, Option<Identification>)>,
    printed: BTreeMap<(String, Counter), u64>,
    /// How many datagrams the network loses next.
    lose: u32,
}

impl World {
    /// Takes one line of a scenario; returns what comes out.
    pub(super) fn input(&mut self, words: &Words<'_>) -> Vec<String> {
        if let Some(at) = words.at {
            assert!(at >= self.time, "time goes backwards");
            self.time = at;
        }
        let mut lines = Vec::new();
        match words.verb {
            "home-agent" | "foreign-agent" | "gateway" | "advertiser" | "association"
            | "forget" | "mobile-node" => {
                setup::input(self, words);
            }
            "region" => self.region(words),
            "request" => self.request(words, &mut lines),
            "regional" => self.regional(words, &mut lines),
            "regional-answer" => self.regional_answer(words, &mut lines),
            "replay" => self.replay(words, &mut lines),
            "datagram" => self.datagram(words, &mut lines),
            "deadline" => self.deadline(&mut lines),
            "hold" => self.held = true,
            "commit" => self.commit(words.word(0).unwrap(), &mut lines),
            "fail" => self.fail(words.word(0).unwrap(), &mut lines),
            "restart" => self.restart(),
            "clock" => self.step += words.word(0).unwrap().parse::<i64>().unwrap() * 1000,
            "admission" => setup::admission(self, words),
            "lose" => self.lose = words.word(0).unwrap().parse().unwrap(),
            "discover" => self.tell(&mut lines, |node, now| node.discover(2, now)),
            "hear" => self.hear(words, &mut lines),
            "link-change" => self.tell(&mut lines, MobileNode::on_link_change),
            "icmp" => {
                let octets = hex(words.word(0).unwrap());
                let source = words.value("from").unwrap();
                self.tell(&mut lines, |node, now| node.on_icmp(&octets, source, 2, now));
            }
            "clock-health" => self.clock_health(&mut lines),
            "solicit" => self.solicit(words, &mut lines),
            "shut-down" => {
                let now = self.now();
                let output = self.advertiser.as_mut().unwrap().shut_down(now);
                self.act(output, None, &mut lines);
            }
            "busy" => self.advertiser.as_mut().unwrap().set_busy(words.word(0) == Some("yes")),
            "answer" => self.answer(words, &mut lines),
            "unreachable" => self.unreachable(words, &mut lines),
            "reply" => self.reply(words, &mut lines),
            "operation" => self.operation(words),
            "wish" => self.wish(words),
            "revocation" => self.revocation(words, &mut lines),
            "acknowledgment" => self.acknowledgment(words, &mut lines),
            "notify" => self.notify(words, &mut lines),
            "notification" => self.notification(words, &mut lines),
            "notified" => self.notified(words, &mut lines),
            "idle" => self.idle(words, &mut lines),
            "register" => self.tell(&mut lines, MobileNode::register),
            "deregister" => self.tell(&mut lines, MobileNode::deregister),
            "move" => {
                let local = socket(words.word(0).unwrap());
                self.tell(&mut lines, |node, now| node.move_to(local, now));
            }
            "state" => self.state(&mut lines),
            "rows" => self.rows(&mut lines),
            "notes" => self.notes(&mut lines),
            "counters" => self.counters(&mut lines),
            unknown => panic!("unknown input {unknown:?}"),
        }
        self.observe(&mut lines);
        lines
    }

    pub(super) fn now(&self) -> Now {
        let uptime = self.time.saturating_sub(self.started);
        let utc = (EPOCH + self.time).shifted(self.step);
        Now { uptime: Time::from_uptime(uptime), utc, clock_step: self.step - self.step_at_start }
    }

    pub(super) fn node_now(&self) -> Now {
        let now = self.now();
        Now { utc: now.utc.shifted(self.skew), ..now }
    }

    pub(super) fn printer(&self) -> Printer<'_> {
        let now = self.now();
        Printer { associations: &self.known, utc: now.utc, stamp: now.stamp() }
    }

    pub(super) fn defaults(&self) -> Defaults<'_> {
        Defaults {
            associations: &self.known,
            home_agent: self.home_agent_address().unwrap_or(*socket("10.0.0.1").ip()),
            utc: self.now().utc,
            last_reply: self.last_reply,
            care_of_address: self
                .foreign_agent
                .as_ref()
                .map(|(config, _)| config.care_of_addresses[0]),
        }
    }

    /// Who requests are sent to: the foreign agent if there is one.
    pub(super) fn agent_address(&self) -> std::net::Ipv4Addr {
        let foreign_agent = self.foreign_agent.as_ref().map(|(config, _)| config.address);
        let gateway = self.gateway.as_ref().map(|(config, _)| config.address);
        foreign_agent.or(gateway).or(self.home_agent_address()).unwrap()
    }

    fn home_agent_address(&self) -> Option<std::net::Ipv4Addr> {
        self.home_agent.as_ref().map(|(config, _)| config.address)
    }

    fn request(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let octets = self.defaults().request(words);
        let (fixed, _) = RegistrationRequest::parse(&octets).unwrap_or_default_request();
        // A node without a co-located care-of address sends from its home address (§3.6.1.1).
        let own =
            if self.foreign_agent.is_some() { fixed.home_address } else { fixed.care_of_address };
        let from = words.text("from").map_or(SocketAddrV4::new(own, 5000), socket);
        let agent = SocketAddrV4::new(self.agent_address(), crate::PORT);
        let to = words.text("to").map_or(agent, socket);
        let recorded = Recorded { octets, from, to, ttl: words.value("ttl") };
        if let Some(name) = words.text("as") {
            self.recorded.insert(name.to_owned(), recorded.clone());
        }
        self.deliver(&recorded, lines);
    }

    fn replay(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let mut recorded = self.recorded[words.word(0).unwrap()].clone();
        if let Some(from) = words.text("from") {
            recorded.from = socket(from);
        }
        self.deliver(&recorded, lines);
    }

    /// Octets as they are.
    fn datagram(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let from = words.text("from").map_or(socket("192.0.2.7:5000"), socket);
        let to = words.text("to").map(socket);
        let to = to.unwrap_or(SocketAddrV4::new(self.agent_address(), crate::PORT));
        let octets = hex(words.word(0).unwrap_or_default());
        let recorded = Recorded { octets, from, to, ttl: None };
        self.deliver(&recorded, lines);
    }

    /// Gives a datagram to the machine that its destination belongs to.
    pub(super) fn deliver(&mut self, datagram: &Recorded, lines: &mut Vec<String>) {
        let now = self.now();
        let mut received = Received::new(&datagram.octets, datagram.from, datagram.to);
        received.ttl = datagram.ttl;
        let asked = (message_type(&datagram.octets) == Some(RegistrationRequest::TYPE))
            .then(|| RegistrationRequest::parse(&datagram.octets).ok())
            .flatten()
            .map(|(request, _)| request.identification);
        let to_node = self.node.as_ref().is_some_and(|(config, _)| is_of(config, datagram.to));
        let to_home_agent = self.home_agent_address() == Some(*datagram.to.ip());
        let (output, prefix) = if to_node {
            let now = self.node_now();
            (self.node.as_mut().unwrap().1.on_datagram(&received, now), "mn")
        } else if let Some((config, gateway)) = &mut self.gateway
            && config.address == *datagram.to.ip()
        {
            (gateway.on_datagram(&received, now), "gw")
        } else if let Some((_, foreign_agent)) = &mut self.foreign_agent
            && !to_home_agent
        {
            (foreign_agent.on_datagram(&received, now), "fa")
        } else if let Some((_, home_agent)) = &mut self.home_agent {
            (home_agent.on_datagram(&received, now), "")
        } else {
            return;
        };
        if output.is_empty() && !to_node {
            lines.push("silence".to_owned());
        }
        self.take(output, prefix, asked, lines);
    }

    /// Sends a batch to the store, or holds it.
    pub(super) fn take(
        &mut self,
        output: Output,
        prefix: &str,
        asked: Option<Identification>,
        lines: &mut Vec<String>,
    ) {
        if output.batch.is_empty() {
            return self.act(output, asked, lines);
        }
        for change in &output.batch.changes {
            lines.push(self.printer().change(change));
        }
        let id = format!("{prefix}{}", output.id.0);
        self.in_flight.insert(id.clone(), (output, asked));
        if self.held {
            lines.push(format!("commit {id} is on its way"));
        } else {
            self.commit(&id, lines);
        }
    }

    fn commit(&mut self, id: &str, lines: &mut Vec<String>) {
        let (output, asked) = self.in_flight.remove(id).unwrap();
        let now = self.now();
        self.apply(&output.batch);
        if id.starts_with("mn") {
            let now = self.node_now();
            self.node.as_mut().unwrap().1.on_committed(output.id, now);
        } else if id.starts_with("gw") {
            self.gateway.as_mut().unwrap().1.on_committed(output.id, now);
        } else if id.starts_with("fa") {
            self.foreign_agent.as_mut().unwrap().1.on_committed(output.id, now);
        } else {
            self.home_agent.as_mut().unwrap().1.on_committed(output.id, now);
        }
        self.act(output, asked, lines);
    }

    fn fail(&mut self, id: &str, lines: &mut Vec<String>) {
        let (output, asked) = self.in_flight.remove(id).unwrap();
        let now = self.now();
        let actions = if id.starts_with("mn") {
            let now = self.node_now();
            self.node.as_mut().unwrap().1.on_commit_failed(output.id, now);
            Vec::new()
        } else if id.starts_with("gw") {
            let (_, gateway) = self.gateway.as_mut().unwrap();
            gateway.on_commit_failed(output.id, &self.snapshot, now)
        } else if id.starts_with("fa") {
            let (_, foreign_agent) = self.foreign_agent.as_mut().unwrap();
            foreign_agent.on_commit_failed(output.id, &self.snapshot, now)
        } else {
            let (_, home_agent) = self.home_agent.as_mut().unwrap();
            home_agent.on_commit_failed(output.id, &self.snapshot, now)
        };
        self.act(Output { actions, ..Output::default() }, asked, lines);
    }

    pub(super) fn apply(&mut self, batch: &Batch) {
        self.snapshot.revision = Revision(self.snapshot.revision.0 + 1);
        self.snapshot.tables.apply(batch, self.snapshot.revision);
    }

    pub(super) fn act(
        &mut self,
        output: Output,
        asked: Option<Identification>,
        lines: &mut Vec<String>,
    ) {
        for action in output.actions {
            match action {
                Action::Send { from, to, octets } | Action::SendOnLink { from, to, octets, .. } => {
                    let text = self.datagram_text(&octets, from, to, asked);
                    lines.push(format!("{from} -> {to} {text}"));
                    self.travel(&Recorded { octets, from, to, ttl: None }, lines);
                }
                Action::SendIcmp { interface, from, to, octets } => {
                    let text = print::icmp(&octets);
                    lines.push(format!("interface {interface}: {from} -> {to} {text}"));
                }
                Action::StartService(service) => {
                    lines.push(format!("start {}", print::service(&service)));
                }
                Action::StopService(service) => {
                    lines.push(format!("stop {}", print::service(&service)));
                }
                other => lines.push(format!("{other:?}")),
            }
        }
    }

    fn datagram_text(
        &mut self,
        octets: &[u8],
        from: SocketAddrV4,
        to: SocketAddrV4,
        asked: Option<Identification>,
    ) -> String {
        if message_type(octets) == Some(RegistrationRequest::TYPE) {
            let (request, _) = RegistrationRequest::parse(octets).unwrap();
            let recorded = Recorded { octets: octets.to_vec(), from, to, ttl: None };
            self.last_request = Some((request, recorded));
            return self.printer().request(octets);
        }
        if message_type(octets) != Some(wire::RegistrationReply::TYPE) {
            if message_type(octets) == Some(message_type::REGISTRATION_REVOCATION) {
                let octets = octets.to_vec();
                self.last_revocation = Some(Recorded { octets, from, to, ttl: None });
            }
            if message_type(octets) == Some(message_type::GENERIC_NOTIFICATION) {
                let octets = octets.to_vec();
                self.last_notification = Some(Recorded { octets, from, to, ttl: None });
            }
            self.note_regional(octets);
            if message_type(octets) == Some(RegionalRegistrationRequest::TYPE)
                && from.port() != crate::PORT
            {
                let (request, _) = RegionalRegistrationRequest::parse(octets).unwrap();
                let recorded = Recorded { octets: octets.to_vec(), from, to, ttl: None };
                self.last_regional_request = Some((request, recorded));
            }
            return self.printer().other(octets);
        }
        self.note_regional(octets);
        self.last_reply = Some(wire::RegistrationReply::parse(octets).unwrap().0.identification);
        let last = self.last_request.as_ref().map(|(request, _)| request.identification);
        self.printer().reply(octets, asked.or(last))
    }

    /// What one machine sent reaches another, unless it is lost or nobody is there.
    fn travel(&mut self, datagram: &Recorded, lines: &mut Vec<String>) {
        let to_node = self.node.as_ref().is_some_and(|(config, _)| is_of(config, datagram.to));
        let to_home_agent = self.home_agent_address() == Some(*datagram.to.ip());
        let to_foreign_agent = self.foreign_agent.as_ref().is_some_and(|(config, _)| {
            let address = datagram.to.ip();
            config.address == *address || config.care_of_addresses.contains(address)
        });
        let gateway = self.gateway.as_ref().map(|(config, _)| config.address);
        let to_gateway = gateway == Some(*datagram.to.ip());
        if !to_node && !to_home_agent && !to_foreign_agent && !to_gateway {
            return;
        }
        if self.lose > 0 {
            self.lose -= 1;
            lines.push("lost".to_owned());
            return;
        }
        self.deliver(datagram, lines);
    }

    /// A reply made by hand, to what the mobile node sent last.
    fn reply(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let (request, _) = self.last_request.clone().unwrap();
        let (config, _) = self.node.as_ref().unwrap();
        let nai = config.nai.clone();
        let peer = nai.map_or(store::Identity::Address(request.home_address), store::Identity::Nai);
        let octets = self.defaults().reply(words, &request, &peer);
        let recorded = Recorded { octets, from: config.home_agent, to: config.local, ttl: None };
        self.deliver(&recorded, lines);
        if lines.is_empty() {
            lines.push("silence".to_owned());
        }
    }

    /// A home agent's reply made by hand, to the request that was relayed last.
    fn answer(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let (request, way) = self.last_request.clone().unwrap();
        let extensions =
            crate::extensions::Extensions::parse(&way.octets, RegistrationRequest::LEN).unwrap();
        let address = store::Identity::Address(request.home_address);
        let peer = extensions.nai.clone().map_or(address, store::Identity::Nai);
        let octets = self.defaults().reply(words, &request, &peer);
        let from = words.text("from").map_or(way.to, socket);
        self.deliver(&Recorded { octets, from, to: way.from, ttl: None }, lines);
    }

    /// The mobile node hears an agent advertisement.
    fn hear(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let octets = super::datagrams::advertisement(words);
        let source = words.word(0).unwrap().parse().unwrap();
        self.tell(lines, |node, now| node.on_icmp(&octets, source, 2, now));
    }

    /// The advertiser hears an agent solicitation.
    fn solicit(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let mut octets = Vec::new();
        wire::AgentSolicitation::default().emit(&mut octets);
        if words.has("broken") {
            octets[2] ^= 1;
        }
        let source = words.text("from").unwrap_or("0.0.0.0").parse().unwrap();
        let now = self.now();
        let output = self.advertiser.as_mut().unwrap().on_icmp(&octets, source, now);
        self.act(output, None, lines);
    }

    /// ICMP says that the home agent of the last request cannot be reached.
    fn unreachable(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let what = match words.word(0).unwrap() {
            "network" => crate::Unreachable::Network,
            "host" => crate::Unreachable::Host,
            "port" => crate::Unreachable::Port,
            "other" => crate::Unreachable::Other,
            other => panic!("unreachable {other}"),
        };
        let home_agent = words.value("agent").unwrap();
        let now = self.now();
        let output = if words.has("gateway") {
            self.gateway.as_mut().unwrap().1.on_unreachable(home_agent, what, now)
        } else {
            self.foreign_agent.as_mut().unwrap().1.on_unreachable(home_agent, what, now)
        };
        self.act(output, None, lines);
    }

    pub(super) fn tell(
        &mut self,
        lines: &mut Vec<String>,
        what: impl FnOnce(&mut MobileNode, Now) -> Output,
    ) {
        let now = self.node_now();
        let output = what(&mut self.node.as_mut().unwrap().1, now);
        let sent = output.actions.iter().find_map(|action| match action {
            Action::Send { from, .. } | Action::SendOnLink { from, .. } => Some(*from),
            _ => None,
        });
        if let (Some((config, _)), Some(from)) = (self.node.as_mut(), sent) {
            config.local = from;
        }
        self.take(output, "mn", None, lines);
    }

    /// Lets everything that is due happen.
    fn deadline(&mut self, lines: &mut Vec<String>) {
        let now = self.now();
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now.uptime);
        while let Some((_, home_agent)) = &mut self.home_agent
            && is_due(home_agent.next_deadline())
        {
            let output = home_agent.on_deadline(now);
            self.take(output, "", None, lines);
        }
        while let Some((_, foreign_agent)) = &mut self.foreign_agent
            && is_due(foreign_agent.next_deadline())
        {
            let output = foreign_agent.on_deadline(now);
            self.take(output, "fa", None, lines);
        }
        while let Some((_, gateway)) = &mut self.gateway
            && is_due(gateway.next_deadline())
        {
            let output = gateway.on_deadline(now);
            self.take(output, "gw", None, lines);
        }
        while let Some(advertiser) = &mut self.advertiser
            && is_due(advertiser.next_deadline())
        {
            let output = advertiser.on_deadline(now);
            self.act(output, None, lines);
        }
        while let Some((_, node)) = &self.node
            && is_due(node.next_deadline())
        {
            self.tell(lines, MobileNode::on_deadline);
        }
        if lines.is_empty() {
            lines.push("nothing is due".to_owned());
        }
    }

    /// The home agent starts anew from what is in the store; its commits on their way are lost.
    fn restart(&mut self) {
        self.in_flight.clear();
        self.started = self.time;
        self.step_at_start = self.step;
        let now = self.now();
        if let Some((config, home_agent)) = &mut self.home_agent {
            let counters = home_agent.take_counters(now);
            self.snapshot.tables.apply(&counters, self.snapshot.revision);
            config.seed[0] ^= 0x55;
            *home_agent = HomeAgent::new(config.clone(), &self.snapshot, now);
            home_agent.set_associations(self.associations.clone());
        }
        if let Some((config, foreign_agent)) = &mut self.foreign_agent {
            let counters = foreign_agent.take_counters(now);
            self.snapshot.tables.apply(&counters, self.snapshot.revision);
            *foreign_agent = ForeignAgent::new(config.clone(), &self.snapshot, now);
            foreign_agent.set_associations(self.foreign_associations.clone());
        }
        self.restart_gateway(now);
    }

    /// Starts the gateway anew, too.
    fn restart_gateway(&mut self, now: Now) {
        if let Some((config, gateway)) = &mut self.gateway {
            let counters = gateway.take_counters(now);
            self.snapshot.tables.apply(&counters, self.snapshot.revision);
            config.seed[0] ^= 0x55;
            *gateway = Gateway::new(config.clone(), &self.snapshot, now);
            gateway.set_associations(self.gateway_associations.clone());
        }
    }

    fn clock_health(&self, lines: &mut Vec<String>) {
        let (_, home_agent) = self.home_agent.as_ref().unwrap();
        let health = home_agent.clock_health(self.now());
        let offset = health.offset.map(|offset| format!(", ahead by {offset:+}ms"));
        let (state, nodes, disagreeing) = (health.state, health.nodes, health.disagreeing);
        let offset = offset.unwrap_or_default();
        lines.push(format!("{state:?}: {disagreeing} of {nodes} disagree{offset}"));
    }

    fn state(&self, lines: &mut Vec<String>) {
        let (_, node) = self.node.as_ref().unwrap();
        let until = |at: Time| {
            let seconds = at.since(self.now().uptime).as_millis();
            format!("{}.{:03}s", seconds / 1000, seconds % 1000)
        };
        let next = node
            .next_deadline()
            .map_or("nothing due".to_owned(), |at| format!("next deadline in {}", until(at)));
        let home = node.home_address().map(|it| format!(" home={it}")).unwrap_or_default();
        lines.push(format!("{:?}{home} clock={:+}ms, {next}", node.state(), node.clock_offset()));
    }

    fn rows(&self, lines: &mut Vec<String>) {
        let printer = self.printer();
        let bindings = self.snapshot.rows::<store::Binding>();
        lines.extend(bindings.iter().map(|row| printer.binding(row)));
        let nodes = self.snapshot.rows::<store::Node>();
        lines.extend(nodes.iter().map(|row| format!("node {} spi={}", row.identity, row.last_spi)));
        let registrations = self.snapshot.rows::<store::Registration>();
        lines.extend(registrations.iter().map(|row| printer.registration(row)));
        let advertisements = self.snapshot.rows::<store::Advertisement>();
        lines.extend(advertisements.iter().map(|row| print::advertisement(row)));
        let operations = self.snapshot.rows::<store::Operation>();
        lines.extend(operations.iter().map(|row| print::operation(row)));
        let shares = self.snapshot.rows::<store::OperationShare>();
        lines.extend(shares.iter().map(|row| print::share(row)));
        let targets = self.snapshot.rows::<store::OperationTarget>();
        lines.extend(targets.iter().map(|row| print::target(row)));
        let visitors = self.snapshot.rows::<store::Visitor>();
        lines.extend(visitors.iter().map(|row| printer.visitor(row)));
        if let Some((config, foreign_agent)) = &self.foreign_agent {
            let ours = |row: &&std::sync::Arc<store::Visitor>| {
                row.accepted && row.foreign_agent == config.address
            };
            let accepted = visitors.iter().filter(ours).count();
            assert_eq!(foreign_agent.visitor_count(), accepted, "memory differs from the store");
        }
        if let Some((config, gateway)) = &self.gateway {
            let ours = visitors.iter().filter(|row| row.foreign_agent == config.address).count();
            assert_eq!(gateway.visitor_count(), ours, "memory differs from the store");
        }
        if let Some((_, home_agent)) = &self.home_agent {
            assert_eq!(home_agent.binding_count(), bindings.len(), "memory differs from the store");
        }
        if lines.is_empty() {
            lines.push("no rows".to_owned());
        }
    }

    /// Violations and trails.
    fn notes(&mut self, lines: &mut Vec<String>) {
        self.counters(&mut Vec::new());
        let violations = self.snapshot.rows::<store::Violation>();
        lines.extend(violations.iter().map(|row| print::violation(row)));
        for row in self.snapshot.rows::<store::Trail>().iter() {
            lines.push(format!("trail of {}", row.identity));
            lines.extend(row.events.iter().map(print::trail_event));
        }
    }

    /// What was counted since this was asked last.
    fn counters(&mut self, lines: &mut Vec<String>) {
        let now = self.now();
        if let Some(advertiser) = &mut self.advertiser {
            let counts = advertiser.take_counts();
            lines.extend(counts.iter().map(|(counter, count)| format!("{counter:?} +{count}")));
            self.snapshot.tables.apply(&advertiser.take_row(), self.snapshot.revision);
        }
        let mut batches = Vec::new();
        batches.extend(self.home_agent.as_mut().map(|(_, it)| it.take_counters(now)));
        batches.extend(self.foreign_agent.as_mut().map(|(_, it)| it.take_counters(now)));
        batches.extend(self.gateway.as_mut().map(|(_, it)| it.take_counters(now)));
        batches.extend(self.node.as_mut().map(|(_, it)| it.take_counters(now)));
        for batch in batches {
            self.apply(&batch);
            for change in &batch.changes {
                if let store::Change::Put(store::AnyRow::NodeCounters(row)) = change {
                    lines.push(print::node_counters(row, now.stamp()));
                }
            }
        }
        let rows: Vec<_> = self.snapshot.rows::<Counters>().iter().cloned().collect();
        for row in rows {
            for (counter, value) in &row.values {
                let key = (format!("{} {}", row.role.as_str(), row.address), *counter);
                let before = self.printed.insert(key, *value).unwrap_or(0);
                if *value != before {
                    lines.push(format!("{counter:?} +{}", value - before));
                }
            }
        }
    }
}

/// Whether a node takes what is sent to `to`: revocations come to the port of agents (RFC 3543 §3.3).
fn is_of(config: &MobileNodeConfig, to: SocketAddrV4) -> bool {
    config.local == to || config.local.ip() == to.ip() && to.port() == crate::PORT
}

/// A request that was cut short has no addresses to go by.
trait OrDefault<'a> {
    fn unwrap_or_default_request(self) -> (RegistrationRequest, &'a [u8]);
}

impl<'a> OrDefault<'a> for Result<(RegistrationRequest, &'a [u8]), wire::ParseError> {
    fn unwrap_or_default_request(self) -> (RegistrationRequest, &'a [u8]) {
        self.unwrap_or_else(|_| {
            let mut octets = vec![0; RegistrationRequest::LEN];
            octets[0] = RegistrationRequest::TYPE;
            octets[12..16].copy_from_slice(&[192, 0, 2, 7]);
            (RegistrationRequest::parse(&octets).unwrap().0, &[])
        })
    }
}
