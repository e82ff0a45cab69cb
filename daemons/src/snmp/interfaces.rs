//! The interfaces of this host, as the kernel shows them below `/sys/class/net`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use agent::mib::{Interface, Traffic};

/// Flags of an interface (`linux/if.h`).
const IFF_UP: u32 = 0x1;
const IFF_PROMISC: u32 = 0x100;

/// The interfaces below `folder`, by index; what cannot be read is left out.
pub(crate) fn interfaces(folder: &Path) -> BTreeMap<u32, Interface> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| interface(&entry.path())).collect()
}

fn interface(path: &Path) -> Option<(u32, Interface)> {
    let index = number(path, "ifindex")?;
    let flags = text(path, "flags").unwrap_or_default();
    let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0);
    let count = |name: &str| number(&path.join("statistics"), name).unwrap_or(0);
    let received = Traffic {
        octets: count("rx_bytes"),
        packets: count("rx_packets"),
        multicast: count("multicast"),
        discards: count("rx_dropped"),
        errors: count("rx_errors"),
    };
    let sent = Traffic {
        octets: count("tx_bytes"),
        packets: count("tx_packets"),
        multicast: 0,
        discards: count("tx_dropped"),
        errors: count("tx_errors"),
    };
    // It is −1, or cannot be read at all, where there is no such thing.
    let megabits: Option<i64> = number(path, "speed");
    let speed = megabits.and_then(|speed| u64::try_from(speed).ok()).map(|it| it * 1_000_000);
    Some((
        index,
        Interface {
            name: path.file_name()?.to_string_lossy().into_owned(),
            alias: text(path, "ifalias").unwrap_or_default(),
            kind: kind(number(path, "type").unwrap_or(0)),
            mtu: number(path, "mtu").unwrap_or(0),
            speed,
            address: address(&text(path, "address").unwrap_or_default()),
            is_admin_up: flags & IFF_UP != 0,
            oper_status: oper_status(&text(path, "operstate").unwrap_or_default()),
            is_promiscuous: flags & IFF_PROMISC != 0,
            received,
            sent,
        },
    ))
}

fn text(folder: &Path, name: &str) -> Option<String> {
    fs::read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned())
}

fn number<T: FromStr>(folder: &Path, name: &str) -> Option<T> {
    text(folder, name)?.parse().ok()
}

/// `IANAifType` of an `ARPHRD_…`: ethernetCsmacd, ppp, softwareLoopback, tunnel, or other.
fn kind(hardware: u32) -> i32 {
    match hardware {
        1 => 6,
        512 => 23,
        772 => 24,
        768 | 769 | 776 | 778 | 823 => 131,
        _ => 1,
    }
}

/// `ifOperStatus` of a state (RFC 2863 §6).
fn oper_status(state: &str) -> i32 {
    match state {
        "up" => 1,
        "down" => 2,
        "testing" => 3,
        "dormant" => 5,
        "notpresent" => 6,
        "lowerlayerdown" => 7,
        _ => 4,
    }
}

fn address(text: &str) -> Vec<u8> {
    text.split(':').map_while(|octet| u8::from_str_radix(octet, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_loopback_interface() {
        let all = interfaces(Path::new("/sys/class/net"));
        let Some(loopback) = all.values().find(|interface| interface.name == "lo") else { return };
        assert_eq!((loopback.kind, loopback.address.len()), (24, 6));
        assert!(loopback.mtu > 0 && loopback.speed.is_none());
        assert!(interfaces(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn addresses_and_states() {
        assert_eq!(address("02:42:ac:11:00:02"), [2, 0x42, 0xac, 0x11, 0, 2]);
        assert!(address("").is_empty());
        assert_eq!([oper_status("up"), oper_status("unknown")], [1, 4]);
    }
}
