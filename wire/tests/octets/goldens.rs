//! Messages to octets and back, against files that judges written by others read too:
//! `tests/test_wire_goldens.py` holds `wire/goldens/*.hex` to `tshark`, to Scapy, and to decoders
//! drawn from the figures of the RFCs.
//!
//! `UPDATE_GOLDENS=1` writes the files anew.

use std::net::Ipv4Addr;

use wire::{
    AdvertisementFlags, AgentAdvertisement, AgentSolicitation, AuthenticationAlgorithm, Challenge,
    Code, DynamicHomeAgent, EncapsulatingDeliveryStyle, Flags, ForeignAgentError,
    GeneralizedAuthentication, GenericNotification, GenericNotificationAcknowledgement,
    GfaIpAddress, GreKey, HierarchicalForeignAgent, Identification, Lifetime, MessageDirection,
    MessageString, MobileNetwork, MobileNetworkCode, MobilityAgentAdvertisement, Nai, NaiCarrying,
    RegionalRegistrationLifetime, RegionalRegistrationReply, RegionalRegistrationRequest,
    RegistrationExtensions, RegistrationReply, RegistrationRequest, RegistrationRevocation,
    RegistrationRevocationAcknowledgment, ReplayProtectionStyle, RevocationSupport, RouterAddress,
    SecretKey, Spi, TunnelData, UdpTunnelReply, UdpTunnelRequest, VendorExtension,
    append_authentication, append_generalized_authentication, extension_type, verify,
};

use crate::store::golden;

const HOME_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 7);
const HOME_AGENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CARE_OF_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);
/// 2026-11-23 20:00:00.5 UTC in NTP time.
const IDENTIFICATION: Identification = Identification(0xeeaf_19c0_8000_0000);

const HMAC_MD5: AuthenticationAlgorithm = AuthenticationAlgorithm::HmacMd5;

fn mobile_home_key() -> SecretKey {
    SecretKey::from_hex("00112233445566778899aabbccddeeff").unwrap()
}

fn foreign_key() -> SecretKey {
    SecretKey::from_ascii("foreign and home").unwrap()
}

/// Appends and, to see that it is found again, verifies.
fn authenticate(message: &mut Vec<u8>, kind: u8) {
    if kind == extension_type::MOBILE_HOME_AUTHENTICATION {
        append_authentication(message, kind, Spi(1000), HMAC_MD5, &mobile_home_key());
        let found = RegistrationExtensions::parse(message).unwrap().mobile_home.unwrap();
        assert!(verify(&found, HMAC_MD5, &mobile_home_key()));
    } else {
        append_authentication(message, kind, Spi(2000), HMAC_MD5, &foreign_key());
        let found = RegistrationExtensions::parse(message).unwrap();
        let found = found.foreign_home.or(found.mobile_foreign).unwrap();
        assert!(verify(&found, HMAC_MD5, &foreign_key()));
    }
}

fn request() -> RegistrationRequest {
    RegistrationRequest {
        flags: Flags(Flags::DECAPSULATION_BY_MOBILE_NODE | Flags::REVERSE_TUNNEL),
        lifetime: Lifetime(1800),
        home_address: HOME_ADDRESS,
        home_agent: HOME_AGENT,
        care_of_address: CARE_OF_ADDRESS,
        identification: IDENTIFICATION,
    }
}

fn reply(code: Code) -> RegistrationReply {
    RegistrationReply {
        code,
        lifetime: Lifetime(600),
        home_address: HOME_ADDRESS,
        home_agent: HOME_AGENT,
        identification: IDENTIFICATION,
    }
}

/// Appends what a value emits, and gives back where it begins.
macro_rules! append {
    ($message:expr, $value:expr) => {{
        let start = $message.len();
        $value.emit(&mut $message);
        start
    }};
}

/// Finds the first extension of a type in a message and reads it.
macro_rules! read {
    ($message:expr, $kind:ident, $parse:expr) => {
        $parse(
            &RegistrationExtensions::parse(&$message)
                .unwrap()
                .first(extension_type::$kind)
                .unwrap(),
        )
        .unwrap()
    };
}

#[test]
fn registration_request() {
    let mut message = Vec::new();
    append!(message, request());
    append!(message, Nai::new("node7@example.net").unwrap());
    authenticate(&mut message, 32);
    golden("registration-request", &message);

    let (parsed, _) = RegistrationRequest::parse(&message).unwrap();
    assert_eq!(parsed, request());
    let found = RegistrationExtensions::parse(&message).unwrap();
    assert_eq!(found.nai.unwrap().as_str(), "node7@example.net");
    assert_eq!(found.mobile_home.unwrap().spi, Spi(1000));

    // The same, relayed by a foreign agent.
    let support = RevocationSupport { flags: RevocationSupport::INFORM, timestamp: 1_000_000 };
    append!(message, support);
    authenticate(&mut message, 34);
    golden("registration-request-relayed", &message);
    assert_eq!(read!(message, REVOCATION_SUPPORT, RevocationSupport::parse), support);
}

