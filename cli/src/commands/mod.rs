//! The commands: one file each, called after its verb and noun.

mod show_bindings;
mod show_nodes;
mod show_statistics;
mod show_status;

pub(crate) use show_bindings::ShowBindings;
pub(crate) use show_nodes::ShowNodes;
pub(crate) use show_statistics::ShowStatistics;
pub(crate) use show_status::ShowStatus;

use crate::cell::Column;

/// The columns that `show NOUN --sort` takes.
pub(crate) fn columns(noun: &str) -> Vec<&'static str> {
    fn names<R>(columns: &[Column<R>]) -> Vec<&'static str> {
        columns.iter().map(|column| column.name).collect()
    }
    match noun {
        "bindings" => names(show_bindings::COLUMNS),
        "nodes" => names(show_nodes::COLUMNS),
        "statistics" => names(show_statistics::COUNTER_COLUMNS),
        "status" => names(show_status::COLUMNS),
        _ => Vec::new(),
    }
}
