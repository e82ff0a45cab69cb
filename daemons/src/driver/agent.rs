//! Drives a home agent or a foreign agent: its sockets, its links, its deadlines, its commits.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mobility::{Action, Arp as Wanted, Output, Received};
use store::{AnyKey, Batch, CareOfAddress, Class, Counter, Now, Operation, Role, Row as _, Store};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, trace, warn};

use super::Shutdown;
use super::advertising::Advertisers;
use super::commits::{Commits, Finished};
use super::machine::MobilityAgent;
use super::outbox::Outbox;
use super::region;
use crate::clock::Clock;
use crate::configuration::Active;
use crate::datagram::{self, Arrived};
use crate::instance::InstanceKeeper;
use crate::link::Message;
use crate::link::arp::{Arp, Sent};
use crate::settings::Settings;
use crate::socket::{DATAGRAM_MAX, DATAGRAMS_A_TURN, Sockets};

/// How often changed counters are written; they are relaxed, and many at once cost little.
const COUNTERS_EVERY: Duration = Duration::from_millis(200);

/// When so many rows of counters have changed at a time, the next [`RESTS`] times are left out:
/// the rows are those of nodes, which go on changing, and one write a second does for all of it.
const ROWS_MANY: usize = 256;
const RESTS: u32 = 4;

/// How many commits of what is due are under way at a time: a registration waits for those that
/// are before it, and with fewer there would be nothing to write while the disk syncs.
const DUE_AHEAD: usize = 4;

/// How many rows go in one commit: a cluster takes 128 operations in a transaction.
const CHANGES_AT_ONCE: usize = 100;
/// How often it is seen whether operators want something.
const OPERATIONS_EVERY: Duration = Duration::from_millis(50);

/// What an agent has to take.
enum Arrival {
    /// On the socket with this number.
    Datagrams(usize),
    /// On the link with this number.
    Message(usize, Message),
    /// ARP, which is answered already.
    Asked(Sent),
}

/// An agent with what it runs on.
pub(crate) struct AgentDriver<M> {
    machine: M,
    /// The first is where mobile nodes send to.
    sockets: Sockets,
    advertisers: Advertisers,
    /// Of the home link, if the home agent is on one.
    arp: Option<Arp>,
    /// Whether links go before sockets the next time, so that a flood on one starves no other.
    links_first: bool,
    store: Store,
    clock: Clock,
    commits: Commits,
    outbox: Outbox,
    settings: Settings,
    /// Whether the last commit failed, so that trouble is logged once.
    is_troubled: bool,
    /// How many times counters are not written yet.
    rests: u32,
    /// Whether there are operations that have not ended.
    has_operations: bool,
}

impl<M: MobilityAgent> AgentDriver<M> {
    pub(crate) fn new(
        machine: M,
        sockets: Sockets,
        advertisers: Advertisers,
        arp: Option<Arp>,
        store: Store,
        clock: Clock,
    ) -> Self {
        Self {
            machine,
            sockets,
            advertisers,
            arp,
            links_first: false,
            store,
            clock,
            commits: Commits::default(),
            outbox: Outbox::default(),
            settings: Settings::default(),
            is_troubled: false,
            rests: 0,
            has_operations: false,
        }
    }

