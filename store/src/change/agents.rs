//! Whom a setting is for, where who writes it names an interface or an address: managers and
//! operators come to the same agents.

use std::net::Ipv4Addr;

use wire::AdvertisementFlags;

use crate::{
    Advertisement, AdvertisementSchedule, AdvertisementSetting, Instance, InstanceState, Role,
    Snapshot,
};

/// Roles that advertise.
const ADVERTISERS: [Role; 2] = [Role::ForeignAgent, Role::HomeAgent];

/// The agents of one instance that advertise on an interface. They share its settings.
#[derive(Clone, Copy, Debug)]
pub struct Advertising<'a> {
    pub instance: &'a str,
    /// What is shown of them: the foreign agent's, if there is one.
    pub shown: &'a Advertisement,
    pub schedule: AdvertisementSchedule,
    pub has_foreign_agent: bool,
    pub has_home_agent: bool,
}

impl<'a> Advertising<'a> {
    /// Everything that agents send.
    pub fn sent(
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = (&'a Advertisement, AdvertisementSchedule)> {
        let rows = snapshot.rows::<Advertisement>().iter();
        let rows = rows.filter(|row| ADVERTISERS.contains(&row.role));
        rows.filter_map(|row| Some((row.as_ref(), row.schedule?)))
    }

    /// The instances with an agent that advertises on `interface`, of those that `is_shown`; those
    /// with foreign agents first.
    pub fn on(
        interface: u32,
        snapshot: &'a Snapshot,
        is_shown: impl Fn(&str) -> bool,
    ) -> Vec<Self> {
        let rows = Self::sent(snapshot);
        let rows = rows.filter(|(row, _)| row.interface == interface && is_shown(&row.instance));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|(row, _)| row.role != Role::ForeignAgent);
        let mut agents: Vec<Self> = Vec::new();
        for (shown, schedule) in rows {
            let is = |role, mask| shown.role == role || AdvertisementFlags(shown.flags).any(mask);
            let has_foreign_agent = is(Role::ForeignAgent, AdvertisementFlags::FOREIGN_AGENT);
            let has_home_agent = is(Role::HomeAgent, AdvertisementFlags::HOME_AGENT);
            match agents.iter_mut().find(|it| it.instance == shown.instance) {
                Some(other) => {
                    other.has_foreign_agent |= has_foreign_agent;
                    other.has_home_agent |= has_home_agent;
                }
                None => {
                    let instance = shown.instance.as_str();
                    let new = Self { instance, shown, schedule, has_foreign_agent, has_home_agent };
                    agents.push(new);
                }
            }
        }
        agents
    }

    /// What they send as the values of a setting, to be changed.
    pub fn values(&self) -> AdvertisementSetting {
        AdvertisementSetting {
            // The agents share the setting, and what is shown is of one of them.
            home_agent: self.has_home_agent,
            foreign_agent: self.has_foreign_agent,
            ..self.shown.as_setting(self.schedule)
        }
    }
}

impl Advertisement {
    /// What is sent, in the words of a setting.
    pub fn as_setting(&self, schedule: AdvertisementSchedule) -> AdvertisementSetting {
        let flags = AdvertisementFlags(self.flags);
        AdvertisementSetting {
            registration_lifetime: self.registration_lifetime.0,
            prefix_lengths: !self.prefix_lengths.is_empty(),
            destination: self.destination,
            interval_max: schedule.interval_max,
            interval_min: schedule.interval_min,
            lifetime: self.lifetime,
            solicited_only: schedule.solicited_only,
            home_agent: flags.any(AdvertisementFlags::HOME_AGENT),
            foreign_agent: flags.any(AdvertisementFlags::FOREIGN_AGENT),
            network_nai: self.network_nai.clone(),
        }
    }
}

/// Which of `instances` a new care-of address is of: the foreign agent with an address that shares
/// the longest prefix with it; of several, the first.
pub fn nearest_foreign_agent<'a>(
    instances: impl Iterator<Item = &'a Instance>,
    address: Ipv4Addr,
) -> Option<&'a Instance> {
    let shared = |instance: &Instance| {
        let own = instance.addresses.iter();
        own.map(|own| (own.to_bits() ^ address.to_bits()).leading_zeros()).max()
    };
    let is_there =
        |it: &&Instance| it.roles.contains(&Role::ForeignAgent) && it.state != InstanceState::Gone;
    let mut agents: Vec<_> = instances.filter(is_there).collect();
    agents.sort_by_key(|instance| std::cmp::Reverse(shared(instance)));
    agents.into_iter().next()
}
