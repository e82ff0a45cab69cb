//! What the `association` commands share.

use std::net::Ipv4Addr;

use store::wire::{Nai, Spi};
use store::{
    Algorithm, Association, AssociationKey, Identity, Key as _, Origin, ReplayProtection, SPI_MIN,
};

use crate::failure::{ExitStatus, Failure, Stop};
use crate::session::Session;
use crate::view::View;

/// Names an association.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Name {
    /// The other side: a home address, the address of an agent, or a NAI
    #[arg(value_parser = parse_peer)]
    pub(super) peer: Identity,
    /// The Security Parameter Index
    #[arg(long, value_name = "SPI", value_parser = parse_spi)]
    pub(super) spi: Spi,
}

impl Name {
    pub(super) fn key(&self) -> AssociationKey {
        AssociationKey { peer: self.peer.clone(), spi: self.spi }
    }
}

pub(super) fn parse_peer(text: &str) -> Result<Identity, String> {
    match text.parse::<Ipv4Addr>() {
        Ok(address) => Ok(Identity::Address(address)),
        Err(_) => Nai::new(text).map(Identity::Nai).map_err(|err| err.to_string()),
    }
}

pub(super) fn parse_spi(text: &str) -> Result<Spi, String> {
    text.parse().map(Spi).map_err(|_| "expected a number from 256 to 4294967295".to_owned())
}

/// Who may use a Security Parameter Index that is reserved.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct ReservedSpi {
    /// Take an SPI from 0 to 255, which RFC 5944 reserves; some networks use them all the same
    #[arg(long)]
    allow_reserved_spi: bool,
}

impl ReservedSpi {
    /// Refuses a reserved SPI unless it is wanted; warns of it then.
    pub(super) fn check(self, spi: Spi, session: &mut Session) -> Result<(), Stop> {
        if spi.0 >= SPI_MIN {
            return Ok(());
        }
        if self.allow_reserved_spi {
            return session.warn(&format!("SPI {spi} is reserved (RFC 5944 §1.6)"));
        }
        let failure = Failure::usage(format!("SPI {spi} is reserved: 0 to 255 are"));
        Err(failure.hint("`--allow-reserved-spi` takes it, for networks that use it").into())
    }
}

/// Where the key of an association is kept.
pub(super) fn secret_path(key: &AssociationKey) -> String {
    format!("associations/{}", key.path())
}

/// The association `key`, which may be changed here.
pub(super) fn changeable(view: &View, key: &AssociationKey) -> Result<Association, Failure> {
    let Some(association) = view.rows::<Association>().get(key) else {
        let message = format!("there is no association with `{}`, SPI {}", key.peer, key.spi);
        return Err(Failure::new(ExitStatus::NothingMatched, message));
    };
    if association.origin == Origin::File {
        let message = format!(
            "the association with `{}`, SPI {}, comes from the configuration file",
            key.peer, key.spi
        );
        return Err(Failure::refused(message).hint("change the file, then reload the daemon"));
    }
    Ok(association.as_ref().clone())
}

pub(super) const fn algorithm_word(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HmacMd5 => "hmac-md5",
        Algorithm::KeyedMd5 => "keyed-md5",
        Algorithm::HmacSha1 => "hmac-sha1",
        Algorithm::HmacSha256 => "hmac-sha256",
    }
}

pub(super) const fn replay_word(replay: ReplayProtection) -> &'static str {
    match replay {
        ReplayProtection::Timestamps => "timestamps",
        ReplayProtection::Nonces => "nonces",
        ReplayProtection::None => "none",
    }
}

pub(super) const fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::File => "file",
        Origin::Cli => "cli",
        Origin::Snmp => "snmp",
    }
}
