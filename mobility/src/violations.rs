//! Who failed the security checks of one role: a bounded list (`mipSecurityViolationTable`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use store::{
    Batch, Identity, Now, Role, Snapshot, StorageType, Unknown, UtcTime, Violation, ViolationKey,
    ViolationReason,
};
use wire::{Code, Identification, Spi};

/// How many offenders are kept. Anybody can make up identities, so the list must have an end; the
/// one that was quiet longest makes room.
const OFFENDERS_MAX: usize = 1024;

/// How long an offender is remembered after its last violation.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// How many rows go to the store at a time.
const ROWS_AT_ONCE: usize = 256;

/// One violation.
#[derive(Clone, Debug)]
pub(crate) struct Offence {
    pub(crate) violator: Identity,
    pub(crate) address: Ipv4Addr,
    pub(crate) spi: Spi,
    pub(crate) identification: Identification,
    pub(crate) reason: ViolationReason,
    pub(crate) code: Option<Code>,
}

/// The offenders of one role of an instance.
#[derive(Debug)]
pub(crate) struct Violations {
    instance: String,
    role: Role,
    rows: BTreeMap<Identity, Violation>,
    /// Invariant: one entry for each row, by when its last violation was.
    by_age: BTreeSet<(UtcTime, Identity)>,
    changed: BTreeSet<Identity>,
    /// Rows that the store has and memory has not.
    gone: BTreeSet<Identity>,
    /// Whose rows are not to outlive this run.
    volatile: BTreeSet<Identity>,
}

impl Violations {
    /// Takes over the rows that this role left in the store, but for volatile ones.
    pub(crate) fn load(instance: &str, role: Role, snapshot: &Snapshot) -> Self {
        let mut violations = Self {
            instance: instance.to_owned(),
            role,
            rows: BTreeMap::new(),
            by_age: BTreeSet::new(),
            changed: BTreeSet::new(),
            gone: BTreeSet::new(),
            volatile: BTreeSet::new(),
        };
        for row in snapshot.rows::<Violation>().iter() {
            if row.instance != instance || row.role != role {
                continue;
            }
            if row.storage == StorageType::Volatile {
                violations.gone.insert(row.violator.clone());
            } else {
                violations.by_age.insert((row.at, row.violator.clone()));
                violations.rows.insert(row.violator.clone(), Violation::clone(row));
            }
        }
        violations
    }

    /// Says whose rows end with this run, and that those of all others stay.
    pub(crate) fn set_volatile(&mut self, offenders: BTreeSet<Identity>) {
        self.volatile = offenders;
        for (violator, row) in &mut self.rows {
            let storage = storage(&self.volatile, violator);
            if row.storage != storage {
                row.storage = storage;
                self.changed.insert(violator.clone());
            }
        }
    }

    pub(crate) fn record(&mut self, offence: Offence, now: Now) {
        let at = now.stamp();
        let before = self.rows.get(&offence.violator);
        let count = before.map_or(1, |row| row.count + 1);
        if let Some(before) = before {
            self.by_age.remove(&(before.at, offence.violator.clone()));
        } else if self.rows.len() >= OFFENDERS_MAX {
            self.forget_oldest();
        }
        self.gone.remove(&offence.violator);
        self.by_age.insert((at, offence.violator.clone()));
        self.changed.insert(offence.violator.clone());
        let row = Violation {
            instance: self.instance.clone(),
            role: self.role,
            violator: offence.violator.clone(),
            address: offence.address,
            count,
            at,
            spi: offence.spi,
            identification: offence.identification,
            reason: offence.reason,
            code: offence.code,
            storage: storage(&self.volatile, &offence.violator),
            unknown: Unknown::default(),
        };
        self.rows.insert(offence.violator, row);
    }

    /// Puts what has changed, and deletes what is too old.
    pub(crate) fn put(&mut self, batch: &mut Batch, now: Now) {
        while self.by_age.first().is_some_and(|(at, _)| now.stamp().since(*at) > REMEMBERED_FOR) {
            self.forget_oldest();
        }
        while let Some(violator) = self.gone.pop_first() {
            let (instance, role) = (self.instance.clone(), self.role);
            batch.delete::<Violation>(ViolationKey { instance, role, violator });
        }
        for _ in 0..ROWS_AT_ONCE {
            let Some(violator) = self.changed.pop_first() else { return };
            if let Some(row) = self.rows.get(&violator) {
                batch.put(row.clone());
            }
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, violator)) = self.by_age.pop_first() else { return };
        self.rows.remove(&violator);
        // A row that never left for the store need not be deleted there.
        if !self.changed.remove(&violator) {
            self.gone.insert(violator);
        }
    }
}

fn storage(volatile: &BTreeSet<Identity>, violator: &Identity) -> StorageType {
    if volatile.contains(violator) { StorageType::Volatile } else { StorageType::NonVolatile }
}
