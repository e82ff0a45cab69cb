//! `mip4ctl setting unset`

use std::net::Ipv4Addr;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use store::{CareOfAddress, Identity, Row as _, Scope, Setting, SettingIndex, SettingKey};

use super::association::parse_peer;
use super::setting::{TABLES, Whose, words};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::session::Session;
use crate::view::View;

/// End a setting: the configuration file holds again
#[derive(clap::Args, Debug)]
pub(crate) struct SettingUnset {
    #[command(subcommand)]
    what: What,
    /// Only that of the daemon of that name
    #[arg(long, value_name = "NAME", global = true)]
    instance: Option<String>,
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
enum What {
    /// Agents serve again
    Enabled,
    /// Agents advertise on an interface as their files say
    Advertisement {
        /// The number of the interface
        interface: u32,
    },
    /// Nodes on an interface are told what the file says of registering
    RegistrationRequired {
        /// The number of the interface
        interface: u32,
    },
    /// A foreign agent offers the care-of address no more
    CareOfAddress { care_of_address: Ipv4Addr },
    /// Mobile nodes do not use the home agent
    HomeAgent { home_agent: Ipv4Addr },
    /// An offender is remembered when its agent starts again
    Violation {
        /// A home address, or a NAI
        #[arg(value_parser = parse_peer)]
        offender: Identity,
    },
    /// Notifications of a kind are sent, as many as by default
    NotificationGate {
        #[arg(value_parser = PossibleValuesParser::new(SettingIndex::NOTIFICATIONS))]
        kind: String,
    },
}

impl SettingUnset {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let view = session.read(TABLES)?;
        self.whose().check(&view)?;
        let (kind, index) = match &self.what {
            What::CareOfAddress { care_of_address } => {
                return self.care_of_address(*care_of_address, &view, session);
            }
            What::Enabled => ("enabled", None),
            What::Advertisement { interface } => {
                ("advertisement", Some(SettingIndex::Interface(*interface)))
            }
            What::RegistrationRequired { interface } => {
                ("registration-required", Some(SettingIndex::Interface(*interface)))
            }
            What::HomeAgent { home_agent } => {
                ("home-agent", Some(SettingIndex::Address(*home_agent)))
            }
            What::Violation { offender } => {
                ("violation", Some(SettingIndex::Identity(offender.clone())))
            }
            What::NotificationGate { kind } => {
                ("notification-gate", Some(SettingIndex::Notification(kind.clone())))
            }
        };
        let keys = self.keys(kind, index.as_ref(), &view);
        if keys.is_empty() {
            return Err(nothing(kind).into());
        }
        let prepared = Session::propose(&view, |proposal| {
            keys.iter().try_for_each(|key| proposal.delete::<Setting>(key).map(drop))
        })?;
        let revision = session.change(prepared)?;
        session.report_done(revision, &format!("unset {}", words(keys.into_iter())))
    }

    fn whose(&self) -> Whose {
        Whose { instance: self.instance.clone() }
    }

    /// The settings of a kind, for whomever they are unless that is said.
    fn keys(&self, kind: &str, index: Option<&SettingIndex>, view: &View) -> Vec<SettingKey> {
        let rows = view.rows::<Setting>().iter();
        let is_meant = |row: &&std::sync::Arc<Setting>| {
            let is_its = match (&row.scope, &self.instance) {
                (Scope::Instance(name), Some(instance)) => name == instance,
                (Scope::Role(_), Some(_)) => false,
                (_, None) => true,
            };
            is_its && row.value.kind() == kind && row.index.as_ref() == index
        };
        rows.filter(is_meant).map(|row| row.key()).collect()
    }

    fn care_of_address(
        &self,
        address: Ipv4Addr,
        view: &View,
        session: &mut Session,
    ) -> Result<(), Stop> {
        let whose = self.whose();
        let mut rows = view.rows::<CareOfAddress>().iter();
        let row = rows.find(|row| row.address == address && whose.is(&row.instance));
        let row = row.ok_or_else(|| nothing("care-of-address"))?;
        let prepared = Session::propose(view, |proposal| {
            proposal.delete::<CareOfAddress>(&row.key()).map(drop)
        })?;
        let revision = session.change(prepared)?;
        let done = format!("unset care-of address {address} of instance {}", row.instance);
        session.report_done(revision, &done)
    }
}

fn nothing(kind: &str) -> Failure {
    Failure::new(ExitStatus::NothingMatched, format!("there is no such setting of `{kind}`"))
        .hint("`setting list` and `show care-of-addresses` tell what there is")
}