    /// Serves until it is told to stop; then everything that was begun is finished.
    pub(crate) async fn run(
        mut self,
        mut configuration: watch::Receiver<Active>,
        instance: InstanceKeeper,
        mut shutdown: Shutdown,
    ) {
        if M::WANTS_MORE {
            self.ask_for_more();
        }
        self.take_configuration(&mut configuration, &instance);
        let address = self.sockets.first();
        info!(%address, role = M::ROLE.as_str(), nodes = self.machine.served(), "serves");
        self.show_advertisers(&instance.name());
        if let Some(arp) = &mut self.arp {
            // Their neighbours were told in the last run.
            arp.resume(self.machine.away());
        }
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut errors = self.sockets.errors();
        let mut counters = interval(COUNTERS_EVERY);
        counters.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut operations = interval(OPERATIONS_EVERY);
        operations.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_due = false;
        loop {
            self.send_all().await;
            self.commits.queue(&self.store);
            let may_go_on = self.commits.due() < DUE_AHEAD;
            let deadlines = [
                self.machine.next_deadline().filter(|_| may_go_on),
                self.advertisers.next_deadline(),
                self.arp.as_ref().and_then(Arp::next_deadline),
            ];
            let deadline = deadlines.into_iter().flatten().min();
            self.links_first = !self.links_first;
            let after_others = std::mem::take(&mut was_due);
            tokio::select! {
                biased;
                () = shutdown.requested() => break,
                finished = self.commits.next() => {
                    self.finish(finished);
                    while let Some(finished) = self.commits.try_next() {
                        self.finish(finished);
                    }
                }
                Ok(()) = configuration.changed() => {
                    let before = self.sockets.len();
                    self.take_configuration(&mut configuration, &instance);
                    if self.sockets.len() != before {
                        errors = self.sockets.errors();
                    }
                }
                // A flood of requests must not keep deadlines from their turns, nor these requests.
                () = self.clock.reach_soon(deadline, after_others) => {
                    was_due = true;
                    let now = self.clock.now();
                    if may_go_on {
                        self.end_what_is_due(now);
                    }
                    self.advertisers.on_deadline(self.machine.is_busy(), now);
                    let sent = self.arp.as_mut().map(|arp| arp.repeat(now.uptime));
                    self.count_arp(sent.unwrap_or_default());
                    // More may be due at once, as when 100,000 bindings end: requests go in between.
                    for socket in 0..self.sockets.len() {
                        self.receive(socket, &mut buffer);
                    }
                }
                _ = operations.tick() => self.observe_operations(),
                socket = errors.next(), if M::WANTS_MORE => self.take_errors(socket),
                _ = counters.tick() => {
                    self.write_counters();
                    instance.clock_health(self.machine.clock_health(self.clock.now()));
                    instance.draining(M::ROLE, self.machine.is_draining());
                }
                arrival = arrival(&self.sockets, &mut self.advertisers, self.arp.as_mut(), self.links_first) => match arrival {
                    Arrival::Datagrams(socket) => self.receive(socket, &mut buffer),
                    Arrival::Message(link, message) => {
                        let (busy, now) = (self.machine.is_busy(), self.clock.now());
                        self.advertisers.on_message(link, &message, busy, now);
                    }
                    Arrival::Asked(sent) => self.count_arp(sent),
                },
            }
        }
        self.end().await;
    }

    /// Takes the configuration over from the store, and says so.
    fn take_configuration(
        &mut self,
        configuration: &mut watch::Receiver<Active>,
        instance: &InstanceKeeper,
    ) {
        let active = configuration.borrow_and_update().clone();
        debug!(associations = active.associations.len(), revision = %active.revision, "configuration");
        let mut errors = active.errors;
        let now = self.clock.now();
        self.machine.set_associations(active.associations);
        self.machine.set_volatile_violations(active.settings.volatile_violations.clone());
        let offered = self.offer(&active.care_of_addresses, &mut errors);
        self.advertisers.follow(&active.settings, &offered, now);
        self.machine.set_region(&active.region, now);
        self.advertisers.set_region(region::advertised(&active.region).as_ref());
        // Who waits for the change finds it in what is shown.
        let mut batch = Batch::new(Class::Relaxed);
        self.advertisers.put_rows(&mut batch);
        if !batch.is_empty() {
            self.store.commit_soon(batch);
        }
        if active.settings.enabled != self.settings.enabled {
            let words = if active.settings.enabled { "serves again" } else { "is disabled" };
            info!(role = M::ROLE.as_str(), "{words}");
        }
        self.settings = active.settings;
        instance.applied(M::ROLE, active.revision, errors);
    }

