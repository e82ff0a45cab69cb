//! `agentx`: where a master agent listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// `unix:/var/agentx/master` or `tcp:127.0.0.1:705` (RFC 2741 §8).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum MasterAddress {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl FromStr for MasterAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (transport, address) = text.split_once(':').ok_or("it names no transport")?;
        match transport {
            "unix" if address.starts_with('/') => Ok(Self::Unix(address.into())),
            "unix" => Err("its path does not start with `/`"),
            "tcp" => address.parse().map(Self::Tcp).map_err(|_| "it is no address and port"),
            _ => Err("its transport is unknown"),
        }
    }
}

impl fmt::Display for MasterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}
