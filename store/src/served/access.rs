//! Who may do what, by the credentials of the peer and never by what it says.

use std::fs;

use tonic::transport::server::UdsConnectInfo;
use tonic::{Request, Status};

use super::span::{SECRETS, Span, prefix};
use crate::change::user_name;
use crate::{
    AnyRow, Author, Configuration, Invalid, InvalidKind, Operation, Origin, RegionalCommit, Table,
    admit,
};

/// The group whose members are operators.
const OPERATOR_GROUP: &str = "mip4";

/// The tables that operators may write.
const OPERATOR_TABLES: &[Table] = &[
    Table::Associations,
    Table::Operations,
    Table::Regional,
    Table::Candidates,
    Table::CandidateEdits,
    Table::RegionalCommits,
    Table::RegionalChanges,
];

/// Who sent a request, as the kernel says.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) access: Access,
    user: Option<u32>,
    /// Which socket it has opened.
    socket: String,
}

impl Peer {
    /// What rows are stamped with.
    pub(crate) fn name(&self) -> String {
        self.user.map_or_else(|| "somebody".to_owned(), user_name)
    }

    /// Who it is in the audit trail; `None` if its socket keeps none.
    pub(crate) fn author(&self) -> Option<Author> {
        let from = self.socket.clone();
        (!from.is_empty()).then(|| Author { who: self.name(), origin: Origin::Cli, from })
    }
}

/// What the peers of one socket may be.
#[derive(Clone, Debug)]
pub struct Policy {
    viewers_only: bool,
    daemon: u32,
    operator_group: Option<u32>,
    /// What the socket is called in the audit trail; empty if what its peers do is not told there.
    socket: String,
    /// Takes every peer for this user and group: a test cannot be somebody else.
    #[cfg(test)]
    seen_as: Option<(u32, u32)>,
}

impl Policy {
    #[cfg(test)]
    pub(crate) fn seen_as(self, user: u32, group: u32) -> Self {
        Self { seen_as: Some((user, group)), ..self }
    }

    /// For `store.sock`: root and the user of this process are daemons, members
    /// of the group `mip4` are operators, and nobody else is let in.
    pub fn operators() -> Self {
        Self::operators_of(group_id(OPERATOR_GROUP))
    }

    /// As [`Self::operators`], with the group of that number.
    pub fn operators_of(group: Option<u32>) -> Self {
        let daemon = rustix::process::geteuid().as_raw();
        Self {
            viewers_only: false,
            daemon,
            operator_group: group,
            socket: String::new(),
            #[cfg(test)]
            seen_as: None,
        }
    }

    /// For `store-view.sock`: whoever can open it reads, and nobody writes.
    pub fn viewers() -> Self {
        Self { viewers_only: true, ..Self::operators_of(None) }
    }

    /// The same, for a socket of that name: what its peers change is told in the audit trail.
    #[must_use]
    pub fn named(self, socket: impl Into<String>) -> Self {
        Self { socket: socket.into(), ..self }
    }

    /// What the sender of `request` may do.
    pub(crate) fn access<T>(&self, request: &Request<T>) -> Result<Access, Status> {
        self.peer(request).map(|peer| peer.access)
    }

    /// Who the sender of `request` is.
    pub(crate) fn peer<T>(&self, request: &Request<T>) -> Result<Peer, Status> {
        let credentials =
            request.extensions().get::<UdsConnectInfo>().and_then(|info| info.peer_cred);
        if self.viewers_only {
            let user = credentials.map(|peer| peer.uid());
            return Ok(self.seen(Access::Viewer, user));
        }
        let peer = credentials
            .ok_or_else(|| Status::permission_denied("the kernel does not say who you are"))?;
        #[cfg(test)]
        if let Some((user, group)) = self.seen_as {
            let access = self.role(user, group, Vec::new);
            let access = access.ok_or_else(|| Status::permission_denied("a stranger"))?;
            return Ok(self.seen(access, Some(user)));
        }
        let groups = |process: Option<i32>| supplementary_groups(process, peer.uid());
        let access = self.role(peer.uid(), peer.gid(), || groups(peer.pid())).ok_or_else(|| {
            Status::permission_denied(format!(
                "user {} is neither a daemon nor in the group `{OPERATOR_GROUP}`",
                peer.uid()
            ))
        })?;
        Ok(self.seen(access, Some(peer.uid())))
    }

    fn seen(&self, access: Access, user: Option<u32>) -> Peer {
        Peer { access, user, socket: self.socket.clone() }
    }

