//! The commands: one file each, called after its verb and noun.

mod association;
mod association_add;
mod association_delete;
mod association_roll;
mod complete;
mod drain;
mod explain;
mod export;
mod import;
mod notify;
mod operate;
mod operation;
mod regional;
mod regional_commit;
mod regional_diff;
mod regional_edit;
mod regional_file;
mod regional_history;
mod regional_set;
mod regional_show;
mod regional_validate;
mod revoke;
mod setting;
mod setting_set;
mod setting_unset;
mod show_advertisements;
mod show_associations;
mod show_audit;
mod show_bindings;
mod show_care_of_addresses;
mod show_nodes;
mod show_operation;
mod show_operations;
mod show_registrations;
mod show_settings;
mod show_statistics;
mod show_status;
mod show_trail;
mod show_violations;
mod show_visitors;
mod wait;
mod wait_binding;
mod wait_serving;
mod watch_bindings;
mod watch_operations;

pub(crate) use association_add::AssociationAdd;
pub(crate) use association_delete::AssociationDelete;
pub(crate) use association_roll::AssociationRoll;
pub(crate) use complete::Complete;
pub(crate) use drain::{DrainHomeAgent, UndrainHomeAgent};
pub(crate) use explain::Explain;
pub(crate) use export::Export;
pub(crate) use import::Import;
pub(crate) use notify::{NotifyHaShutdown, NotifyMessage};
pub(crate) use operation::{OperationCancel, OperationPause, OperationResume, WaitOperation};
pub(crate) use regional_commit::{RegionalCommit, RegionalConfirm, RegionalRollback};
pub(crate) use regional_diff::RegionalDiff;
pub(crate) use regional_edit::{RegionalDelete, RegionalDiscard, RegionalRebase};
pub(crate) use regional_file::{RegionalLoad, RegionalSave};
pub(crate) use regional_history::RegionalHistory;
pub(crate) use regional_set::RegionalSet;
pub(crate) use regional_show::RegionalShow;
pub(crate) use regional_validate::RegionalValidate;
pub(crate) use revoke::{RevokeBinding, RevokeVisitor};
pub(crate) use setting_set::SettingSet;
pub(crate) use setting_unset::SettingUnset;
pub(crate) use show_advertisements::ShowAdvertisements;
pub(crate) use show_associations::ShowAssociations;
pub(crate) use show_audit::ShowAudit;
pub(crate) use show_bindings::ShowBindings;
pub(crate) use show_care_of_addresses::ShowCareOfAddresses;
pub(crate) use show_nodes::ShowNodes;
pub(crate) use show_operation::ShowOperation;
pub(crate) use show_operations::ShowOperations;
pub(crate) use show_registrations::ShowRegistrations;
pub(crate) use show_settings::ShowSettings;
pub(crate) use show_statistics::ShowStatistics;
pub(crate) use show_status::ShowStatus;
pub(crate) use show_trail::ShowTrail;
pub(crate) use show_violations::ShowViolations;
pub(crate) use show_visitors::ShowVisitors;
pub(crate) use wait_binding::WaitBinding;
pub(crate) use wait_serving::WaitServing;
pub(crate) use watch_bindings::WatchBindings;
pub(crate) use watch_operations::WatchOperations;

use crate::cell::Column;

/// The columns that `show NOUN --sort` takes.
pub(crate) fn columns(noun: &str) -> Vec<&'static str> {
    fn names<R>(columns: &[Column<R>]) -> Vec<&'static str> {
        columns.iter().map(|column| column.name).collect()
    }
    match noun {
        "advertisements" => names(show_advertisements::COLUMNS),
        "associations" | "list" => names(show_associations::COLUMNS),
        "audit" => names(show_audit::COLUMNS),
        "bindings" => names(show_bindings::COLUMNS),
        "care-of-addresses" => names(show_care_of_addresses::COLUMNS),
        "nodes" => names(show_nodes::COLUMNS),
        "operations" => names(show_operations::COLUMNS),
        "operation" => names(show_operation::COLUMNS),
        "registrations" => names(show_registrations::COLUMNS),
        "settings" => names(show_settings::COLUMNS),
        "trail" => names(show_trail::COLUMNS),
        "violations" => names(show_violations::COLUMNS),
        "visitors" => names(show_visitors::COLUMNS),
        "statistics" => names(show_statistics::COUNTER_COLUMNS),
        "status" => names(show_status::COLUMNS),
        _ => Vec::new(),
    }
}
