//! The rows of configuration that an agent of this process acts on, as they are in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use mobility::SecurityAssociation;
use store::{
    AnyKey, AnyRow, Association, AssociationKey, CareOfAddress, CareOfAddressKey, Change,
    GatewaySetting, Regional, RegionalForeignAgent, RegionalSubject, RegionalValue, Revision, Role,
    Row as _, Setting, SettingKey, Store, WatchEvent, WatchStream,
};
use tokio::sync::watch;
use tracing::warn;

use crate::associations;
use crate::settings::{self, Settings};

/// Which agent follows the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What the instance is called.
    pub(crate) instance: String,
    pub(crate) role: Role,
    /// All roles of the instance.
    pub(crate) roles: Vec<Role>,
    /// The addresses that its agents serve at.
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// The interfaces that agents of the instance advertise on.
    pub(crate) interfaces: Vec<u32>,
}

impl Part {
    /// Whether an agent of the instance advertises on an interface; the error says what to do.
    pub(crate) fn advertises_on(&self, interface: u32) -> Result<(), String> {
        if self.interfaces.contains(&interface) {
            return Ok(());
        }
        Err(format!("nothing is advertised on interface {interface}: it takes an `[[advertise]]`"))
    }

    /// The other parts of the instance.
    pub(crate) fn others(&self) -> impl Iterator<Item = Self> {
        let others = self.roles.iter().filter(|role| **role != self.role);
        others.map(|role| Self { role: *role, ..self.clone() })
    }
}

/// What an agent has to act on, at a revision of the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Active {
    pub(crate) revision: Revision,
    pub(crate) associations: Vec<SecurityAssociation>,
    pub(crate) settings: Settings,
    /// The care-of addresses of the instance, whether active or not.
    pub(crate) care_of_addresses: Vec<Arc<CareOfAddress>>,
    pub(crate) region: Region,
    /// Rows that it does not act on, by their paths, and why.
    pub(crate) errors: BTreeMap<String, String>,
}

/// What an agent has to do with regions (RFC 4857).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Region {
    /// How the foreign agent at our address belongs to one.
    pub(crate) foreign_agent: Option<RegionalForeignAgent>,
    /// How the gateway at our address serves one.
    pub(crate) gateway: Option<GatewaySetting>,
    /// The foreign agents beneath that gateway.
    pub(crate) beneath: BTreeSet<Ipv4Addr>,
    /// Those beneath other gateways.
    pub(crate) elsewhere: BTreeSet<Ipv4Addr>,
}

/// Follows the configuration of the store; ends when nobody listens any more.
pub(crate) async fn follow(store: &Store, part: Part) -> watch::Receiver<Active> {
    let mut follower = Follower::load(store, part).await;
    let (sender, receiver) = watch::channel(follower.active());
    // A task of its own: a change that was taken from the stream must not be lost halfway.
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = sender.closed() => return,
                () = follower.changed() => drop(sender.send_replace(follower.active())),
            }
        }
    });
    receiver
}

/// The rows of the store that matter, kept up to date.
struct Follower {
    store: Store,
    part: Part,
    watch: WatchStream,
    revision: Revision,
    associations: BTreeMap<AssociationKey, SecurityAssociation>,
    /// Associations that cannot be used, and why.
    unusable: BTreeMap<AssociationKey, String>,
    settings: BTreeMap<SettingKey, Arc<Setting>>,
    care_of_addresses: BTreeMap<CareOfAddressKey, Arc<CareOfAddress>>,
    regional: BTreeMap<RegionalSubject, Arc<Regional>>,
}

impl Follower {
    async fn load(store: &Store, part: Part) -> Self {
        let snapshot = store.snapshot();
        let settings = snapshot.rows::<Setting>().iter();
        let offered = snapshot.rows::<CareOfAddress>().iter();
        let offered = offered.filter(|row| row.instance == part.instance);
        let care_of_addresses = offered.map(|row| (row.key(), Arc::clone(row))).collect();
        let regional = snapshot.rows::<Regional>().iter();
        let mut follower = Self {
            store: store.clone(),
            part,
            watch: store.watch_configuration(Some(snapshot.revision.next())),
            revision: snapshot.revision,
            associations: BTreeMap::new(),
            unusable: BTreeMap::new(),
            settings: settings.map(|row| (row.key(), Arc::clone(row))).collect(),
            care_of_addresses,
            regional: regional.map(|row| (row.key(), Arc::clone(row))).collect(),
        };
        for row in snapshot.rows::<Association>().iter() {
            follower.put_association(row).await;
        }
        follower
    }