#[test]
fn registration_request_with_every_algorithm() {
    for algorithm in [
        AuthenticationAlgorithm::KeyedMd5,
        AuthenticationAlgorithm::HmacSha1,
        AuthenticationAlgorithm::HmacSha256,
    ] {
        let mut message = Vec::new();
        append!(message, request());
        append_authentication(&mut message, 32, Spi(1000), algorithm, &mobile_home_key());
        golden(&format!("registration-request-{algorithm}"), &message);
        let found = RegistrationExtensions::parse(&message).unwrap().mobile_home.unwrap();
        assert!(verify(&found, algorithm, &mobile_home_key()));
    }
}

#[test]
fn registration_request_with_what_a_node_may_ask() {
    let flags = Flags(0xff);
    let mut message = Vec::new();
    append!(message, RegistrationRequest { flags, ..request() });
    let tunnel = UdpTunnelRequest {
        reserved_1: 0,
        flags: UdpTunnelRequest::FORCE,
        encapsulation: 47,
        reserved_3: 0,
    };
    append!(message, tunnel);
    let network = MobileNetwork::Request { prefix_length: 24, prefix: Ipv4Addr::new(10, 1, 2, 0) };
    append!(message, network);
    let critical =
        VendorExtension { critical: true, vendor: 9, vendor_type: 14, value: b"critical" };
    critical.emit(&mut message).unwrap();
    let normal = VendorExtension { critical: false, value: b"normal", ..critical };
    normal.emit(&mut message).unwrap();
    authenticate(&mut message, 32);
    append!(message, EncapsulatingDeliveryStyle);
    Challenge(&[0xc4, 0xa1, 0x1e, 0x9e]).emit(&mut message).unwrap();
    authenticate(&mut message, 33);
    golden("registration-request-full", &message);

    assert_eq!(RegistrationRequest::parse(&message).unwrap().0.flags, flags);
    assert_eq!(read!(message, UDP_TUNNEL_REQUEST, UdpTunnelRequest::parse), tunnel);
    assert_eq!(read!(message, MOBILE_NETWORK, MobileNetwork::parse), network);
    assert_eq!(read!(message, CHALLENGE, Challenge::parse).0, [0xc4, 0xa1, 0x1e, 0x9e]);
    let found = RegistrationExtensions::parse(&message).unwrap();
    assert_eq!(found.vendors_before().collect::<Vec<_>>(), [critical, normal]);
    assert_eq!((found.duplicate, found.misplaced), (None, None));
}

/// Long layouts, which `tshark` takes for simple ones: RFC 4433 §3.4 makes 139 skippable and long
/// (RFC 5944 §1.10 rules that out), and 48 is younger than the dissector.
#[test]
fn registration_request_with_long_extensions() {
    let mut message = Vec::new();
    append!(message, request());
    let dynamic = DynamicHomeAgent { subtype: DynamicHomeAgent::REQUESTED, home_agent: HOME_AGENT };
    append!(message, dynamic);
    append!(message, GreKey(0x0102_0304));
    authenticate(&mut message, 32);
    golden("registration-request-long", &message);
    assert_eq!(read!(message, DYNAMIC_HOME_AGENT, DynamicHomeAgent::parse), dynamic);
    assert_eq!(read!(message, GRE_KEY, GreKey::parse), GreKey(0x0102_0304));
}

#[test]
fn registration_reply() {
    let mut message = Vec::new();
    append!(message, reply(Code::ACCEPTED));
    append!(message, Nai::new("node7@example.net").unwrap());
    authenticate(&mut message, 32);
    golden("registration-reply", &message);
    assert_eq!(RegistrationReply::parse(&message).unwrap().0, reply(Code::ACCEPTED));

    let mut message = Vec::new();
    append!(message, reply(Code(133)));
    let words = MessageString { from: MessageString::FROM_HOME_AGENT, text: "clock is off" };
    words.emit(&mut message).unwrap();
    let tunnel = UdpTunnelReply {
        reply_code: UdpTunnelReply::DECLINED,
        flags: UdpTunnelReply::FORCED,
        keepalive_interval: 110,
    };
    append!(message, tunnel);
    authenticate(&mut message, 32);
    append!(message, ForeignAgentError(Code(71)));
    golden("registration-reply-denied", &message);
    assert_eq!(read!(message, MESSAGE_STRING, MessageString::parse), words);
    assert_eq!(read!(message, UDP_TUNNEL_REPLY, UdpTunnelReply::parse), tunnel);
    assert_eq!(
        read!(message, FOREIGN_AGENT_ERROR, ForeignAgentError::parse),
        ForeignAgentError(Code(71))
    );
}

