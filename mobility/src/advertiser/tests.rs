//! What an advertiser may be told to send.

use super::*;

fn config(flags: u16) -> AdvertiserConfig {
    let source = Ipv4Addr::new(192, 0, 2, 1);
    let mut config = AdvertiserConfig::new("fa", Role::ForeignAgent, 2, source, [1; 32]);
    config.flags = AdvertisementFlags(flags);
    config.care_of_addresses = vec![source];
    config
}

#[test]
fn an_advertisement_outlives_three_intervals() {
    let config = config(AdvertisementFlags::FOREIGN_AGENT);
    assert!(config.interval_max * 3 <= Duration::from_secs(config.lifetime.into()));
    let short = AdvertiserConfig { lifetime: 599, ..config };
    assert_eq!(short.check(), Err(AdvertiserConfigError::Lifetime));
}

#[test]
fn an_advertiser_has_one_of_two_destinations() {
    for (destination, good) in [
        (Ipv4Addr::new(224, 0, 0, 1), true),
        (Ipv4Addr::BROADCAST, true),
        (Ipv4Addr::new(224, 0, 0, 11), false),
        (Ipv4Addr::new(192, 0, 2, 255), false),
    ] {
        let config = AdvertiserConfig { destination, ..config(AdvertisementFlags::FOREIGN_AGENT) };
        assert_eq!(config.check().is_ok(), good, "{destination}");
    }
}

#[test]
fn flags_of_a_foreign_agent_need_one() {
    use AdvertisementFlags as Flags;
    use AdvertiserConfigError as Error;
    let check = |flags| config(flags).check();
    assert_eq!(check(0), Err(Error::NoAgent));
    assert_eq!(check(Flags::HOME_AGENT), Ok(()));
    assert_eq!(check(Flags::HOME_AGENT | Flags::FOREIGN_AGENT | Flags::BUSY), Ok(()));
    assert_eq!(check(Flags::HOME_AGENT | Flags::BUSY), Err(Error::FlagsOfForeignAgent));
    let required = Flags::HOME_AGENT | Flags::REGISTRATION_REQUIRED;
    assert_eq!(check(required), Err(Error::FlagsOfForeignAgent));
    let mut offers_nothing = config(Flags::FOREIGN_AGENT);
    offers_nothing.care_of_addresses.clear();
    assert_eq!(offers_nothing.check(), Err(Error::NoCareOfAddress));
}
