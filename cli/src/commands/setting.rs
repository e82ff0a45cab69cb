//! What the `setting` commands share: whom a setting is for, and how it is written.

use store::{
    Advertising, Instance, Origin, Role, Scope, Setting, SettingIndex, SettingKey, SettingValue,
    StorageType, Table, Unknown, Violation,
};

use super::show_settings;
use crate::failure::{ExitStatus, Failure, Stop};
use crate::session::Session;
use crate::view::View;

/// What settings are, and are about.
pub(super) const TABLES: &[Table] = &[
    Table::Config,
    Table::CareOfAddresses,
    Table::Instances,
    Table::Advertisements,
    Table::Violations,
];

/// Whose setting it is.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Whose {
    /// Only the daemon of that name, as `show status` has it
    #[arg(long, value_name = "NAME")]
    pub(super) instance: Option<String>,
}

impl Whose {
    /// Fails unless the instance is known, if one is named.
    pub(super) fn check(&self, view: &View) -> Result<(), Failure> {
        match &self.instance {
            Some(name) if view.rows::<Instance>().named(name).is_none() => {
                let message = format!("there is no instance `{name}`");
                Err(Failure::new(ExitStatus::NothingMatched, message)
                    .hint("`show status` lists them"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.instance.as_deref().is_none_or(|instance| instance == name)
    }

    /// The instance that was named, or all daemons of the role.
    pub(super) fn scope(&self, role: Role) -> Scope {
        self.instance.clone().map_or(Scope::Role(role), Scope::Instance)
    }

    /// Those who advertise on an interface; an error if nobody does.
    pub(super) fn advertising<'v>(
        &self,
        interface: u32,
        view: &'v View,
    ) -> Result<Vec<Advertising<'v>>, Failure> {
        self.check(view)?;
        let agents = Advertising::on(interface, &view.snapshot, |name| self.is(name));
        if agents.is_empty() {
            let message = format!("no agent advertises on interface {interface}");
            return Err(Failure::new(ExitStatus::NothingMatched, message)
                .hint("`show advertisements` lists the interfaces"));
        }
        Ok(agents)
    }

    /// The instances that caught an offender; an error if none did.
    pub(super) fn caught(
        &self,
        offender: &store::Identity,
        view: &View,
    ) -> Result<Vec<Scope>, Failure> {
        self.check(view)?;
        let rows = view.rows::<Violation>().iter();
        let rows = rows.filter(|row| row.violator == *offender && self.is(&row.instance));
        let mut names: Vec<String> = rows.map(|row| row.instance.clone()).collect();
        names.dedup();
        if names.is_empty() {
            let message = format!("nobody has caught `{offender}`");
            return Err(Failure::new(ExitStatus::NothingMatched, message)
                .hint("`show violations` lists the offenders"));
        }
        Ok(names.into_iter().map(Scope::Instance).collect())
    }
}

/// How long it lasts.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(super) struct Lasting {
    /// Forget it when the daemon starts again
    #[arg(long)]
    until_restart: bool,
}

impl Lasting {
    pub(super) const VOLATILE: Self = Self { until_restart: true };

    /// What becomes of a row that is stored as `before`, if it is there.
    pub(super) const fn storage(self, before: Option<StorageType>) -> StorageType {
        match (before, self.until_restart) {
            (Some(StorageType::Permanent), _) => StorageType::Permanent,
            (_, true) => StorageType::Volatile,
            (_, false) => StorageType::NonVolatile,
        }
    }
}

/// A setting as it shall be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) scope: Scope,
    pub(super) index: Option<SettingIndex>,
    pub(super) value: SettingValue,
    pub(super) active: bool,
}

impl Wanted {
    /// One that is in force.
    pub(super) const fn new(
        scope: Scope,
        index: Option<SettingIndex>,
        value: SettingValue,
    ) -> Self {
        Self { scope, index, value, active: true }
    }

    fn key(&self) -> SettingKey {
        SettingKey::new(self.scope.clone(), self.value.kind(), self.index.clone())
    }

    fn row(&self, before: Option<&Setting>, lasting: Lasting) -> Setting {
        Setting {
            scope: self.scope.clone(),
            index: self.index.clone(),
            value: self.value.clone(),
            origin: Origin::Cli,
            storage: lasting.storage(before.map(|row| row.storage)),
            active: self.active,
            instance: None,
            changed: None,
            unknown: before.map_or_else(Unknown::default, |row| row.unknown.clone()),
        }
    }
}

/// Writes settings, all of them or none, and waits until they are in force.
pub(super) fn write(
    session: &mut Session,
    view: &View,
    wanted: &[Wanted],
    lasting: Lasting,
) -> Result<(), Stop> {
    let prepared = Session::propose(view, |proposal| {
        wanted.iter().try_for_each(|it| {
            let before = proposal.row::<Setting>(&it.key());
            proposal.put(it.row(before.as_deref(), lasting))
        })
    })?;
    let revision = session.change(prepared)?;
    session.report_done(revision, &format!("set {}", words(wanted.iter().map(Wanted::key))))
}

/// ``` `enabled` for every home-agent, every foreign-agent ```.
pub(super) fn words(keys: impl Iterator<Item = SettingKey>) -> String {
    let keys: Vec<SettingKey> = keys.collect();
    let whom: Vec<String> = keys.iter().map(|key| show_settings::scope(&key.scope)).collect();
    let Some(first) = keys.first() else { return "nothing".to_owned() };
    let of = first.index.as_ref().map(|index| format!(" of {}", show_settings::index_words(index)));
    format!("`{}`{} for {}", first.kind, of.unwrap_or_default(), whom.join(", "))
}
