//! Transport addresses as rows have them (`TDomain` and `TAddress`, RFC 2579 §2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::Oid;

/// `snmpUDPDomain` (RFC 3417 §2): an IPv4 address and a port.
const SNMP_UDP_DOMAIN: &[u32] = &[1, 3, 6, 1, 6, 1, 1];
/// `transportDomainUdpIpv4`, `…UdpIpv6` and `…UdpIpv6z` (RFC 3419 §2).
const UDP_IPV4: &[u32] = &[1, 3, 6, 1, 2, 1, 100, 1, 1];
const UDP_IPV6: &[u32] = &[1, 3, 6, 1, 2, 1, 100, 1, 2];
const UDP_IPV6Z: &[u32] = &[1, 3, 6, 1, 2, 1, 100, 1, 4];

/// A domain, and an address of it; both may be still empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TransportAddress {
    pub domain: Oid,
    pub octets: Vec<u8>,
}

impl TransportAddress {
    /// Whether notifications can be sent in this domain.
    pub(crate) fn is_supported(domain: &[u32]) -> bool {
        [SNMP_UDP_DOMAIN, UDP_IPV4, UDP_IPV6, UDP_IPV6Z].contains(&domain)
    }

    /// Where to send to; `None` if the address is none of its domain.
    pub fn socket(&self) -> Option<SocketAddr> {
        let domain: &[u32] = &self.domain;
        let (octets, port) = self.octets.split_last_chunk::<2>()?;
        let port = u16::from_be_bytes(*port);
        if domain == SNMP_UDP_DOMAIN || domain == UDP_IPV4 {
            let address: [u8; 4] = octets.try_into().ok()?;
            return Some((Ipv4Addr::from(address), port).into());
        }
        if domain == UDP_IPV6 {
            let address: [u8; 16] = octets.try_into().ok()?;
            return Some((Ipv6Addr::from(address), port).into());
        }
        if domain == UDP_IPV6Z {
            let (address, zone) = octets.split_last_chunk::<4>()?;
            let address: [u8; 16] = address.try_into().ok()?;
            let zone = u32::from_be_bytes(*zone);
            return Some(SocketAddrV6::new(address.into(), port, 0, zone).into());
        }
        None
    }
}

impl From<SocketAddr> for TransportAddress {
    fn from(address: SocketAddr) -> Self {
        let port = address.port().to_be_bytes();
        match (address.ip(), address) {
            (IpAddr::V4(ip), _) => {
                let octets = [&ip.octets()[..], &port].concat();
                Self { domain: SNMP_UDP_DOMAIN.into(), octets }
            }
            (IpAddr::V6(ip), SocketAddr::V6(v6)) if v6.scope_id() != 0 => {
                let octets = [&ip.octets()[..], &v6.scope_id().to_be_bytes(), &port].concat();
                Self { domain: UDP_IPV6Z.into(), octets }
            }
            (IpAddr::V6(ip), _) => {
                let octets = [&ip.octets()[..], &port].concat();
                Self { domain: UDP_IPV6.into(), octets }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_domain_survive() {
        for text in ["192.0.2.7:162", "[2001:db8::1]:10162", "[fe80::1%3]:162"] {
            let address: SocketAddr = text.parse().unwrap();
            let row = TransportAddress::from(address);
            assert_eq!(row.socket(), Some(address));
            assert!(TransportAddress::is_supported(&row.domain));
            let shorter = TransportAddress { octets: row.octets[1..].to_vec(), ..row };
            assert_eq!(shorter.socket(), None, "an address of another length is none");
        }
        assert_eq!(TransportAddress::default().socket(), None);
    }
}