    /// Offers the care-of addresses that are active and can be bound; returns these.
    fn offer<'a>(
        &mut self,
        rows: &'a [Arc<CareOfAddress>],
        errors: &mut BTreeMap<String, String>,
    ) -> Vec<&'a CareOfAddress> {
        if M::ROLE != Role::ForeignAgent {
            return Vec::new();
        }
        let mut offered = Vec::new();
        for row in rows.iter().map(AsRef::as_ref).filter(|row| row.active) {
            // Relayed requests and revocations come from it (RFC 5944 §3.7.2.2).
            match self.sockets.add(row.address) {
                Ok(is_new) => {
                    offered.push(row);
                    if is_new && M::WANTS_MORE {
                        self.ask_for_more();
                    }
                }
                Err(error) => {
                    warn!(care_of_address = %row.address, "not offered: {error:#}");
                    let path = AnyKey::CareOfAddress(row.key()).path();
                    errors.insert(path, format!("{error:#}"));
                }
            }
        }
        self.machine.set_care_of_addresses(offered.iter().map(|row| row.address).collect());
        offered
    }

    /// The rows of what is advertised from here on, in the place of those of an earlier run.
    fn show_advertisers(&mut self, instance: &str) {
        let snapshot = self.store.snapshot();
        let batch = self.advertisers.forget_others(instance, M::ROLE, &snapshot);
        if !batch.is_empty() {
            self.store.commit_soon(batch);
        }
    }

    /// Takes what has arrived, up to a limit, so that commits and deadlines get their turn.
    fn receive(&mut self, socket: usize, buffer: &mut [u8]) {
        let interface = self.sockets.interface(socket);
        for _ in 0..DATAGRAMS_A_TURN {
            let Some((local, _)) = self.sockets.get(socket) else { return };
            let take = if M::WANTS_MORE { datagram::receive } else { plainly };
            let arrived = self.sockets.receive(socket, buffer, take);
            // Nothing is left, or ICMP said something of what was sent.
            let Ok(Arrived { length, source, ttl }) = arrived else { return };
            let octets = buffer.get(..length).unwrap_or_default();
            trace!(%source, length, "datagram");
            if !self.settings.enabled {
                continue; // `mipEnable` is disabled(2): registration processing is to stop.
            }
            let received = Received { interface, ttl, ..Received::new(octets, source, local) };
            let output = self.machine.on_datagram(&received, self.clock.now());
            self.carry_out(output);
        }
    }

    /// Does at once what waits for nothing, and gathers the rest.
    fn carry_out(&mut self, output: Output) {
        if output.batch.is_empty() {
            self.act(output.actions);
        } else {
            self.commits.gather(output);
        }
    }

    fn end_what_is_due(&mut self, now: Now) {
        let output = self.machine.on_deadline(now);
        if !output.batch.is_empty() {
            self.commits.note_due(output.id);
        }
        self.carry_out(output);
    }

    fn finish(&mut self, finished: Vec<Finished>) {
        for one in finished {
            self.finish_one(one);
        }
    }

    fn finish_one(&mut self, finished: Finished) {
        match finished.result {
            Ok(_) => {
                if std::mem::take(&mut self.is_troubled) {
                    info!("the store takes registrations again");
                }
                self.machine.on_committed(finished.id, self.clock.now());
                self.act(finished.actions);
                if self.has_operations {
                    self.observe_operations();
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_troubled, true) {
                    warn!(%error, "registrations are refused: the store does not take them");
                }
                let snapshot = self.store.snapshot();
                let actions =
                    self.machine.on_commit_failed(finished.id, &snapshot, self.clock.now());
                self.act(actions);
            }
        }
    }

    /// Lets the machine see what operators want, as long as something comes of it.
    fn observe_operations(&mut self) {
        let snapshot = self.store.snapshot();
        let operations = snapshot.rows::<Operation>();
        self.has_operations = operations.iter().any(|operation| !operation.state.is_final());
        // A drain that is done is in force until its operation says otherwise.
        if !self.has_operations && !self.machine.is_draining() {
            return;
        }
        let output = self.machine.on_operations(&snapshot, self.clock.now());
        if !output.is_empty() {
            self.carry_out(output);
        }
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { from, to, octets } => self.outbox.put(*from.ip(), to, octets),
                Action::SendOnLink { interface, from, to, octets } => {
                    trace!(%from, %to, interface, length = octets.len(), "send");
                    self.sockets.about_to_send(&octets);
                    if let Err(error) = self.sockets.send_on_link(interface, to, &octets) {
                        self.machine.count(Counter::SendErrors);
                        debug!(%from, %to, interface, %error, "failed to send");
                    }
                }
                Action::StartService(service) => {
                    debug!(home_address = %service.home_address, care_of_address = %service.care_of_address, "service starts");
                }
                Action::StopService(service) => {
                    debug!(home_address = %service.home_address, care_of_address = %service.care_of_address, "service stops");
                }
                Action::Arp(wanted) => self.speak_arp(wanted),
                Action::InformRevoked { to, .. } => {
                    // Whoever was revoked may come back, unless nobody may.
                    let (busy, now) = (self.machine.is_busy(), self.clock.now());
                    self.advertisers.inform(to, busy, now);
                }
                Action::SendIcmp { .. } // Only advertisers send these, and they have their links.
                | Action::Registered { .. }
                | Action::Denied { .. }
                | Action::Deregistered { .. }
                | Action::Expired { .. }
                | Action::Revoked { .. }
                | Action::Message { .. }
                | Action::HomeAgentChanged { .. }
                | Action::RegionallyRegistered { .. }
                | Action::GatewayFailed { .. }
                | Action::NotificationEnded { .. }
                | Action::GaveUp => {} // What a mobile node says.
            }
        }
    }

    /// Sends what the machine said since the last turn.
    async fn send_all(&mut self) {
        let failed = self.outbox.send_all(&self.sockets).await;
        if failed > 0 {
            self.machine.add_counts(vec![(Counter::SendErrors, failed)]);
        }
    }

    /// Tells the home link where a home address is (RFC 5944 §4.6).
    fn speak_arp(&mut self, wanted: Wanted) {
        let now = self.clock.now().uptime;
        let Some(arp) = &mut self.arp else {
            debug!(?wanted, "nothing here speaks ARP");
            return;
        };
        let mut sent = Sent::default();
        match wanted {
            Wanted::Announce { home_address } => sent = arp.gratuitous(home_address, now),
            Wanted::AnnounceNode { home_address } => sent = arp.announce_node(home_address, now),
            Wanted::StartProxy { home_address } => arp.start(home_address),
            Wanted::StopProxy { home_address } => arp.stop(home_address),
            // What a mobile node does.
            Wanted::Mute { .. } | Wanted::Unmute { .. } => {}
        }
        self.count_arp(sent);
    }

    fn count_arp(&mut self, sent: Sent) {
        let gratuitous = (Counter::HaGratuitiousARPsSent, sent.gratuitous);
        let counts = [gratuitous, (Counter::HaProxyARPsSent, sent.proxy)];
        self.machine.add_counts(counts.into_iter().filter(|(_, count)| *count > 0).collect());
    }

    /// What changed since this was asked last, for a relaxed commit.
    fn take_rows(&mut self) -> Batch {
        self.machine.add_counts(self.advertisers.take_counts());
        let dropped = self.sockets.take_dropped();
        if dropped > 0 {
            self.machine.add_counts(vec![(Counter::DatagramsRateLimited, dropped)]);
        }
        let mut batch = self.machine.take_counters(self.clock.now());
        self.advertisers.put_rows(&mut batch);
        batch
    }

    /// Takes what ICMP said of what was sent, up to a limit: what is left wakes us again.
    fn take_errors(&mut self, index: usize) {
        for _ in 0..DATAGRAMS_A_TURN {
            let Some((_, socket)) = self.sockets.get(index) else { return };
            let Some((to, unreachable)) = datagram::next_error(socket) else { return };
            debug!(%to, ?unreachable, "ICMP");
            if let Some(unreachable) = unreachable {
                let now = self.clock.now();
                let output = self.machine.on_unreachable(*to.ip(), unreachable, now);
                self.carry_out(output);
            }
        }
    }

    /// Asks the sockets for what [`MobilityAgent::WANTS_MORE`] says.
    fn ask_for_more(&self) {
        for (local, socket) in (0..self.sockets.len()).filter_map(|index| self.sockets.get(index)) {
            if let Err(error) = datagram::ask_for_more(socket) {
                warn!(%local, %error, "times to live and ICMP errors stay unknown");
            }
        }
    }

    fn write_counters(&mut self) {
        if self.rests > 0 {
            self.rests -= 1;
            return;
        }
        let batch = self.take_rows();
        if batch.changes.len() >= ROWS_MANY {
            self.rests = RESTS;
        }
        if !batch.is_empty() {
            self.store.commit_soon(batch);
        }
    }

    /// Answers what was accepted already, and leaves counters that are right.
    async fn end(mut self) {
        // Operations go on with the next run; what they want from here on would wait for nobody.
        self.has_operations = false;
        while !self.commits.is_empty() {
            self.commits.queue(&self.store);
            let finished = self.commits.next().await;
            self.finish(finished);
        }
        self.send_all().await;
        self.advertisers.shut_down(self.clock.now());
        let batch = self.take_rows();
        let some = batch.changes.chunks(CHANGES_AT_ONCE);
        let commits = some.map(|changes| {
            let changes = changes.to_vec();
            self.store.commit(Batch { class: Class::Durable, compares: Vec::new(), changes })
        });
        for commit in commits.collect::<Vec<_>>() {
            if let Err(error) = commit.await {
                warn!(%error, "the last counts are lost");
                break;
            }
        }
        info!(address = %self.sockets.first(), role = M::ROLE.as_str(), "stopped");
    }
}

/// What arrives next.
async fn arrival(
    sockets: &Sockets,
    links: &mut Advertisers,
    arp: Option<&mut Arp>,
    links_first: bool,
) -> Arrival {
    let mut arp = arp;
    std::future::poll_fn(|context| {
        if !links_first && let Poll::Ready(socket) = sockets.poll_readable(context) {
            return Poll::Ready(Arrival::Datagrams(socket));
        }
        if let Poll::Ready((link, message)) = links.poll_receive(context) {
            return Poll::Ready(Arrival::Message(link, message));
        }
        if let Some(arp) = arp.as_deref_mut()
            && let Poll::Ready(sent) = arp.poll_answer(context)
        {
            return Poll::Ready(Arrival::Asked(sent));
        }
        sockets.poll_readable(context).map(Arrival::Datagrams)
    })
    .await
}

/// The next datagram, for who wants to know no more.
fn plainly(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Arrived> {
    match socket.try_recv_from(buffer)? {
        (length, SocketAddr::V4(source)) => Ok(Arrived { length, source, ttl: None }),
        // The socket is an IPv4 one.
        (_, SocketAddr::V6(_)) => Err(io::ErrorKind::InvalidData.into()),
    }
}
