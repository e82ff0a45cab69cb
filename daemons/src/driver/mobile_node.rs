//! Drives the mobile node of `[mobile-node]`: one node, its interface, its socket.

use std::net::{SocketAddr, SocketAddrV4};
use std::task::Poll;
use std::time::Duration;

use mobility::{Action, Arp as Wanted, MobileNode, MobileNodeState, Output, Received};
use store::{
    Advertisement, Batch, Class, Counter, Registration, Role, Row as _, Snapshot, Store, Time,
};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{debug, info, trace, warn};

use super::Shutdown;
use super::commits::{Commits, Finished};
use crate::clock::Clock;
use crate::configuration::Active;
use crate::instance::InstanceKeeper;
use crate::link::arp::{Arp, Sent};
use crate::link::carrier::{Carrier, LinkChange};
use crate::link::mute::KernelArp;
use crate::link::{Link, Message};
use crate::operations;
use crate::socket::{DATAGRAM_MAX, DATAGRAMS_A_TURN, Sockets};

/// How often changed counters and registrations are written.
const COUNTERS_EVERY: Duration = Duration::from_millis(200);

/// How often it is seen whether the interface has a link.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How often it is seen whether operators want something.
const OPERATIONS_EVERY: Duration = Duration::from_millis(200);

/// How long a node that is stopped waits for the reply to its deregistration.
const FAREWELL: Duration = Duration::from_secs(5);

/// A mobile node with what it runs on.
pub(crate) struct MobileNodeDriver {
    pub(crate) machine: MobileNode,
    pub(crate) sockets: Sockets,
    /// Where it hears agents; a node with a care-of address of its own needs none.
    pub(crate) link: Option<Link>,
    /// Whether the interface has a link, and whether the kernel answers ARP on it.
    pub(crate) carrier: Option<Carrier>,
    pub(crate) kernel_arp: Option<KernelArp>,
    pub(crate) arp: Option<Arp>,
    pub(crate) deregister_at_stop: bool,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// What it has to write about operations.
    pub(crate) commits: Commits,
}

/// What a node has to take.
enum Arrival {
    Datagrams(usize),
    Message(Message),
    /// ARP, which is answered already.
    Asked,
}

impl MobileNodeDriver {
    /// Deletes what the last run of this instance left: this one has heard nobody yet, and has
    /// registered nothing.
    pub(crate) fn forget_last_run(&self, instance: &str, snapshot: &Snapshot) {
        let mut batch = Batch::new(Class::Relaxed);
        for row in snapshot.rows::<Registration>().iter() {
            if row.instance == instance {
                batch.delete::<Registration>(row.key());
            }
        }
        for row in snapshot.rows::<Advertisement>().iter() {
            if row.instance == instance && row.role == Role::MobileNode {
                batch.delete::<Advertisement>(row.key());
            }
        }
        if !batch.is_empty() {
            self.store.commit_soon(batch);
        }
    }

    /// Stays registered until it is told to stop.
    pub(crate) async fn run(
        mut self,
        mut configuration: watch::Receiver<Active>,
        instance: InstanceKeeper,
        mut shutdown: Shutdown,
    ) {
        info!(address = %self.sockets.first(), role = "mobile-node", "serves");
        let mut can_sign = false;
        self.take_configuration(&mut configuration, &instance, &mut can_sign).await;
        let mut buffer = vec![0; DATAGRAM_MAX];
        let mut counters = interval(COUNTERS_EVERY);
        counters.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut operations = interval(OPERATIONS_EVERY);
        operations.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A run that was killed away from home left the kernel mute.
        self.unmute();
        loop {
            self.commits.queue(&self.store);
            let deadline = self.next_deadline();
            let Self { clock, sockets, link, arp, commits, .. } = &mut self;
            tokio::select! {
                biased;
                () = shutdown.requested() => break,
                finished = commits.next() => self.finish(finished).await,
                Ok(()) = configuration.changed() => {
                    self.take_configuration(&mut configuration, &instance, &mut can_sign).await;
                }
                () = clock.reach(deadline) => self.on_deadline().await,
                _ = counters.tick() => self.write_rows(),
                _ = looks.tick() => self.look_at_link().await,
                _ = operations.tick() => self.observe_operations().await,
                arrival = arrival(sockets, link, arp) => self.take(arrival, &mut buffer).await,
            }
        }
        self.end(&mut buffer).await;
    }

