//! The links that one agent advertises on.

use std::net::Ipv4Addr;
use std::task::{Context, Poll};
use std::time::Duration;

use mobility::{Action, AdvertisedRegion, Advertiser, AdvertiserConfig, Output};
use store::wire::{AdvertisementFlags, Lifetime};
use store::{
    Advertisement, AdvertisementSetting, Batch, CareOfAddress, Class, Counter, Now, Origin, Role,
    Row as _, Snapshot, Time,
};
use tracing::{debug, warn};

use crate::link::{Link, Message};
use crate::settings::Settings;

/// Advertises on one link.
pub(crate) struct Advertising {
    advertiser: Advertiser,
    link: Link,
    /// What is advertised where no setting says otherwise.
    own: AdvertiserConfig,
    /// The prefix lengths of its routers, whether they are advertised or not.
    prefix_lengths: Vec<u8>,
    /// What was asked for last; `None` is nothing at all.
    wanted: Option<Wanted>,
}

/// The part of an [`AdvertiserConfig`] that can change.
type Wanted = (AdvertisementSetting, u16, Vec<Ipv4Addr>);

impl Advertising {
    /// `prefix_lengths` is one for each router of the advertiser.
    pub(crate) fn new(advertiser: Advertiser, link: Link, prefix_lengths: Vec<u8>) -> Self {
        let own = advertiser.config().clone();
        let wanted = Some(wanted(&own, &Settings::default(), own.care_of_addresses.clone()));
        let wanted = wanted.flatten();
        Self { advertiser, link, own, prefix_lengths, wanted }
    }

    /// Advertises as `settings` say, with the care-of addresses that are offered.
    fn follow(&mut self, settings: &Settings, offered: &[&CareOfAddress], now: Now) {
        let care_of_addresses = self.care_of_addresses(offered);
        let wanted = wanted(&self.own, settings, care_of_addresses);
        if wanted == self.wanted {
            return;
        }
        let config = wanted.as_ref().map(|wanted| self.config(wanted));
        self.wanted = wanted;
        let Some(config) = config else {
            self.advertiser.suspend(now);
            return;
        };
        if let Err(error) = self.advertiser.reconfigure(config, now) {
            let interface = self.own.interface;
            warn!(interface, %error, "nothing is advertised");
            self.advertiser.suspend(now);
        }
    }

    /// Those of the file that are still offered, in its order, then others.
    fn care_of_addresses(&self, offered: &[&CareOfAddress]) -> Vec<Ipv4Addr> {
        if self.own.role != Role::ForeignAgent {
            return self.own.care_of_addresses.clone();
        }
        let is_offered = |address: &&Ipv4Addr| offered.iter().any(|row| row.address == **address);
        let own = self.own.care_of_addresses.iter().filter(is_offered).copied();
        let others = offered.iter().filter(|row| row.origin != Origin::File);
        let others = others.map(|row| row.address);
        let mut all: Vec<Ipv4Addr> = own.collect();
        for address in others {
            if !all.contains(&address) {
                all.push(address);
            }
        }
        all
    }

    fn config(&self, (values, flags, care_of_addresses): &Wanted) -> AdvertiserConfig {
        AdvertiserConfig {
            destination: values.destination,
            interval_max: Duration::from_secs(values.interval_max.into()),
            interval_min: Duration::from_secs(values.interval_min.into()),
            lifetime: values.lifetime,
            registration_lifetime: Lifetime(values.registration_lifetime),
            flags: AdvertisementFlags(*flags),
            care_of_addresses: care_of_addresses.clone(),
            prefix_lengths: values.prefix_lengths.then(|| self.prefix_lengths.clone()),
            solicited_only: values.solicited_only,
            foreign_agent_nai: values.network_nai.clone(),
            ..self.own.clone()
        }
    }
}

/// What `settings` make of `own`; `None` if nothing is to be advertised.
///
/// A setting takes agents off an interface, and back to what the file has there: `F` and `H` are
/// never more than in `own` or its role.
fn wanted(
    own: &AdvertiserConfig,
    settings: &Settings,
    mut care_of_addresses: Vec<Ipv4Addr>,
) -> Option<Wanted> {
    const ONLY_FOREIGN: u16 = AdvertisementFlags::FOREIGN_AGENT
        | AdvertisementFlags::REGISTRATION_REQUIRED
        | AdvertisementFlags::BUSY;
    let setting = settings.advertisements.get(&own.interface);
    let values = match setting {
        Some(None) => return None,
        Some(Some(values)) => values.clone(),
        None => of_file(own),
    };
    let mut flags = own.flags.0;
    if own.role == Role::ForeignAgent
        && let Some(required) = settings.registration_required.get(&own.interface)
    {
        flags &= !AdvertisementFlags::REGISTRATION_REQUIRED;
        flags |= if *required { AdvertisementFlags::REGISTRATION_REQUIRED } else { 0 };
    }
    if !values.foreign_agent {
        flags &= !ONLY_FOREIGN;
        care_of_addresses.clear();
    }
    if !values.home_agent {
        flags &= !AdvertisementFlags::HOME_AGENT;
    }
    let is_any = AdvertisementFlags(flags)
        .any(AdvertisementFlags::FOREIGN_AGENT | AdvertisementFlags::HOME_AGENT);
    (settings.enabled && is_any).then_some((values, flags, care_of_addresses))
}

