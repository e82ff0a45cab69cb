//! `mip4d check`

use std::io::{self, Write as _};

use crate::cli::ConfigArgs;
use crate::config::{Config, StoreConfig};
use crate::exit::Failure;

/// Checks a file and says what it configures.
pub(crate) fn check(args: &ConfigArgs) -> Result<(), Failure> {
    let config = Config::load(&args.config)?;
    for warning in &config.warnings {
        drop(writeln!(io::stderr(), "mip4d: warning: {warning}"));
    }
    // A closed pipe is no reason to fail.
    drop(writeln!(io::stdout(), "{}: {}", config.path.display(), summary(&config)));
    Ok(())
}

/// What the file configures, in a line.
fn summary(config: &Config) -> String {
    let mut parts = Vec::new();
    parts.push(match &config.store {
        StoreConfig::Owned { path, .. } => format!("store {}", path.display()),
        StoreConfig::Connected(connected) => format!("store {}", connected.url),
    });
    if let Some(home_agent) = &config.home_agent {
        parts.push(format!("home agent {}", home_agent.address));
    }
    if let Some(foreign_agent) = &config.foreign_agent {
        parts.push(format!("foreign agent {}", foreign_agent.address));
    }
    if let Some(gateway) = &config.gateway {
        parts.push(format!("gateway {}", gateway.address()));
    }
    if let Some(mobile_node) = &config.mobile_node {
        let identity = match (&mobile_node.home_address, &mobile_node.nai) {
            (Some(address), _) => address.to_string(),
            (None, Some(nai)) => nai.to_string(),
            (None, None) => String::new(),
        };
        parts.push(format!("mobile node {identity}"));
    }
    for advertise in &config.advertise {
        let (role, interface) = (advertise.role.as_str(), &advertise.interface);
        parts.push(format!("advertises the {role} on {interface}"));
    }
    if let Some(snmp) = &config.snmp {
        let listen: Vec<String> = snmp.listen.iter().map(ToString::to_string).collect();
        parts.push(format!("SNMP {}", listen.join(" ")));
    }
    parts.push(match config.associations.len() {
        1 => "1 association".to_owned(),
        count => format!("{count} associations"),
    });
    format!("good: {}", parts.join(", "))
}