    fn role(&self, user: u32, group: u32, groups: impl Fn() -> Vec<u32>) -> Option<Access> {
        if user == 0 || user == self.daemon {
            return Some(Access::Daemon);
        }
        let operators = self.operator_group?;
        (group == operators || groups().contains(&operators)).then_some(Access::Operator)
    }
}

/// What a peer may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// Everything.
    Daemon,
    /// Reads rows; writes what operators decide; writes secrets without reading them.
    Operator,
    /// Reads rows.
    Viewer,
}

impl Access {
    /// Whether rows of `table` may be written or deleted.
    pub(crate) fn write(self, table: Table) -> Result<(), Status> {
        match (self, table) {
            (Self::Daemon, _) => Ok(()),
            (Self::Operator, table) if OPERATOR_TABLES.contains(&table) => Ok(()),
            (Self::Operator, _) => {
                Err(Status::permission_denied(format!("only daemons write {}", prefix(table))))
            }
            (Self::Viewer, _) => Err(read_only()),
        }
    }

    /// Whether `new` may take the place of `old`.
    ///
    /// What is wrong with a row is wrong whoever writes it. What may be done to rows of
    /// configuration is asked of operators here: daemons speak for the file and for managers, and
    /// have asked themselves.
    pub(crate) fn replace(self, old: Option<&AnyRow>, new: Option<&AnyRow>) -> Result<(), Status> {
        if self != Self::Daemon {
            replace_operation(old, new)?;
            replace_history(old, new)?;
        }
        let new = new.and_then(AnyRow::configuration);
        let done = match self {
            Self::Daemon => new.map_or(Ok(()), Configuration::validate),
            Self::Operator | Self::Viewer => {
                admit(old.and_then(AnyRow::configuration), new, Origin::Cli)
            }
        };
        done.map_err(|invalid| refusal(&invalid))
    }

    /// Whether the secret at `path` may be written; `owner` is the row that it belongs to.
    pub(crate) fn write_secret(self, owner: Option<&AnyRow>) -> Result<(), Status> {
        match self {
            Self::Daemon => Ok(()),
            // The key of an association is a part of it, though it lies somewhere else.
            Self::Operator => match owner.and_then(AnyRow::configuration) {
                Some(row) if row.origin() == Origin::File => {
                    Err(Status::permission_denied("the secret belongs to the configuration file"))
                }
                _ => Ok(()),
            },
            Self::Viewer => Err(read_only()),
        }
    }

    /// Whether secrets may be read, if `span` is about them.
    pub(crate) fn read(self, span: &Span) -> Result<(), Status> {
        let about_secrets = match span {
            Span::One(_) => span.overlaps(SECRETS),
            // A listing of everything is fine: it leaves the secrets out.
            Span::Between { start, .. } => start.starts_with(SECRETS.as_bytes()),
        };
        if about_secrets && self != Self::Daemon {
            return Err(Status::permission_denied("only daemons read secrets"));
        }
        Ok(())
    }

    /// Whether leases may be made and ended.
    pub(crate) fn lease(self) -> Result<(), Status> {
        if self == Self::Viewer { Err(read_only()) } else { Ok(()) }
    }

    /// Whether history may be forgotten.
    pub(crate) fn compact(self) -> Result<(), Status> {
        match self {
            Self::Daemon => Ok(()),
            Self::Operator => Err(Status::permission_denied("only daemons compact the history")),
            Self::Viewer => Err(read_only()),
        }
    }
}

/// Whether an operator may write an operation: a new one, or another wish; none is deleted.
fn replace_operation(old: Option<&AnyRow>, new: Option<&AnyRow>) -> Result<(), Status> {
    if let Some(AnyRow::Operation(new)) = new {
        let old = match old {
            Some(AnyRow::Operation(old)) => Some(&**old),
            _ => None,
        };
        return Operation::admits(old, new)
            .map_err(|why| Status::invalid_argument(format!("operation {}: {why}", new.id)));
    }
    match old {
        Some(AnyRow::Operation(old)) => Err(Status::permission_denied(format!(
            "operation {} is kept; cancel it instead",
            old.id
        ))),
        _ => Ok(()),
    }
}

/// Whether an operator may write candidates and the history of what was made of them.
///
/// History is added to, and what waits to be confirmed ends; nobody but daemons forgets it.
fn replace_history(old: Option<&AnyRow>, new: Option<&AnyRow>) -> Result<(), Status> {
    let why = match (old, new) {
        (Some(AnyRow::RegionalCommit(_) | AnyRow::RegionalChange(_)), None) => {
            return Err(Status::permission_denied("history is kept"));
        }
        (Some(AnyRow::RegionalChange(_)), Some(_)) => Err("history is not changed".to_owned()),
        (_, Some(AnyRow::RegionalCommit(new))) => {
            let old = match old {
                Some(AnyRow::RegionalCommit(old)) => Some(&**old),
                _ => None,
            };
            RegionalCommit::admits(old, new).map_err(str::to_owned)
        }
        (_, Some(AnyRow::Candidate(new))) => new.check().map_err(str::to_owned),
        (_, Some(AnyRow::CandidateEdit(new))) => new.check(),
        _ => Ok(()),
    };
    why.map_err(Status::invalid_argument)
}