/// The values of the file in the words of a setting.
fn of_file(own: &AdvertiserConfig) -> AdvertisementSetting {
    let seconds = |duration: Duration| u16::try_from(duration.as_secs()).unwrap_or(u16::MAX);
    AdvertisementSetting {
        registration_lifetime: own.registration_lifetime.0,
        prefix_lengths: own.prefix_lengths.is_some(),
        destination: own.destination,
        interval_max: seconds(own.interval_max),
        interval_min: seconds(own.interval_min),
        lifetime: own.lifetime,
        solicited_only: own.solicited_only,
        home_agent: own.flags.any(AdvertisementFlags::HOME_AGENT),
        foreign_agent: own.flags.any(AdvertisementFlags::FOREIGN_AGENT),
        network_nai: own.foreign_agent_nai.clone(),
    }
}

/// Everything that an agent advertises.
#[derive(Default)]
pub(crate) struct Advertisers(Vec<Advertising>);

impl Advertisers {
    pub(crate) fn new(all: Vec<Advertising>) -> Self {
        Self(all)
    }

    /// Advertises from here on as `settings` say, with the care-of addresses that are offered.
    pub(crate) fn follow(&mut self, settings: &Settings, offered: &[&CareOfAddress], now: Now) {
        for it in &mut self.0 {
            it.follow(settings, offered, now);
        }
    }

    /// Says from the next advertisement on of which region the agent is part.
    pub(crate) fn set_region(&mut self, region: Option<&AdvertisedRegion>) {
        for it in &mut self.0 {
            it.advertiser.set_region(region.cloned());
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.0.iter().filter_map(|it| it.advertiser.next_deadline()).min()
    }

    /// The next message from any of the links, with the number of the link.
    pub(crate) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<(usize, Message)> {
        for (number, it) in self.0.iter_mut().enumerate() {
            if let Poll::Ready(message) = it.link.poll_receive(context) {
                return Poll::Ready((number, message));
            }
        }
        Poll::Pending
    }

    /// Takes a message of a link.
    pub(crate) fn on_message(&mut self, number: usize, message: &Message, busy: bool, now: Now) {
        if let Some(Advertising { advertiser, link, .. }) = self.0.get_mut(number) {
            advertiser.set_busy(busy);
            send(link, advertiser.on_icmp(&message.octets, message.source, now));
        }
    }

    /// Sends what is due.
    pub(crate) fn on_deadline(&mut self, busy: bool, now: Now) {
        for Advertising { advertiser, link, .. } in &mut self.0 {
            advertiser.set_busy(busy);
            send(link, advertiser.on_deadline(now));
        }
    }

    /// Tells a mobile node by unicast that its binding is gone (RFC 3543 §4.1), on every link that it
    /// may be on.
    pub(crate) fn inform(&mut self, to: Ipv4Addr, busy: bool, now: Now) {
        for Advertising { advertiser, link, .. } in &mut self.0 {
            send(link, advertiser.inform(to, busy, now));
        }
    }

    /// Says on all links that the agent goes (RFC 1256 §6.2.2).
    pub(crate) fn shut_down(&mut self, now: Now) {
        for Advertising { advertiser, link, .. } in &mut self.0 {
            send(link, advertiser.shut_down(now));
        }
    }

    /// What was counted since this was asked last.
    pub(crate) fn take_counts(&mut self) -> Vec<(Counter, u64)> {
        self.0.iter_mut().flat_map(|it| it.advertiser.take_counts()).collect()
    }

    /// Puts the rows that have changed into `batch`.
    pub(crate) fn put_rows(&mut self, batch: &mut Batch) {
        for it in &mut self.0 {
            batch.changes.append(&mut it.advertiser.take_row().changes);
        }
    }

    /// What an earlier run of the agent advertised where this one does not.
    pub(crate) fn forget_others(
        &mut self,
        instance: &str,
        role: Role,
        snapshot: &Snapshot,
    ) -> Batch {
        let mut batch = Batch::new(Class::Relaxed);
        self.put_rows(&mut batch);
        let is_ours = |row: &Advertisement| {
            let mut own = self.0.iter().map(|it| (it.own.interface, it.own.source));
            own.any(|own| own == (row.interface, row.source))
        };
        for row in snapshot.rows::<Advertisement>().iter() {
            let is_of_agent = row.instance == instance && row.role == role;
            if is_of_agent && !is_ours(row) {
                batch.delete::<Advertisement>(row.key());
            }
        }
        batch
    }
}

fn send(link: &Link, output: Output) {
    for action in output.actions {
        if let Action::SendIcmp { from, to, octets, .. } = action {
            let message = Message { source: from, destination: to, octets };
            if !link.send(message) {
                debug!(interface = link.interface(), %to, "failed to send an advertisement");
            }
        }
    }
}
