//! Keeping the history of a cluster short: one of its users compacts it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;

use super::calls::Calls;
use crate::Revision;

/// Who compacts; outside of the tables, so that no mirror sees it.
const CLAIM: &str = "/mip4-compactor";
/// How much history stays.
const KEEP: Duration = Duration::from_secs(300);
/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(60);
/// After how many seconds another one takes over from a compactor that is gone.
const CLAIM_SECONDS: i64 = 150;

/// Compacts for ever, whenever nobody else does.
pub(crate) async fn run(calls: Calls) {
    let mut octets = [0; 8];
    // A name that two instances share would only make both compact.
    let _ = getrandom::fill(&mut octets);
    let name = format!("{:016x}", u64::from_be_bytes(octets));
    let mut seen = VecDeque::new();
    loop {
        if let Err(status) = round(&calls, &name, &mut seen).await {
            tracing::debug!(%status, "the history is not compacted this time");
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn round(
    calls: &Calls,
    name: &str,
    seen: &mut VecDeque<(Instant, Revision)>,
) -> Result<(), Status> {
    seen.push_back((Instant::now(), calls.newest().await?));
    let Some(revision) = due(seen, Instant::now()) else { return Ok(()) };
    if calls.claim(CLAIM, name, CLAIM_SECONDS).await? {
        calls.compact(revision).await?;
        tracing::debug!(%revision, "compacted the history");
    }
    Ok(())
}

/// The newest revision that is at least [`KEEP`] old; what was seen before it is forgotten.
fn due(seen: &mut VecDeque<(Instant, Revision)>, now: Instant) -> Option<Revision> {
    let mut due = None;
    while let Some((at, revision)) = seen.front()
        && now.duration_since(*at) >= KEEP
    {
        due = Some(*revision);
        seen.pop_front();
    }
    due
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
        assert_eq!(due(&mut seen, minute(4)), None);
        assert_eq!(due(&mut seen, minute(7)), Some(Revision(20)));
        assert_eq!(seen.len(), 5);
        assert_eq!(due(&mut seen, minute(7)), None);
    }
}
