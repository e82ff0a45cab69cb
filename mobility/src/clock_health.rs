//! What the timestamps of mobile nodes say of our own clock.
//!
//! A node whose clock is off is refused and sets its clock by ours (RFC 5944 §5.7.1), so a home
//! agent whose clock is wrong makes all clocks wrong, and after that everybody agrees. What is
//! remembered is therefore who disagreed lately, not who agrees at the end.

use std::time::Duration;

use store::{ClockHealth, ClockState, Identity, Now, Time};

/// Of how many nodes the opinion is kept; each has its place, so that one counts once.
const PLACES: usize = 64;

/// How long an opinion counts.
const WINDOW: Duration = Duration::from_secs(900);

/// Less than this, in milliseconds, is no other clock: a step that only mends a drift.
const STEP_MIN: u64 = 1000;

/// Fewer nodes than these say nothing.
const NODES_MIN: u32 = 3;

/// What one node's timestamps said.
#[derive(Clone, Copy, Debug)]
struct Opinion {
    at: Time,
    /// When it disagreed last, and how far ahead of ours its clock was then, in milliseconds.
    disagreed: Option<(Time, i64)>,
}

/// The opinions of some nodes, chosen by nobody.
#[derive(Debug)]
pub(crate) struct ClockOpinions {
    places: Box<[Option<Opinion>; PLACES]>,
    /// How far our clock had been stepped when they were given.
    step: i64,
}

impl Default for ClockOpinions {
    fn default() -> Self {
        Self { places: Box::new([None; PLACES]), step: 0 }
    }
}

impl ClockOpinions {
    /// Notes an authentic timestamp: within the tolerance, or so many milliseconds ahead.
    pub(crate) fn note(&mut self, node: &Identity, disagrees_by: Option<i64>, now: Now) {
        if self.are_of_another_clock(now) {
            *self = Self { step: now.clock_step, ..Self::default() };
        }
        let Some(place) = self.places.get_mut(place(node)) else { return };
        let now = now.uptime;
        let before = place.and_then(|opinion| opinion.disagreed);
        let disagreed = disagrees_by.map(|offset| (now, offset)).or(before);
        *place = Some(Opinion { at: now, disagreed });
    }

    /// What most of them say.
    pub(crate) fn health(&self, now: Now) -> ClockHealth {
        let is_other = self.are_of_another_clock(now);
        let lately = |at: Time| !is_other && now.uptime.since(at) <= WINDOW;
        let opinions = self.places.iter().flatten().filter(|opinion| lately(opinion.at));
        let (mut nodes, mut offsets) = (0, Vec::new());
        for opinion in opinions {
            nodes += 1;
            offsets.extend(opinion.disagreed.filter(|(at, _)| lately(*at)).map(|(_, by)| by));
        }
        offsets.sort_unstable();
        let disagreeing = u32::try_from(offsets.len()).unwrap_or(u32::MAX);
        let state = match (nodes >= NODES_MIN, disagreeing.saturating_mul(2) > nodes) {
            (false, _) => ClockState::Unknown,
            (true, false) => ClockState::Good,
            (true, true) => ClockState::Suspect,
        };
        let offset = offsets.get(offsets.len() / 2).copied();
        ClockHealth { state, nodes, disagreeing, offset }
    }

    /// Whether somebody has set our clock since: what was said of it is said of it no more.
    fn are_of_another_clock(&self, now: Now) -> bool {
        now.clock_step.abs_diff(self.step) > STEP_MIN
    }
}

/// The place of a node.
fn place(node: &Identity) -> usize {
    let sum = |octets: &[u8]| {
        octets.iter().fold(0_usize, |sum, octet| sum.wrapping_mul(31).wrapping_add((*octet).into()))
    };
    let sum = match node {
        Identity::Address(address) => sum(&address.octets()),
        Identity::Nai(nai) => sum(nai.as_str().as_bytes()),
    };
    sum % PLACES
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(seconds: u64) -> Now {
        let uptime = Time::from_uptime(Duration::from_secs(seconds));
        Now { uptime, ..Now::default() }
    }

    fn node(number: u8) -> Identity {
        Identity::Address(Ipv4Addr::new(10, 0, 0, number))
    }

    #[test]
    fn few_nodes_say_nothing_and_most_decide() {
        let mut opinions = ClockOpinions::default();
        opinions.note(&node(1), Some(3_600_000), at(1));
        assert_eq!(opinions.health(at(1)).state, ClockState::Unknown);
        for number in 2..30 {
            opinions.note(&node(number), None, at(1));
        }
        let health = opinions.health(at(2));
        assert_eq!((health.state, health.disagreeing), (ClockState::Good, 1));
    }

    #[test]
    fn nodes_that_gave_in_have_disagreed_all_the_same() {
        let mut opinions = ClockOpinions::default();
        for number in 1..30 {
            opinions.note(&node(number), Some(i64::from(number) * 1000), at(1));
            opinions.note(&node(number), None, at(2));
        }
        let health = opinions.health(at(3));
        assert_eq!(health.state, ClockState::Suspect);
        assert_eq!(health.nodes, health.disagreeing);
        assert!(
            health.offset.is_some_and(|offset| (5_000..25_000).contains(&offset)),
            "{health:?}"
        );
        let stepped = Now { clock_step: 15_000, ..at(3) };
        assert_eq!(opinions.health(stepped).state, ClockState::Unknown, "it is another clock now");
        // Opinions end, and one node has one.
        assert_eq!(opinions.health(at(1000)).state, ClockState::Unknown);
        for _ in 0..100 {
            opinions.note(&node(1), Some(0), at(2000));
        }
        assert_eq!(opinions.health(at(2000)).nodes, 1);
    }
}
