//! Keeping the history of a cluster short: one of its users compacts it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;

use super::calls::Calls;
use crate::Revision;

/// Who compacts; outside of the tables, so that no mirror sees it.
const CLAIM: &str = "/mip4-compactor";
/// How the history is kept short.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// How much history stays.
    keep: Duration,
    /// How often it is looked at.
    every: Duration,
    /// After how many seconds another one takes over from a compactor that is gone.
    claim_seconds: i64,
}

/// Five minutes stay: no watch is away for longer and does better than loading everything.
pub(crate) const PACE: Pace =
    Pace { keep: Duration::from_secs(300), every: Duration::from_secs(60), claim_seconds: 150 };

/// Compacts for ever, whenever nobody else does.
pub(crate) async fn run(calls: Calls, pace: Pace) {
    let mut octets = [0; 8];
    // A name that two instances share would only make both compact.
    let _ = getrandom::fill(&mut octets);
    let name = format!("{:016x}", u64::from_be_bytes(octets));
    let mut seen = VecDeque::new();
    loop {
        if let Err(status) = round(&calls, &name, &mut seen, pace).await {
            tracing::debug!(%status, "the history is not compacted this time");
        }
        tokio::time::sleep(pace.every).await;
    }
}

async fn round(
    calls: &Calls,
    name: &str,
    seen: &mut VecDeque<(Instant, Revision)>,
    pace: Pace,
) -> Result<(), Status> {
    seen.push_back((Instant::now(), calls.newest().await?));
    let Some(revision) = due(seen, Instant::now(), pace.keep) else { return Ok(()) };
    if calls.claim(CLAIM, name, pace.claim_seconds).await? {
        calls.compact(revision).await?;
        tracing::debug!(%revision, "compacted the history");
    }
    Ok(())
}

/// The newest revision that is at least as old as `keep`; what was seen before it is forgotten.
fn due(seen: &mut VecDeque<(Instant, Revision)>, now: Instant, keep: Duration) -> Option<Revision> {
    let mut due = None;
    while let Some((at, revision)) = seen.front()
        && now.duration_since(*at) >= keep
    {
        due = Some(*revision);
        seen.pop_front();
    }
    due
}

#[cfg(test)]
impl Pace {
    /// So quick that a test can wait for it.
    pub(crate) const QUICK: Self = Self {
        keep: Duration::from_millis(300),
        every: Duration::from_millis(100),
        claim_seconds: 1,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_younger_than_five_minutes_stays() {
        let begun = Instant::now();
        let minute = |number: u32| begun + number * Duration::from_secs(60);
        let mut seen: VecDeque<_> =
            (0..8).map(|number| (minute(number), Revision(u64::from(number) * 10))).collect();
        assert_eq!(due(&mut seen, minute(4), PACE.keep), None);
        assert_eq!(due(&mut seen, minute(7), PACE.keep), Some(Revision(20)));
        assert_eq!(seen.len(), 5);
        assert_eq!(due(&mut seen, minute(7), PACE.keep), None);
    }
}