#[test]
fn registration_reply_with_regional_extensions() {
    let mut message = Vec::new();
    append!(message, reply(Code::ACCEPTED_NO_SIMULTANEOUS_BINDINGS));
    append!(message, GfaIpAddress(GATEWAY));
    let network = MobileNetwork::Acknowledgement {
        explicit: true,
        code: MobileNetworkCode::UNAUTHORIZED,
        prefix_length: 24,
        reserved: 0,
        prefix: Ipv4Addr::new(10, 1, 2, 0),
    };
    append!(message, network);
    authenticate(&mut message, 32);
    let style = ReplayProtectionStyle {
        style: ReplayProtectionStyle::NONCE,
        initial_identification: IDENTIFICATION,
    };
    append!(message, style);
    append!(message, RegionalRegistrationLifetime(300));
    let carrying =
        NaiCarrying { subtype: NaiCarrying::HOME_AGENT, nai: Nai::new("ha@example.net").unwrap() };
    carrying.emit(&mut message).unwrap();
    golden("registration-reply-regional", &message);

    assert_eq!(read!(message, GFA_IP_ADDRESS, GfaIpAddress::parse), GfaIpAddress(GATEWAY));
    assert_eq!(read!(message, MOBILE_NETWORK, MobileNetwork::parse), network);
    assert_eq!(read!(message, REPLAY_PROTECTION_STYLE, ReplayProtectionStyle::parse), style);
    assert_eq!(
        read!(message, REGIONAL_REGISTRATION_LIFETIME, RegionalRegistrationLifetime::parse),
        RegionalRegistrationLifetime(300)
    );
    assert_eq!(read!(message, NAI_CARRYING, NaiCarrying::parse), carrying);
}

#[test]
fn revocation() {
    let revocation = RegistrationRevocation {
        reserved: 0,
        flags: RegistrationRevocation::FROM_HOME_AGENT | RegistrationRevocation::INFORM,
        home_address: HOME_ADDRESS,
        home_domain_address: HOME_AGENT,
        foreign_domain_address: CARE_OF_ADDRESS,
        identifier: 1_000_007,
    };
    let mut message = Vec::new();
    append!(message, revocation);
    authenticate(&mut message, 34);
    golden("revocation", &message);
    assert_eq!(RegistrationRevocation::parse(&message).unwrap().0, revocation);

    let acknowledgment = RegistrationRevocationAcknowledgment {
        reserved: 0,
        flags: RegistrationRevocationAcknowledgment::INFORM,
        home_address: HOME_ADDRESS,
        identifier: 1_000_007,
    };
    let mut message = Vec::new();
    append!(message, acknowledgment);
    authenticate(&mut message, 34);
    golden("revocation-acknowledgment", &message);
    assert_eq!(RegistrationRevocationAcknowledgment::parse(&message).unwrap().0, acknowledgment);
}

#[test]
fn regional_registration() {
    let request = RegionalRegistrationRequest {
        flags: Flags(Flags::GRE),
        lifetime: Lifetime(300),
        home_address: HOME_ADDRESS,
        gfa_ip_address: GATEWAY,
        care_of_address: CARE_OF_ADDRESS,
        identification: IDENTIFICATION,
    };
    let mut message = Vec::new();
    append!(message, request);
    let key = foreign_key();
    let subtype = GeneralizedAuthentication::MOBILE_GATEWAY;
    append_generalized_authentication(&mut message, subtype, Spi(3000), HMAC_MD5, &key);
    append!(message, HierarchicalForeignAgent(CARE_OF_ADDRESS));
    let subtype = GeneralizedAuthentication::FOREIGN_FOREIGN;
    append_generalized_authentication(&mut message, subtype, Spi(3001), HMAC_MD5, &key);
    golden("regional-registration-request", &message);
    assert_eq!(RegionalRegistrationRequest::parse(&message).unwrap().0, request);
    let found = RegistrationExtensions::parse(&message).unwrap();
    for (subtype, spi) in [(3, 3000), (2, 3001)] {
        let authentication = found.generalized(subtype).unwrap();
        assert_eq!(authentication.spi, Spi(spi));
        assert!(verify(&authentication, HMAC_MD5, &key));
    }
    assert_eq!(
        read!(message, HIERARCHICAL_FOREIGN_AGENT, HierarchicalForeignAgent::parse),
        HierarchicalForeignAgent(CARE_OF_ADDRESS)
    );

    let reply = RegionalRegistrationReply {
        code: Code(193),
        lifetime: Lifetime::INFINITE,
        home_address: HOME_ADDRESS,
        gfa_ip_address: GATEWAY,
        identification: IDENTIFICATION,
    };
    let mut message = Vec::new();
    append!(message, reply);
    let subtype = GeneralizedAuthentication::MOBILE_GATEWAY;
    append_generalized_authentication(&mut message, subtype, Spi(3000), HMAC_MD5, &key);
    golden("regional-registration-reply", &message);
    assert_eq!(RegionalRegistrationReply::parse(&message).unwrap().0, reply);
}

