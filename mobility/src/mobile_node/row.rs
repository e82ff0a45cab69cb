//! The registration of a mobile node as the store shows it.

use std::net::Ipv4Addr;

use store::{Batch, Identity, Now, Time, UtcTime};

use super::MobileNode;
use super::discovery::Attachment;

impl MobileNode {
    /// Shows the registration as it is; deletes the row that says something else.
    pub(super) fn put_registration(&mut self, batch: &mut Batch, now: Now) {
        let row = self.registration_row(now);
        let key = row.as_ref().map(store::Row::key);
        if let Some(old) = self.shown.take()
            && Some(&old) != key.as_ref()
        {
            batch.delete::<store::Registration>(old);
        }
        self.shown = key;
        if let Some(row) = row {
            batch.put(row);
        }
    }

    fn registration_row(&self, now: Now) -> Option<store::Registration> {
        let home_address = self.home_address.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let nai = self.config.nai.clone().map(Identity::Nai);
        let sent_at = self.last_sent_at.map(|at| stamp(at, now))?;
        let pending = self.pending.as_ref().map(|it| &it.request);
        let (care_of_address, lifetime, identification) = match (&self.registration, pending) {
            (Some(it), _) => (it.care_of_address, it.lifetime, it.identification),
            (None, Some(it)) => (it.care_of_address, it.lifetime, it.identification),
            (None, None) => return None,
        };
        let regional = self.visit().map(|visit| Box::new(visit.row(|at| stamp(at, now))));
        Some(store::Registration {
            instance: self.config.instance.clone(),
            identity: nai.unwrap_or(Identity::Address(home_address)),
            // Of what is in effect: a node that asks elsewhere is registered here until it is told.
            agent_address: self
                .registration
                .map_or(*self.destination().ip(), |it| it.agent_address),
            care_of_address,
            home_address,
            home_agent: self.registration.map_or(*self.home_agent.ip(), |it| it.home_agent),
            flags: self.flags(),
            identification,
            co_located: self
                .registration
                .map_or(self.attachment == Attachment::CoLocated, |it| it.co_located),
            lifetime,
            sent_at,
            accepted: self.registration.is_some(),
            expires_at: self.registration.and_then(|it| it.expires_at).map(|at| stamp(at, now)),
            message: self.message.clone(),
            regional,
            unknown: store::Unknown::default(),
        })
    }
}

/// An uptime as the store has it.
fn stamp(at: Time, now: Now) -> UtcTime {
    let ago = i64::try_from(now.uptime.since(at).as_millis()).unwrap_or(i64::MAX);
    let ahead = i64::try_from(at.since(now.uptime).as_millis()).unwrap_or(i64::MAX);
    now.stamp().shifted(ahead.saturating_sub(ago))
}
