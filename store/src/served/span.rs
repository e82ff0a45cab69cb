//! Which keys a request names.

use tonic::Status;

use crate::Table;
/// Below it are the sealed secrets; nothing lists it.
pub(crate) use crate::secrets::PREFIX as SECRETS;

/// One key, or all keys from one up to another, in the order of their octets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Span {
    One(Vec<u8>),
    /// Without `end`: up to the last.
    Between {
        start: Vec<u8>,
        end: Option<Vec<u8>>,
    },
}

impl Span {
    /// Reads `key` and `range_end` of a request.
    pub(crate) fn new(key: Vec<u8>, range_end: Vec<u8>) -> Result<Self, Status> {
        if key.is_empty() {
            return Err(Status::invalid_argument("etcdserver: key is not provided"));
        }
        Ok(match range_end.as_slice() {
            [] => Self::One(key),
            [0] => Self::Between { start: key, end: None },
            _ => Self::Between { start: key, end: Some(range_end) },
        })
    }

    pub(crate) fn contains(&self, path: &str) -> bool {
        let path = path.as_bytes();
        match self {
            Self::One(key) => key == path,
            Self::Between { start, end } => {
                start.as_slice() <= path && end.as_ref().is_none_or(|end| path < end.as_slice())
            }
        }
    }

    /// The tables that may have keys in it, in the order of their paths.
    pub(crate) fn tables(&self) -> Vec<Table> {
        let mut tables: Vec<_> = Table::ALL.iter().map(|table| (prefix(*table), *table)).collect();
        tables.sort();
        tables.retain(|(prefix, _)| self.overlaps(prefix));
        tables.into_iter().map(|(_, table)| table).collect()
    }

    /// Whether a key that starts with `prefix` may be in it.
    pub(crate) fn overlaps(&self, prefix: &str) -> bool {
        let prefix = prefix.as_bytes();
        match self {
            Self::One(key) => key.starts_with(prefix),
            Self::Between { start, end } => {
                let begins_after = start.as_slice() > prefix && !start.starts_with(prefix);
                let ends_before = end.as_ref().is_some_and(|end| end.as_slice() <= prefix);
                !begins_after && !ends_before
            }
        }
    }

    /// The path below [`SECRETS`], if this names one secret.
    pub(crate) fn secret(&self) -> Option<&str> {
        let Self::One(key) = self else { return None };
        std::str::from_utf8(key).ok()?.strip_prefix(SECRETS).filter(|path| !path.is_empty())
    }
}

/// What the paths of all rows of `table` start with.
pub(crate) fn prefix(table: Table) -> String {
    format!("/mip4/{}/", table.name())
}

/// The first key after all that start with `prefix`.
pub(crate) fn after_prefix(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(start: &str, end: &str) -> Span {
        Span::new(start.into(), end.into()).unwrap()
    }

    #[test]
    fn a_prefix_contains_what_starts_with_it() {
        let span = Span::new(b"/mip4/nodes/".into(), after_prefix("/mip4/nodes/")).unwrap();
        assert!(span.contains("/mip4/nodes/a"));
        assert!(!span.contains("/mip4/node_counters/a"));
        assert_eq!(span.tables(), [Table::Nodes]);
    }

    #[test]
    fn tables_come_in_the_order_of_their_paths() {
        let names: Vec<_> = between("\0", "\0").tables().into_iter().map(Table::name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names.len(), Table::ALL.len());
        assert_eq!(names, sorted);
    }

    #[test]
    fn a_span_within_a_table_names_that_table_only() {
        assert_eq!(between("/mip4/nodes/b", "/mip4/nodes/c").tables(), [Table::Nodes]);
        assert_eq!(between("/mip4/nodes/b", "").tables(), [Table::Nodes]);
        assert_eq!(between("/mip4-secret/", "/mip4-secret0").tables(), []);
        assert_eq!(between("x", "\0").tables(), []);
    }

    #[test]
    fn only_one_key_names_a_secret() {
        assert_eq!(between("/mip4-secret/a/b", "").secret(), Some("a/b"));
        assert_eq!(between("/mip4-secret/", "").secret(), None);
        assert_eq!(between("/mip4-secret/a", "/mip4-secret/b").secret(), None);
        assert_eq!(between("/mip4/nodes/b", "").secret(), None);
    }
}
