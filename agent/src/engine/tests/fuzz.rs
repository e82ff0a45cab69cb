//! 100,000 messages, the same ones each time, and as many as `MIP4_FUZZ_MESSAGES` says in
//! `cargo xtask soak`: raw octets, mutated messages, and well-formed messages of every version
//! with anything in them. Nothing panics, every message is accounted for, and memory stays flat.

use rasn_snmp::v2::Pdus;

use super::super::*;
use super::v3::{manager, world as v3_world};
use super::world::{ROOT, World, message, name};
use crate::message::{PduType, V3Message};

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(u64::try_from(len).unwrap())).unwrap()
    }

    fn octet(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn number(&mut self) -> i32 {
        let [.., a, b, c, d] = self.next().to_be_bytes();
        let edges = [0, 1, -1, 127, 128, 255, 256, i32::MAX, i32::MIN];
        if self.below(2) == 0 { edges[self.index(9)] } else { i32::from_be_bytes([a, b, c, d]) }
    }

    fn name(&mut self) -> Vec<u32> {
        let mut sub_id = || match self.below(4) {
            0 => u32::MAX,
            1 => self.number().cast_unsigned(),
            _ => u32::try_from(self.below(320)).unwrap(),
        };
        let tail: Vec<u32> = (0..5).map(|_| sub_id()).collect();
        let tail = &tail[..self.index(6)];
        match self.below(3) {
            0 => [&[1, 3, 6, 1], tail].concat(),
            1 => [ROOT, tail].concat(),
            _ => [&[1, 3, 6, 1, 6, 3], tail].concat(),
        }
    }
}

const TYPES: [PduType; 9] = [
    PduType::Get,
    PduType::GetNext,
    PduType::Response,
    PduType::Set,
    PduType::TrapV1,
    PduType::GetBulk,
    PduType::Inform,
    PduType::Trap,
    PduType::Report,
];

fn well_formed(random: &mut Random) -> Vec<u8> {
    let kind = TYPES[random.index(TYPES.len())];
    let names: Vec<_> = (0..random.below(12)).map(|_| random.name()).collect();
    let numbers = [random.number(), random.number(), random.number()];
    if random.below(3) == 0 {
        return manager(kind, random.below(4) == 0, &names);
    }
    let community = ["public", "public", "public", "private", ""][random.index(5)];
    let version = [0, 1, 1, 1, 2][random.index(5)];
    message(version, community, kind, numbers, &names)
}

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut octets = well_formed(random);
    for _ in 0..=random.below(4) {
        let place = random.index(octets.len());
        match random.below(4) {
            0 => octets[place] = random.octet(),
            1 => octets[place] ^= 1 << random.below(8),
            2 => octets.insert(place, random.octet()),
            _ => octets.truncate(place + 1),
        }
    }
    octets
}

fn raw(random: &mut Random) -> Vec<u8> {
    let mut octets: Vec<u8> = (0..random.below(120)).map(|_| random.octet()).collect();
    if let [first, second, ..] = octets.as_mut_slice() {
        (*first, *second) = (0x30, 0x76);
    }
    octets
}

/// Every count that says why a message was not answered.
fn reasons(counters: &Counters) -> u64 {
    [
        counters.in_bad_versions,
        counters.in_bad_community_names,
        counters.in_asn_parse_errs,
        counters.silent_drops,
        counters.unknown_security_models,
        counters.invalid_msgs,
        counters.unknown_pdu_handlers,
        counters.unknown_contexts,
        counters.usm_unsupported_sec_levels,
        counters.usm_not_in_time_windows,
        counters.usm_unknown_user_names,
        counters.usm_unknown_engine_ids,
        counters.usm_wrong_digests,
        counters.usm_decryption_errors,
    ]
    .into_iter()
    .map(u64::from)
    .sum()
}

/// A response or a report that `rasn`, or our own reader for SNMPv3, understands.
fn is_an_answer(octets: &[u8]) -> bool {
    if V3Message::parse(octets).is_ok() {
        return true;
    }
    let message = rasn::ber::decode::<rasn_snmp::v2c::Message<Pdus>>(octets);
    message.is_ok_and(|message| matches!(message.data, Pdus::Response(_)))
}

/// How many messages are tried.
fn messages() -> u32 {
    let wanted = std::env::var("MIP4_FUZZ_MESSAGES").ok();
    wanted.map_or(100_000, |number| number.parse().unwrap())
}

/// What of the memory of this process is resident.
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// In a process of its own, whose memory no other test uses.
#[test]
fn every_message_is_answered_or_counted() {
    const ALONE: &str = "MIP4_FUZZ_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return fuzz();
    }
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", "--nocapture"]).env(ALONE, "1");
    alone.arg(
        concat!(module_path!(), "::every_message_is_answered_or_counted")
            .split_once("::")
            .unwrap()
            .1,
    );
    assert!(alone.status().unwrap().success());
}

#[expect(clippy::print_stdout, reason = "its figures are for who runs the large numbers")]
fn fuzz() {
    let messages = messages();
    let mut world: World = v3_world();
    let mut random = Random(0x5eed);
    let (mut replies, mut silent) = (0, 0);
    let mut resident_early = 0;
    for number in 0..messages {
        if number == messages / 10 {
            resident_early = resident_kilobytes();
        }
        let octets = match random.below(4) {
            0 => raw(&mut random),
            1 => mutated(&mut random),
            _ => well_formed(&mut random),
        };
        let before = reasons(&world.counters());
        let reply = world.send(&octets);
        let counted = reasons(&world.counters()) - before;
        match reply {
            Some(reply) => {
                replies += 1;
                assert!(is_an_answer(&reply), "{octets:02x?} -> {reply:02x?}");
                assert!(counted <= 1, "{octets:02x?}");
            }
            // An SNMPv3 response or report answers no request of ours: RFC 3412
            // §7.2 step 10 discards it without a counter.
            None if counted == 0 => {
                silent += 1;
                assert!(V3Message::parse(&octets).is_ok(), "{octets:02x?}");
            }
            None => assert_eq!(counted, 1, "{octets:02x?}"),
        }
    }
    let counters = world.counters();
    assert_eq!(counters.in_pkts, messages);
    assert_eq!(counters.out_pkts, replies);
    assert!(replies > messages / 7 && silent < messages / 10, "{replies}, {silent} silent");
    // Every reason is met; none of the seeds is in vain.
    assert!(counters.in_asn_parse_errs > messages / 20 && counters.usm_wrong_digests > 10);
    let grown = resident_kilobytes().saturating_sub(resident_early);
    assert!(grown < 8192, "{grown} kB more after {messages} messages");
    println!(
        "{messages} messages: {replies} answered, {silent} discarded without a counter, \
         {} malformed, {} with a wrong digest, {grown} kB grown",
        counters.in_asn_parse_errs, counters.usm_wrong_digests
    );
    // And the engine still serves.
    assert_eq!(world.get(&[name(&[1, 7])]).status, 0);
}
