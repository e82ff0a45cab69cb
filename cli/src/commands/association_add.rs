//! `mip4ctl association add`

use clap::ValueEnum;
use store::{Algorithm, Association, Origin, ReplayProtection, Role, StorageType, Table, Unknown};

use super::association::{Name, ReservedSpi, secret_path};
use crate::failure::{Failure, Stop};
use crate::key::KeySource;
use crate::session::Session;

/// Add a mobility security association
///
/// The key is asked for at a terminal, and read from standard input otherwise.
#[derive(clap::Args, Debug)]
pub(crate) struct AssociationAdd {
    #[command(flatten)]
    name: Name,
    /// How messages are authenticated
    #[arg(long, value_enum, default_value = "hmac-md5")]
    algorithm: AlgorithmWord,
    /// How replays are told
    #[arg(long, value_enum, default_value = "timestamps")]
    replay: ReplayWord,
    /// How many seconds the peer's clock may be off
    #[arg(long, value_name = "SECONDS", default_value = "7")]
    tolerance: u8,
    /// Which agent of ours it belongs to
    #[arg(long = "agent", value_enum, default_value = "home-agent")]
    role: AgentWord,
    #[command(flatten)]
    reserved: ReservedSpi,
    #[command(flatten)]
    key: KeySource,
}

impl AssociationAdd {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let key = self.name.key();
        self.reserved.check(key.spi, session)?;
        let view = session.read(&[Table::Associations])?;
        if view.rows::<Association>().get(&key).is_some() {
            let message = format!("there is an association with `{}`, SPI {}", key.peer, key.spi);
            let hint = "`association roll` makes a new key under a new SPI";
            return Err(Failure::refused(message).hint(hint).into());
        }
        let secret = self.key.read(session)?;
        let association = Association {
            peer: key.peer.clone(),
            spi: key.spi,
            reserved_spi: key.spi.is_reserved(),
            keyless: false,
            algorithm: self.algorithm.into(),
            replay: self.replay.into(),
            tolerance: self.tolerance,
            origin: Origin::Cli,
            storage: StorageType::NonVolatile,
            active: true,
            role: self.role.into(),
            instance: None,
            changed: None,
            unknown: Unknown::default(),
        };
        let prepared = Session::propose(&view, |proposal| proposal.create(association))?;
        // The key first: whoever sees the row can read it.
        let path = secret_path(&key);
        session.ask(|source| source.put_secret(&path, secret.expose_octets()))?;
        let revision = session.change(prepared)?;
        session.report_done(revision, &format!("added `{}`, SPI {}", key.peer, key.spi))
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AlgorithmWord {
    HmacMd5,
    /// MD5 over key, data and key again
    KeyedMd5,
    HmacSha1,
    HmacSha256,
}

impl From<AlgorithmWord> for Algorithm {
    fn from(word: AlgorithmWord) -> Self {
        match word {
            AlgorithmWord::HmacMd5 => Self::HmacMd5,
            AlgorithmWord::KeyedMd5 => Self::KeyedMd5,
            AlgorithmWord::HmacSha1 => Self::HmacSha1,
            AlgorithmWord::HmacSha256 => Self::HmacSha256,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum AgentWord {
    HomeAgent,
    ForeignAgent,
    /// A gateway foreign agent (RFC 4857)
    Gateway,
}

impl From<AgentWord> for Role {
    fn from(word: AgentWord) -> Self {
        match word {
            AgentWord::HomeAgent => Self::HomeAgent,
            AgentWord::ForeignAgent => Self::ForeignAgent,
            AgentWord::Gateway => Self::Gateway,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReplayWord {
    Timestamps,
    Nonces,
    /// Only between agents
    None,
}

impl From<ReplayWord> for ReplayProtection {
    fn from(word: ReplayWord) -> Self {
        match word {
            ReplayWord::Timestamps => Self::Timestamps,
            ReplayWord::Nonces => Self::Nonces,
            ReplayWord::None => Self::None,
        }
    }
}