/// Why a row is refused, in the words of the protocol.
fn refusal(invalid: &Invalid) -> Status {
    match invalid.kind {
        InvalidKind::Protected => Status::permission_denied(invalid.to_string()),
        InvalidKind::Value | InvalidKind::Inconsistent | InvalidKind::Name => {
            Status::invalid_argument(invalid.to_string())
        }
    }
}

fn read_only() -> Status {
    Status::permission_denied("this socket is for reading only")
}

/// The groups of a process beyond its first, as the kernel shows them.
///
/// By the time it is asked the process may be another one, so it counts only if
/// it still is the user's.
fn supplementary_groups(process: Option<i32>, user: u32) -> Vec<u32> {
    let Some(process) = process else { return Vec::new() };
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    groups_in(&status, user)
}

fn groups_in(status: &str, user: u32) -> Vec<u32> {
    let numbers = |name: &str| -> Vec<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    let users = numbers("Uid:");
    if users.is_empty() || users.iter().any(|id| *id != user) {
        return Vec::new();
    }
    numbers("Groups:")
}

/// The number of the group `name`.
fn group_id(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATORS: u32 = 4000;

    fn policy() -> Policy {
        Policy { daemon: 900, ..Policy::operators_of(Some(OPERATORS)) }
    }

    #[test]
    fn roles_follow_credentials() {
        let none = Vec::new;
        assert_eq!(policy().role(0, 0, none), Some(Access::Daemon));
        assert_eq!(policy().role(900, 900, none), Some(Access::Daemon));
        assert_eq!(policy().role(1000, OPERATORS, none), Some(Access::Operator));
        assert_eq!(policy().role(1000, 1000, || vec![5, OPERATORS]), Some(Access::Operator));
        assert_eq!(policy().role(1000, 1000, || vec![5]), None);
        let without_group = Policy { operator_group: None, ..policy() };
        assert_eq!(without_group.role(1000, OPERATORS, none), None);
    }

    #[test]
    fn supplementary_groups_count_only_for_a_process_that_is_still_the_users() {
        let status =
            "Name:\tsh\nUid:\t1000\t1000\t1000\t1000\nGid:\t1\t1\t1\t1\nGroups:\t4 4000 \n";
        assert_eq!(groups_in(status, 1000), [4, 4000]);
        assert!(groups_in(status, 1001).is_empty());
        let setuid = status.replace("1000\t1000\t1000", "1000\t0\t0");
        assert!(groups_in(&setuid, 1000).is_empty());
        assert!(groups_in("", 1000).is_empty());
    }

    #[test]
    fn only_daemons_write_state() {
        for table in Table::ALL {
            assert!(Access::Daemon.write(*table).is_ok());
            assert!(Access::Viewer.write(*table).is_err());
        }
        // Spelled out: a table that operators may write by mistake shows here.
        let theirs = Table::ALL.iter().filter(|table| Access::Operator.write(**table).is_ok());
        let theirs: Vec<_> = theirs.map(|table| table.name()).collect();
        let mut expected = [
            "associations",
            "operations",
            "regional",
            "candidates",
            "candidate_edits",
            "regional_commits",
            "regional_changes",
        ];
        expected.sort_unstable_by_key(|name| Table::ALL.iter().position(|it| it.name() == *name));
        assert_eq!(theirs, expected);
    }

    #[test]
    fn only_daemons_read_secrets() {
        let one = Span::new(b"/mip4-secret/a".into(), Vec::new()).unwrap();
        let listing = Span::new(b"/mip4-secret/".into(), b"/mip4-secret0".into()).unwrap();
        let everything = Span::new(b"\0".into(), b"\0".into()).unwrap();
        for access in [Access::Operator, Access::Viewer] {
            assert!(access.read(&one).is_err());
            assert!(access.read(&listing).is_err());
            assert!(access.read(&everything).is_ok());
        }
        assert!(Access::Daemon.read(&one).is_ok());
        assert!(Access::Operator.write_secret(None).is_ok());
        assert!(Access::Viewer.write_secret(None).is_err());
    }
}