    /// Takes the configuration over; a node that had none before begins to register.
    async fn take_configuration(
        &mut self,
        configuration: &mut watch::Receiver<Active>,
        instance: &InstanceKeeper,
        can_sign: &mut bool,
    ) {
        let active = configuration.borrow_and_update().clone();
        let is_any = !active.associations.is_empty();
        self.machine.set_associations(active.associations);
        self.machine.set_volatile_violations(active.settings.volatile_violations);
        let now = self.clock.now();
        let output = self.machine.set_home_agents(active.settings.home_agents, now);
        self.carry_out(output).await;
        instance.applied(Role::MobileNode, active.revision, active.errors);
        if is_any && !std::mem::replace(can_sign, is_any) {
            let now = self.clock.now();
            let output = match &self.link {
                Some(link) => self.machine.discover(link.interface(), now),
                None => self.machine.register(now),
            };
            self.carry_out(output).await;
        } else if !is_any {
            *can_sign = false;
            warn!("there is no association with a home agent: nothing can be registered");
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let arp = self.arp.as_ref().and_then(Arp::next_deadline);
        self.machine.next_deadline().into_iter().chain(arp).min()
    }

    async fn on_deadline(&mut self) {
        let now = self.clock.now();
        if let Some(arp) = &mut self.arp {
            let sent = arp.repeat(now.uptime);
            self.count_arp(sent);
        }
        let output = self.machine.on_deadline(now);
        self.carry_out(output).await;
    }

    async fn take(&mut self, arrival: Arrival, buffer: &mut [u8]) {
        match arrival {
            Arrival::Datagrams(socket) => self.receive(socket, buffer).await,
            Arrival::Asked => trace!("answered ARP of the foreign agent"),
            Arrival::Message(message) => {
                let interface = self.link.as_ref().map_or(0, Link::interface);
                let now = self.clock.now();
                let output = self.machine.on_icmp(&message.octets, message.source, interface, now);
                self.carry_out(output).await;
            }
        }
    }

    async fn receive(&mut self, socket: usize, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_A_TURN {
            let Some((local, socket)) = self.sockets.get(socket) else { return };
            let (length, source) = match socket.try_recv_from(buffer) {
                Ok((length, SocketAddr::V4(source))) => (length, source),
                Ok((_, SocketAddr::V6(_))) => continue,
                Err(_) => return,
            };
            let octets = buffer.get(..length).unwrap_or_default();
            trace!(%source, length, "datagram");
            let received = Received::new(octets, source, local);
            let output = self.machine.on_datagram(&received, self.clock.now());
            self.carry_out(output).await;
        }
    }

    async fn carry_out(&mut self, output: Output) {
        if output.batch.is_empty() {
            self.act_all(output.actions).await;
        } else {
            self.commits.gather(output);
        }
    }

    /// Lets the node see what operators want of it.
    async fn observe_operations(&mut self) {
        let snapshot = self.store.snapshot();
        if operations::concern_mobile_nodes(&snapshot) {
            let output = self.machine.on_operations(&snapshot, self.clock.now());
            self.carry_out(output).await;
        }
    }

    async fn finish(&mut self, finished: Vec<Finished>) {
        for Finished { id, actions, result } in finished {
            let now = self.clock.now();
            match result {
                Ok(_) => {
                    self.machine.on_committed(id, now);
                    self.act_all(actions).await;
                }
                Err(error) => {
                    debug!(%error, "the store does not take what is to be said of an operation");
                    self.machine.on_commit_failed(id, now);
                }
            }
        }
    }

    async fn act_all(&mut self, actions: Vec<Action>) {
        for action in actions {
            self.act(action).await;
        }
        let is_mute = self.kernel_arp.as_ref().is_some_and(KernelArp::is_mute);
        if let Some(arp) = self.arp.as_mut().filter(|_| is_mute) {
            let agent = self.machine.foreign_agent();
            arp.answer_only(self.machine.home_address().map(|own| (own, agent)));
        }
    }

    /// A link that comes, or comes back, may be another one.
    async fn look_at_link(&mut self) {
        match self.carrier.as_mut().and_then(Carrier::look) {
            Some(LinkChange::Up) => {
                info!("the interface has a link: looking for agents");
                let output = self.machine.on_link_change(self.clock.now());
                self.carry_out(output).await;
            }
            Some(LinkChange::Down) => warn!("the interface has no link"),
            None => {}
        }
    }

    /// RFC 5944 §4.6: a node that is away answers no ARP request but a foreign agent's.
    fn mute(&mut self) {
        let Some(kernel) = &mut self.kernel_arp else { return };
        // Who could not answer the foreign agent either must not be mute.
        if self.arp.is_none() {
            return;
        }
        if let Err(error) = kernel.mute() {
            warn!(%error, "the kernel goes on answering ARP for the home address while the node is away");
        }
    }

    fn unmute(&mut self) {
        if let Some(arp) = &mut self.arp {
            arp.answer_only(None);
        }
        if let Some(kernel) = &mut self.kernel_arp
            && let Err(error) = kernel.unmute()
        {
            warn!(%error, "the kernel may not answer ARP for the home address");
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Send { to, octets, .. } => self.send(None, to, &octets).await,
            Action::SendOnLink { interface, to, octets, .. } => {
                self.send(Some(interface), to, &octets).await;
            }
            Action::SendIcmp { from, to, octets, .. } => {
                if let Some(link) = &self.link
                    && !link.send(Message { source: from, destination: to, octets })
                {
                    self.machine.count(Counter::SendErrors);
                }
            }
            Action::Arp(Wanted::Announce { home_address }) => {
                let now = self.clock.now().uptime;
                let sent = self.arp.as_mut().map(|arp| arp.gratuitous(home_address, now));
                self.count_arp(sent.unwrap_or_default());
            }
            Action::Arp(Wanted::Mute { .. }) => self.mute(),
            Action::Arp(Wanted::Unmute { .. }) => self.unmute(),
            // What a home agent does.
            Action::Arp(arp) => debug!(?arp, "not a mobile node's"),
            Action::Registered { home_address, home_agent, care_of_address, lifetime, code } => {
                info!(%home_address, %home_agent, %care_of_address, lifetime = lifetime.0, %code, "registered");
            }
            Action::RegionallyRegistered { gateway, care_of_address, lifetime, .. } => {
                info!(%gateway, %care_of_address, lifetime = lifetime.0, "registered regionally");
            }
            Action::GatewayFailed { gateway } => warn!(%gateway, "does without this gateway"),
            Action::Denied { code } => warn!(%code, "denied"),
            Action::Deregistered { home_address } => info!(%home_address, "deregistered"),
            Action::Expired { home_address } => warn!(%home_address, "the registration expired"),
            Action::Revoked { home_address } => {
                warn!(%home_address, "the registration was revoked");
            }
            // The text is anybody's who has the key: logged as a field, which is escaped.
            Action::Message { from, text } => info!(%from, text, "an agent says"),
            Action::HomeAgentChanged { home_agent } => info!(%home_agent, "asks this home agent"),
            Action::NotificationEnded { code } => {
                info!(code = code.map(|code| code.0), "a notification has ended");
            }
            Action::GaveUp => warn!("nobody answers: gave up registering"),
            // The forwarding seam of a node, and what agents do.
            Action::StartService(_) | Action::StopService(_) | Action::InformRevoked { .. } => {}
        }
    }

    async fn send(&mut self, interface: Option<u32>, to: SocketAddrV4, octets: &[u8]) {
        trace!(%to, length = octets.len(), "send");
        let sent = match (interface, self.sockets.get(0)) {
            (Some(interface), _) => self.sockets.send_on_link(interface, to, octets),
            (None, Some((_, socket))) => socket.send_to(octets, to).await.map(drop),
            (None, None) => Ok(()),
        };
        if let Err(error) = sent {
            self.machine.count(Counter::SendErrors);
            debug!(%to, %error, "failed to send");
        }
    }

    fn count_arp(&mut self, sent: Sent) {
        (0..sent.gratuitous).for_each(|_| self.machine.count(Counter::MnGratuitousARPsSend));
    }

    fn write_rows(&mut self) {
        let batch = self.machine.take_counters(self.clock.now());
        if !batch.is_empty() {
            self.store.commit_soon(batch);
        }
    }

    /// Deregisters if it is to, for as long as that may reasonably take, and leaves rows that are right.
    async fn end(mut self, buffer: &mut [u8]) {
        if self.deregister_at_stop && self.machine.state() == MobileNodeState::Registered {
            let output = self.machine.deregister(self.clock.now());
            self.carry_out(output).await;
            let end = Instant::now() + FAREWELL;
            while self.machine.state() != MobileNodeState::Idle {
                self.commits.queue(&self.store);
                let deadline = self.next_deadline();
                let Self { clock, sockets, link, arp, commits, .. } = &mut self;
                tokio::select! {
                    () = sleep_until(end) => break,
                    finished = commits.next() => self.finish(finished).await,
                    () = clock.reach(deadline) => self.on_deadline().await,
                    arrival = arrival(sockets, link, arp) => self.take(arrival, buffer).await,
                }
            }
        }
        self.unmute();
        // What is known of operations is kept; the counts come after it.
        self.commits.queue(&self.store);
        let mut batch = self.machine.take_counters(self.clock.now());
        batch.class = Class::Durable;
        if !batch.is_empty()
            && let Err(error) = self.store.commit(batch).await
        {
            warn!(%error, "the last counts are lost");
        }
        info!(role = "mobile-node", "stopped");
    }
}

/// What arrives next.
async fn arrival(sockets: &Sockets, link: &mut Option<Link>, arp: &mut Option<Arp>) -> Arrival {
    std::future::poll_fn(|context| {
        if let Some(link) = link
            && let Poll::Ready(message) = link.poll_receive(context)
        {
            return Poll::Ready(Arrival::Message(message));
        }
        if let Some(arp) = arp
            && arp.poll_answer(context).is_ready()
        {
            return Poll::Ready(Arrival::Asked);
        }
        sockets.poll_readable(context).map(Arrival::Datagrams)
    })
    .await
}