    fn active(&self) -> Active {
        let rows = self.settings.values().map(AsRef::as_ref);
        let (settings, mut errors) = settings::effective(rows, &self.part);
        let unusable = self.unusable.iter();
        errors.extend(
            unusable.map(|(key, why)| (AnyKey::Association(key.clone()).path(), why.clone())),
        );
        let associations = self.associations.values().cloned().collect();
        let care_of_addresses = self.care_of_addresses.values().cloned().collect();
        let region = self.region();
        let revision = self.revision;
        Active { revision, associations, settings, care_of_addresses, region, errors }
    }

    /// Returns once some row of configuration has changed; never, if the store is gone.
    async fn changed(&mut self) {
        loop {
            match self.watch.next().await {
                Some(WatchEvent::Changed(event)) => {
                    let mut changed = false;
                    for change in event.changes.iter() {
                        changed |= self.apply(change).await;
                    }
                    self.revision = event.revision;
                    if changed {
                        return;
                    }
                }
                Some(WatchEvent::Compacted(_)) => {
                    *self = Self::load(&self.store, self.part.clone()).await;
                    return;
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Takes one change of the store; says whether it was about configuration.
    async fn apply(&mut self, change: &Change) -> bool {
        let key = match change {
            Change::Put(row) => row.key(),
            Change::Delete(key) => key.clone(),
        };
        match change {
            Change::Put(AnyRow::Association(row)) => self.put_association(row).await,
            Change::Delete(AnyKey::Association(key)) => self.forget_association(key),
            Change::Put(AnyRow::Setting(row)) => {
                self.settings.insert(row.key(), Arc::clone(row));
            }
            Change::Delete(AnyKey::Setting(key)) => {
                self.settings.remove(key);
            }
            Change::Put(AnyRow::CareOfAddress(row)) if row.instance == self.part.instance => {
                self.care_of_addresses.insert(row.key(), Arc::clone(row));
            }
            Change::Delete(AnyKey::CareOfAddress(key)) => {
                self.care_of_addresses.remove(key);
            }
            Change::Put(AnyRow::Regional(row)) => {
                self.regional.insert(row.key(), Arc::clone(row));
            }
            Change::Delete(AnyKey::Regional(key)) => {
                self.regional.remove(key);
            }
            Change::Put(_) | Change::Delete(_) => {}
        }
        key.is_configuration()
    }

    /// What the rows of regions say of the agent of this part.
    fn region(&self) -> Region {
        let Part { role, addresses, .. } = &self.part;
        let mut region = Region::default();
        for row in self.regional.values() {
            let is_ours = row.key().role() == *role && addresses.contains(&row.address);
            match &row.value {
                RegionalValue::Gateway(gateway) if is_ours => {
                    region.gateway = Some(gateway.clone());
                }
                RegionalValue::ForeignAgent(foreign_agent) if is_ours => {
                    region.foreign_agent = Some(foreign_agent.clone());
                }
                RegionalValue::ForeignAgent(foreign_agent) if *role == Role::Gateway => {
                    let is_ours =
                        foreign_agent.gateways().any(|gateway| addresses.contains(&gateway));
                    let known = if is_ours { &mut region.beneath } else { &mut region.elsewhere };
                    known.insert(row.address);
                }
                RegionalValue::Gateway(_) | RegionalValue::ForeignAgent(_) => {}
            }
        }
        region
    }

    fn forget_association(&mut self, key: &AssociationKey) {
        self.associations.remove(key);
        self.unusable.remove(key);
    }

    async fn put_association(&mut self, row: &Association) {
        let key = row.key();
        self.forget_association(&key);
        if !row.active || row.role != self.part.role {
            return;
        }
        match associations::with_key(&self.store, row).await {
            Ok(association) => drop(self.associations.insert(key, association)),
            Err(error) => {
                warn!(peer = %key.peer, spi = %key.spi, "association not in use: {error:#}");
                self.unusable.insert(key, format!("{error:#}"));
            }
        }
    }
}
