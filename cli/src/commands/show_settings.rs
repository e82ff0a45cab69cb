//! `mip4ctl show settings`

use std::sync::Arc;

use serde_json::Value;
use store::{Identity, Scope, Setting, SettingIndex, Table};

use super::association::origin_word;
use crate::cell::{Cell, Column};
use crate::failure::Stop;
use crate::output::{Listing, Sort};
use crate::session::Session;

/// Show what daemons were told while they run, by managers and by their files
///
/// Where there is no setting, the configuration file holds.
#[derive(clap::Args, Debug)]
pub(crate) struct ShowSettings {
    #[command(flatten)]
    sort: Sort,
}

impl ShowSettings {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.sort.check(COLUMNS)?;
        let view = session.read(&[Table::Config])?;
        let mut rows: Vec<Arc<Setting>> = view.rows::<Setting>().iter().cloned().collect();
        self.sort.apply(COLUMNS, &mut rows)?;
        session.print(&Listing::new(view.revision(), COLUMNS, &rows))
    }
}

/// Who acts on a setting, in words.
pub(super) fn scope(scope: &Scope) -> String {
    match scope {
        Scope::Instance(name) => format!("instance {name}"),
        Scope::Role(role) => format!("every {}", role.as_str()),
    }
}

fn index(index: &SettingIndex) -> Cell {
    match index {
        SettingIndex::Address(address) | SettingIndex::Identity(Identity::Address(address)) => {
            Cell::Address(*address)
        }
        other => Cell::text(index_words(other)),
    }
}

/// What a setting is about, in words.
pub(super) fn index_words(index: &SettingIndex) -> String {
    match index {
        SettingIndex::Interface(index) => format!("interface {index}"),
        SettingIndex::Address(address) => address.to_string(),
        SettingIndex::Identity(identity) => identity.to_string(),
        SettingIndex::Notification(kind) => kind.clone(),
    }
}

fn values(setting: &Setting) -> Cell {
    let fields = setting.value.fields().into_iter();
    Cell::Map(fields.map(|(name, value)| (name, cell(&value))).collect())
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Absent,
        Value::Bool(truth) => Cell::Truth(*truth),
        Value::Number(number) => Cell::of(number.as_u64(), Cell::Number),
        Value::String(text) => Cell::text(text),
        other => Cell::text(other),
    }
}

pub(crate) const COLUMNS: &[Column<Arc<Setting>>] = &[
    Column::text("scope", "FOR", |row| Cell::text(scope(&row.scope))),
    Column::text("kind", "SETTING", |row| Cell::text(row.value.kind())),
    Column::text("index", "OF", |row| Cell::of(row.index.as_ref(), index)),
    Column::text("values", "VALUES", |row| values(row)),
    Column::text("active", "ACTIVE", |row| Cell::Truth(row.active)),
    Column::text("storage", "STORAGE", |row| Cell::text(row.storage.as_str())),
    Column::text("origin", "ORIGIN", |row| Cell::text(origin_word(row.origin))),
    Column::text("changed_by", "CHANGED BY", |row| {
        Cell::of(row.changed.as_ref(), |changed| Cell::text(&changed.by))
    }),
    Column::detail("changed_at", |row| {
        Cell::of(row.changed.as_ref(), |changed| Cell::Instant(changed.at))
    }),
];
