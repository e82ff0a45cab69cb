//! Messages that fail their checks: discarded, counted, and shown to the operator.

use std::net::Ipv4Addr;

use store::{Counter, Identity, Now};
use wire::{Identification, ParseError};

use crate::action::Output;
use crate::association::Failure;
use crate::tally::Tally;
use crate::violations::{Offence, Violations};

/// A role that discards what it must not act upon.
pub(crate) trait Refuse {
    /// What it counts, and who it takes for an offender.
    fn watch(&mut self) -> (&mut Tally, &mut Violations);

    /// It is no message, or none for this role.
    fn malformed(&mut self, error: &ParseError) -> Output {
        self.watch().0.count_malformed(error);
        Output::default()
    }

    /// Does nothing of what a message says that offends nobody.
    fn discard(&mut self, counter: Counter) -> Output {
        self.watch().0.count(counter);
        Output::default()
    }

    /// Takes down who sent something that failed a check.
    fn note_offence(
        &mut self,
        source: Ipv4Addr,
        identification: Identification,
        (reason, spi): Failure,
        now: Now,
    ) {
        let (tally, violations) = self.watch();
        tally.count(Counter::MipSecTotalViolations);
        let violator = Identity::Address(source);
        let address = source;
        violations
            .record(Offence { violator, address, spi, identification, reason, code: None }, now);
    }

    /// Does nothing of what a notification or its acknowledgement says, and says so to the operator.
    fn refuse_notification(
        &mut self,
        source: Ipv4Addr,
        identification: Identification,
        failure: Failure,
        now: Now,
    ) -> Output {
        self.note_offence(source, identification, failure, now);
        self.discard(Counter::NotificationsDiscarded)
    }

    /// The same of a revocation or its acknowledgment, without a word to who sent it (RFC 3543
    /// §3.3, §3.5).
    fn refuse_revocation(
        &mut self,
        source: Ipv4Addr,
        identifier: u32,
        failure: Failure,
        now: Now,
    ) -> Output {
        self.note_offence(source, Identification::from_halves(identifier, 0), failure, now);
        self.discard(Counter::RevocationsDiscarded)
    }
}
