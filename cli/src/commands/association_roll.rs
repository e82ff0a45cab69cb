//! `mip4ctl association roll`

use store::wire::Spi;
use store::{Association, AssociationKey, Origin, StorageType, Table};

use super::association::{Name, ReservedSpi, parse_spi, secret_path};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::key::KeySource;
use crate::session::Session;

/// Give a peer a new key under a new SPI, with the same settings
///
/// The old association stays until it is deleted, so that the peer can change
/// when it is ready.
#[derive(clap::Args, Debug)]
pub(crate) struct AssociationRoll {
    #[command(flatten)]
    name: Name,
    /// The SPI of the new key
    #[arg(long, value_name = "SPI", value_parser = parse_spi)]
    new_spi: Spi,
    #[command(flatten)]
    reserved: ReservedSpi,
    #[command(flatten)]
    key: KeySource,
}

impl AssociationRoll {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let old = self.name.key();
        self.reserved.check(self.new_spi, session)?;
        let new = AssociationKey { peer: old.peer.clone(), spi: self.new_spi };
        let view = session.read(&[Table::Associations])?;
        let associations = view.rows::<Association>();
        let Some(template) = associations.get(&old) else {
            let message = format!("there is no association with `{}`, SPI {}", old.peer, old.spi);
            return Err(Failure::new(ExitStatus::NothingMatched, message).into());
        };
        if associations.get(&new).is_some() {
            let message = format!("there is an association with `{}`, SPI {}", new.peer, new.spi);
            return Err(Failure::refused(message).into());
        }
        let secret = self.key.read(session)?;
        let association = Association {
            spi: self.new_spi,
            reserved_spi: self.new_spi.is_reserved(),
            keyless: false,
            origin: Origin::Cli,
            storage: StorageType::NonVolatile,
            active: true,
            instance: None,
            ..template.as_ref().clone()
        };
        let prepared = Session::propose(&view, |proposal| proposal.create(association))?;
        let path = secret_path(&new);
        session.ask(|source| source.put_secret(&path, secret.expose_octets()))?;
        let revision = session.change(prepared)?;
        let words = format!(
            "added `{}`, SPI {}; delete SPI {} when the peer uses it",
            new.peer, new.spi, old.spi
        );
        session.report_done(revision, &words)
    }
}