#[test]
fn notification() {
    let notification = GenericNotification {
        direction: MessageDirection::HOME_AGENT_TO_MOBILE_NODE,
        flags: GenericNotification::ACKNOWLEDGE,
        home_address: HOME_ADDRESS,
        home_agent: HOME_AGENT,
        care_of_address: CARE_OF_ADDRESS,
        identification: IDENTIFICATION,
    };
    let mut message = Vec::new();
    append!(message, notification);
    let words = MessageString::cut(MessageString::FROM_HOME_AGENT, "maintenance at 22:00 ☾");
    words.emit(&mut message).unwrap();
    authenticate(&mut message, 32);
    golden("notification", &message);
    assert_eq!(GenericNotification::parse(&message).unwrap().0, notification);
    assert_eq!(read!(message, MESSAGE_STRING, MessageString::parse), words);

    let acknowledgement = GenericNotificationAcknowledgement {
        direction: MessageDirection::MOBILE_NODE_TO_HOME_AGENT,
        code: Code(197),
        reserved: 0,
        home_address: HOME_ADDRESS,
        home_agent: HOME_AGENT,
        care_of_address: CARE_OF_ADDRESS,
        identification: IDENTIFICATION,
    };
    let mut message = Vec::new();
    append!(message, acknowledgement);
    authenticate(&mut message, 32);
    golden("notification-acknowledgement", &message);
    assert_eq!(GenericNotificationAcknowledgement::parse(&message).unwrap().0, acknowledgement);
}

#[test]
fn tunnel_data() {
    let header = TunnelData { next_header: 4, reserved: 0 };
    // An IPv4 header without data, protocol 59 (nothing follows), its checksum added up by hand.
    let inner = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 59, 0xae, 0x44, 10, 99, 0, 7, 192, 0, 2, 1];
    let mut message = Vec::new();
    append!(message, header);
    message.extend(inner);
    golden("tunnel-data", &message);
    assert_eq!(TunnelData::parse(&message), Ok((header, &inner[..])));
}

#[test]
fn agent_discovery() {
    let advertisement = AgentAdvertisement {
        code: AgentAdvertisement::CODE_NO_COMMON_TRAFFIC,
        lifetime: 1800,
        routers: vec![
            RouterAddress { address: HOME_AGENT, preference: 0 },
            RouterAddress { address: GATEWAY, preference: -7 },
        ],
        mobility: Some(MobilityAgentAdvertisement {
            sequence_number: 258,
            registration_lifetime: Lifetime(600),
            flags: AdvertisementFlags(
                AdvertisementFlags::REGISTRATION_REQUIRED
                    | AdvertisementFlags::FOREIGN_AGENT
                    | AdvertisementFlags::GRE
                    | AdvertisementFlags::REVERSE_TUNNEL
                    | AdvertisementFlags::REVOCATION
                    | AdvertisementFlags::REGIONAL_REGISTRATION,
            ),
            care_of_addresses: vec![CARE_OF_ADDRESS, GATEWAY],
        }),
        prefix_lengths: Some(vec![24, 28]),
        challenge: Some(vec![1, 2, 3, 4]),
        foreign_agent_nai: Some(Nai::new("fa@example.net").unwrap()),
    };
    let mut message = Vec::new();
    advertisement.emit(&mut message).unwrap();
    golden("icmp-agent-advertisement", &message);
    assert_eq!(AgentAdvertisement::parse(&message), Ok(advertisement));

    let mut message = Vec::new();
    append!(message, AgentSolicitation::default());
    golden("icmp-agent-solicitation", &message);
    assert_eq!(AgentSolicitation::parse(&message), Ok(AgentSolicitation::default()));
}
