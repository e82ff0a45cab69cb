//! `mip4ctl association delete`

use store::{Association, Table};

use super::association::{Name, changeable, secret_path};
use crate::failure::Stop;
use crate::session::Session;

/// Delete a mobility security association and its key
#[derive(clap::Args, Debug)]
pub(crate) struct AssociationDelete {
    #[command(flatten)]
    name: Name,
}

impl AssociationDelete {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let key = self.name.key();
        let view = session.read(&[Table::Associations])?;
        changeable(&view, &key)?;
        let prepared =
            Session::propose(&view, |proposal| proposal.delete::<Association>(&key).map(drop))?;
        let revision = session.change(prepared)?;
        session.ask(|source| source.delete_secret(&secret_path(&key)))?;
        session.report_done(revision, &format!("deleted `{}`, SPI {}", key.peer, key.spi))
    }
}
