//! What is done with octets of unknown origin: every decoder of `wire`, and what must hold of what
//! it accepts. The fuzz targets and the replay of their corpus in `wire`'s tests share it.

use wire::{
    AgentAdvertisement, AgentSolicitation, Authentication, AuthenticationAlgorithm, Challenge,
    DynamicHomeAgent, EncapsulatingDeliveryStyle, Extension, ForeignAgentError,
    GeneralizedAuthentication, GenericNotification, GenericNotificationAcknowledgement,
    GfaIpAddress, GreKey, HierarchicalForeignAgent, MessageString, MobileNetwork, Nai, NaiCarrying,
    RegionalRegistrationLifetime, RegionalRegistrationReply, RegionalRegistrationRequest,
    RegistrationExtensions, RegistrationReply, RegistrationRequest, RegistrationRevocation,
    RegistrationRevocationAcknowledgment, ReplayProtectionStyle, RevocationSupport, SecretKey,
    TunnelData, UdpTunnelReply, UdpTunnelRequest, VendorExtension, extensions, verify,
};

/// A decoder, and what it does with octets.
pub(crate) type Decoder = (&'static str, fn(&[u8]));

/// Every decoder, under the name of its fuzz target.
pub(crate) const DECODERS: &[Decoder] = &[
    ("advertisement", advertisement),
    ("extensions", walk),
    ("message_extensions", message_extensions),
    ("notification", notification),
    ("notification_acknowledgement", notification_acknowledgement),
    ("regional_reply", regional_reply),
    ("regional_request", regional_request),
    ("registration_reply", registration_reply),
    ("registration_request", registration_request),
    ("revocation", revocation),
    ("revocation_acknowledgment", revocation_acknowledgment),
    ("solicitation", solicitation),
    ("tunnel_data", tunnel_data),
];

/// A message: what was parsed and the rest are the octets again.
macro_rules! message {
    ($name:ident, $kind:ty) => {
        pub(crate) fn $name(octets: &[u8]) {
            if let Ok((message, rest)) = <$kind>::parse(octets) {
                let mut again = Vec::new();
                message.emit(&mut again);
                assert_eq!(again.len(), <$kind>::LEN);
                again.extend(rest);
                assert_eq!(again, octets);
            } else {
                assert!(octets.len() < <$kind>::LEN || octets.first() != Some(&<$kind>::TYPE));
            }
        }
    };
}

message!(notification, GenericNotification);
message!(notification_acknowledgement, GenericNotificationAcknowledgement);
message!(regional_reply, RegionalRegistrationReply);
message!(regional_request, RegionalRegistrationRequest);
message!(registration_reply, RegistrationReply);
message!(registration_request, RegistrationRequest);
message!(revocation, RegistrationRevocation);
message!(revocation_acknowledgment, RegistrationRevocationAcknowledgment);
message!(tunnel_data, TunnelData);

/// The extensions of a whole message, with their authentication.
pub(crate) fn message_extensions(octets: &[u8]) {
    let Ok(found) = RegistrationExtensions::parse(octets) else { return };
    let sides = found.before_mobile_home().count() + found.after_mobile_home().count();
    assert_eq!(sides + usize::from(found.mobile_home.is_some()), found.all().count());
    assert!(octets.starts_with(found.through_mobile_home()));
    for extension in found.all().flatten() {
        read(&extension);
        if let Ok(generalized) = GeneralizedAuthentication::parse(octets, &extension) {
            authenticate(octets, &generalized.authentication);
        }
    }
    for authentication in
        [found.mobile_home, found.mobile_foreign, found.foreign_home].iter().flatten()
    {
        authenticate(octets, authentication);
    }
    let _ = found.vendors_before().count() + found.vendors_after().count();
}

/// Extensions alone.
pub(crate) fn walk(octets: &[u8]) {
    let mut end = 0;
    let mut failed = false;
    for extension in extensions(octets) {
        assert!(!failed, "nothing follows an error");
        let Ok(extension) = extension else {
            failed = true;
            continue;
        };
        assert!(end <= extension.start && extension.start < extension.end);
        assert_eq!(octets.get(extension.start), Some(&extension.kind));
        end = extension.end;
        assert!(octets.get(..end).is_some_and(|front| front.ends_with(extension.body)));
        read(&extension);
    }
    let rest = octets.get(end..).unwrap_or_default();
    assert!(
        failed || rest.iter().all(|&octet| octet == 0),
        "the walk stops at an error or the end"
    );
}

/// Gives an extension to every reader; what one accepts is the same after it was written.
fn read(extension: &Extension<'_>) {
    macro_rules! reader {
        ($parse:expr) => {
            if let Ok(value) = $parse(extension) {
                let mut octets = Vec::new();
                let _ = value.emit(&mut octets);
                let again = extensions(&octets).next().and_then(Result::ok);
                assert_eq!(again.as_ref().map($parse), Some(Ok(value)));
            }
        };
    }
    reader!(Challenge::parse);
    reader!(DynamicHomeAgent::parse);
    reader!(EncapsulatingDeliveryStyle::parse);
    reader!(ForeignAgentError::parse);
    reader!(GfaIpAddress::parse);
    reader!(GreKey::parse);
    reader!(HierarchicalForeignAgent::parse);
    reader!(MessageString::parse);
    reader!(MobileNetwork::parse);
    reader!(Nai::parse);
    reader!(NaiCarrying::parse);
    reader!(RegionalRegistrationLifetime::parse);
    reader!(ReplayProtectionStyle::parse);
    reader!(RevocationSupport::parse);
    reader!(UdpTunnelReply::parse);
    reader!(UdpTunnelRequest::parse);
    reader!(VendorExtension::parse);
}

fn authenticate(message: &[u8], authentication: &Authentication<'_>) {
    assert!(message.starts_with(authentication.covered));
    let Ok(key) = SecretKey::from_ascii("a key that no seed was made with") else { return };
    for algorithm in [
        AuthenticationAlgorithm::HmacMd5,
        AuthenticationAlgorithm::KeyedMd5,
        AuthenticationAlgorithm::HmacSha1,
        AuthenticationAlgorithm::HmacSha256,
    ] {
        assert!(!verify(authentication, algorithm, &key));
    }
}

/// An ICMP message as it is, and with a checksum that lets its contents be looked at.
pub(crate) fn advertisement(octets: &[u8]) {
    for octets in [octets.to_vec(), with_checksum(octets)] {
        if let Ok(advertisement) = AgentAdvertisement::parse(&octets) {
            let mut again = Vec::new();
            assert_eq!(advertisement.emit(&mut again), Ok(()));
            assert_eq!(AgentAdvertisement::parse(&again), Ok(advertisement));
        }
    }
}

/// The same for a solicitation.
pub(crate) fn solicitation(octets: &[u8]) {
    for octets in [octets.to_vec(), with_checksum(octets)] {
        if let Ok(solicitation) = AgentSolicitation::parse(&octets) {
            let mut again = Vec::new();
            solicitation.emit(&mut again);
            assert_eq!(AgentSolicitation::parse(&again), Ok(solicitation));
        }
    }
}

/// Sets the checksum as RFC 1071 §1 says, by another sum than that of `wire`.
fn with_checksum(octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    let Some(field) = octets.get_mut(2..4) else { return octets };
    field.fill(0);
    let mut sum: u64 = octets
        .chunks(2)
        .map(|word| {
            word.iter().chain(&[0]).take(2).fold(0, |sum, &octet| sum << 8 | u64::from(octet))
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    if let (Some(field), [.., a, b]) = (octets.get_mut(2..4), (!sum).to_be_bytes()) {
        field.copy_from_slice(&[a, b]);
    }
    octets
}
