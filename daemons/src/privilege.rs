//! Gives privileges up once what needs them is done.

use std::fs;

use anyhow::{Context as _, anyhow, bail};
use rustix::process::{self, Gid, Resource, Rlimit, Uid};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

/// Whom to become.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The groups of the user beside its own.
    pub(crate) groups: Vec<u32>,
}

impl Account {
    /// Looks `user` up in the files of this machine.
    pub(crate) fn find(user: &str, group: Option<&str>) -> anyhow::Result<Self> {
        let passwd = fs::read_to_string("/etc/passwd").context("failed to read /etc/passwd")?;
        let groups = fs::read_to_string("/etc/group").context("failed to read /etc/group")?;
        Self::find_in(&passwd, &groups, user, group)
    }

    fn find_in(
        passwd: &str,
        groups: &str,
        user: &str,
        group: Option<&str>,
    ) -> anyhow::Result<Self> {
        let (uid, own_gid) = passwd
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find_map(|fields| match fields.as_slice() {
                [name, _, uid, gid, ..] if *name == user => {
                    Some((uid.parse().ok()?, gid.parse().ok()?))
                }
                _ => None,
            })
            .ok_or_else(|| anyhow!("there is no user `{user}` in /etc/passwd"))?;
        let gid = match group {
            Some(group) => group_id(groups, group)?,
            None => own_gid,
        };
        let is_member = |members: &str| members.split(',').any(|member| member == user);
        let groups = groups
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .filter_map(|fields| match fields.as_slice() {
                [_, _, gid, members, ..] if is_member(members) => gid.parse().ok(),
                _ => None,
            })
            .collect();
        Ok(Self { uid, gid, groups })
    }
}

/// The number of a group of this machine.
pub(crate) fn find_group(group: &str) -> anyhow::Result<u32> {
    group_id(&fs::read_to_string("/etc/group").context("failed to read /etc/group")?, group)
}

fn group_id(groups: &str, group: &str) -> anyhow::Result<u32> {
    groups
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find_map(|fields| match fields.as_slice() {
            [name, _, gid, ..] if *name == group => gid.parse().ok(),
            _ => None,
        })
        .ok_or_else(|| anyhow!("there is no group `{group}` in /etc/group"))
}

/// What is needed later than at the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Later {
    /// To bind ports below 1024: a foreign agent may be given more care-of addresses while it runs.
    pub(crate) binds_low_ports: bool,
    /// To give threads precedence, where [`allow_prompt_threads`] cannot see to that.
    pub(crate) raises_priorities: bool,
}

impl Later {
    fn capabilities(self) -> CapabilitySet {
        let kept = [
            (self.binds_low_ports, CapabilitySet::NET_BIND_SERVICE),
            (self.raises_priorities, CapabilitySet::SYS_NICE),
        ];
        kept.iter().filter(|(is_kept, _)| *is_kept).map(|(_, capability)| *capability).collect()
    }
}

/// Becomes `account`, for good: real, effective and saved; of capabilities, only those for `later`
/// are left, and none is in effect.
///
/// The kernel keeps these for each thread, so this comes before any thread is started.
pub(crate) fn become_account(account: &Account, later: Later) -> anyhow::Result<()> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        bail!("{threads} threads run already, and only one would lose its privileges");
    }
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    thread::set_thread_groups(&groups).context("failed to set the groups")?;
    thread::set_thread_res_gid(gid, gid, gid).context("failed to set the group")?;
    thread::set_keep_capabilities(later != Later::default()).context("failed to keep any")?;
    thread::set_thread_res_uid(uid, uid, uid).context("failed to set the user")?;
    thread::set_keep_capabilities(false).context("failed to keep no more")?;
    let held = thread::capabilities(None)?;
    let permitted = held.permitted & later.capabilities();
    let (effective, inheritable) = (CapabilitySet::empty(), CapabilitySet::empty());
    thread::set_capabilities(None, CapabilitySets { effective, permitted, inheritable })?;
    Ok(())
}

/// Does something that may need a port below 1024, with what was kept for it in effect meanwhile.
pub(crate) fn with_low_ports<T>(bind: impl FnOnce() -> T) -> T {
    with(CapabilitySet::NET_BIND_SERVICE, bind)
}

/// Does something with a capability that was kept for it, if it was, in effect meanwhile.
fn with<T>(capability: CapabilitySet, work: impl FnOnce() -> T) -> T {
    let raised = thread::capabilities(None).ok().filter(|held| {
        let more = CapabilitySets { effective: held.effective | capability, ..*held };
        held.permitted.contains(capability) && thread::set_capabilities(None, more).is_ok()
    });
    let done = work();
    if let Some(held) = raised
        && let Err(error) = thread::set_capabilities(None, held)
    {
        tracing::warn!(%error, "a capability stays in effect");
    }
    done
}

/// Gives up every capability but those by which root reaches its own files, for good; those for
/// `later` are kept, and are not in effect.
///
/// The kernel keeps these for each thread, so this comes before any thread is started.
pub(crate) fn drop_capabilities(later: Later) -> anyhow::Result<()> {
    let serving = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::DAC_READ_SEARCH
        | CapabilitySet::FOWNER;
    let held = thread::capabilities(None)?;
    thread::set_capabilities(
        None,
        CapabilitySets {
            effective: held.effective & serving,
            permitted: held.permitted & (serving | later.capabilities()),
            inheritable: CapabilitySet::empty(),
        },
    )?;
    thread::clear_ambient_capability_set()?;
    Ok(())
}

/// The nice value of threads that answer at once what takes some microseconds: so a question does
/// not wait for a turn of whoever computes.
const PROMPT: i32 = -10;

/// Lets threads call [`be_prompt`] also when privileges are given up; whether they can. A service
/// manager may allow it, too (`LimitNICE=`).
pub(crate) fn allow_prompt_threads() -> bool {
    // The kernel counts from 20 down (getrlimit(2)).
    let limit = u64::from((20 - PROMPT).unsigned_abs());
    let held = process::getrlimit(Resource::Nice);
    if held.current.is_none_or(|current| current >= limit) {
        return true;
    }
    let maximum = held.maximum.map(|it| it.max(limit));
    process::setrlimit(Resource::Nice, Rlimit { current: Some(limit), maximum }).is_ok()
}

/// Gives the calling thread precedence over those that compute, if it may have that.
pub(crate) fn be_prompt() {
    let raised = with(CapabilitySet::SYS_NICE, || process::setpriority_process(None, PROMPT));
    if let Err(error) = raised {
        tracing::debug!(%error, "the thread has no precedence");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nmip4:x:990:980::/:/usr/sbin/nologin\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:syslog,mip4\nmip4:x:980:\nmip4-view:x:981:mip4x\n";

    #[test]
    fn an_account_has_its_groups() {
        let account = Account::find_in(PASSWD, GROUP, "mip4", None).unwrap();
        assert_eq!(account, Account { uid: 990, gid: 980, groups: vec![4] });
        let account = Account::find_in(PASSWD, GROUP, "mip4", Some("mip4-view")).unwrap();
        assert_eq!(account.gid, 981);
    }

    #[test]
    fn strangers_are_named() {
        let error = Account::find_in(PASSWD, GROUP, "mip", None).unwrap_err();
        assert_eq!(error.to_string(), "there is no user `mip` in /etc/passwd");
        let error = Account::find_in(PASSWD, GROUP, "mip4", Some("wheel")).unwrap_err();
        assert_eq!(error.to_string(), "there is no group `wheel` in /etc/group");
    }
}
