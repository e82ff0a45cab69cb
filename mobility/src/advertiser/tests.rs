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

/// What is told to the advertiser while it runs is in the next advertisement, and the numbers go on.
#[test]
fn another_configuration_is_advertised_next() {
    let mut advertiser =
        Advertiser::new(config(AdvertisementFlags::FOREIGN_AGENT), now_at(Time::default()))
            .unwrap();
    let due = advertiser.next_deadline().unwrap();
    assert_eq!(advertiser.on_deadline(now_at(due)).actions.len(), 1);
    let mut other = config(AdvertisementFlags::FOREIGN_AGENT);
    other.registration_lifetime = Lifetime(321);
    let wrong = AdvertiserConfig { lifetime: 3, ..other.clone() };
    assert_eq!(
        advertiser.reconfigure(wrong, now_at(due)),
        Err(AdvertiserConfigError::Lifetime),
        "and nothing has changed"
    );
    assert_eq!(advertiser.config().registration_lifetime, Lifetime(1800));
    advertiser.reconfigure(other, now_at(due)).unwrap();
    let next = advertiser.next_deadline().unwrap();
    assert!(next.since(due) <= MAX_INITIAL_ADVERT_INTERVAL);
    let mobility = mobility_of(&advertiser.on_deadline(now_at(next)));
    assert_eq!((mobility.registration_lifetime, mobility.sequence_number), (Lifetime(321), 1));
}

/// Nothing is sent while it is suspended, but once, in a while, that nothing will be.
#[test]
fn who_is_suspended_says_so_late_and_once() {
    let mut advertiser =
        Advertiser::new(config(AdvertisementFlags::FOREIGN_AGENT), now_at(Time::default()))
            .unwrap();
    let due = advertiser.next_deadline().unwrap();
    drop(advertiser.on_deadline(now_at(due)));
    advertiser.suspend(now_at(due));
    let farewell = advertiser.next_deadline().unwrap();
    assert_eq!(farewell.since(due), MAX_INITIAL_ADVERT_INTERVAL);
    let [Action::SendIcmp { octets, .. }] = &advertiser.on_deadline(now_at(farewell)).actions[..]
    else {
        panic!("one message")
    };
    assert_eq!(AgentAdvertisement::parse(octets).unwrap().lifetime, 0);
    assert_eq!(advertiser.next_deadline(), None);
    assert!(advertiser.shut_down(now_at(farewell)).actions.is_empty(), "it was said");
    let resumed = advertiser.config().clone();
    advertiser.reconfigure(resumed, now_at(farewell)).unwrap();
    assert!(advertiser.next_deadline().is_some());
}

/// That moment, on both clocks.
fn now_at(time: Time) -> Now {
    Now { uptime: time, utc: store::UtcTime(0), clock_step: 0 }
}

fn mobility_of(output: &Output) -> MobilityAgentAdvertisement {
    let [Action::SendIcmp { octets, .. }] = &output.actions[..] else { panic!("one message") };
    AgentAdvertisement::parse(octets).unwrap().mobility.unwrap()
}
