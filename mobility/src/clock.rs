//! Timestamps as the Identification has them: NTP's 64-bit format (RFC 5944 §5.7.1).

use std::time::Duration;

use store::UtcTime;
use wire::Identification;

/// Seconds from NTP's epoch, 1900, to that of UTC stamps, 1970.
const NTP_OFFSET_SECONDS: i64 = 2_208_988_800;

/// `utc` in NTP format; eras wrap, as they do on the wire.
pub(crate) fn ntp(utc: UtcTime) -> Identification {
    let seconds = utc.0.div_euclid(1000).wrapping_add(NTP_OFFSET_SECONDS);
    let milliseconds = utc.0.rem_euclid(1000);
    let fraction = (milliseconds << 32) / 1000;
    // Both halves are cut to 32 bits, which is what the era does to the seconds.
    let [.., a, b, c, d] = seconds.to_be_bytes();
    let [.., e, f, g, h] = fraction.to_be_bytes();
    Identification(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// How far `later` is ahead of `earlier`, in units of 2⁻³² s; negative if it is behind.
///
/// Serial arithmetic: right across the change of era in 2036, and unambiguous
/// for instants less than 68 years apart.
pub(crate) fn ahead(later: Identification, earlier: Identification) -> i64 {
    later.0.wrapping_sub(earlier.0).cast_signed()
}

/// Whether two timestamps are at most `tolerance` apart.
pub(crate) fn is_close(one: Identification, other: Identification, tolerance: Duration) -> bool {
    let tolerance =
        (u128::from(u64::try_from(tolerance.as_millis()).unwrap_or(u64::MAX)) << 32) / 1000;
    u128::from(ahead(one, other).unsigned_abs()) <= tolerance
}

/// How far `stamp` is ahead of `utc`, in milliseconds.
pub(crate) fn offset_milliseconds(stamp: Identification, utc: UtcTime) -> i64 {
    let offset = i128::from(ahead(stamp, ntp(utc))) * 1000;
    i64::try_from(offset >> 32).unwrap_or(0)
}

/// A timestamp of 32 bits, which counts seconds (RFC 3543 §3.2): the upper half of [`ntp`].
///
/// A reading: the RFC does not say what its unit is; seconds are what one message a second needs.
pub(crate) fn seconds(stamp: UtcTime) -> u32 {
    ntp(stamp).high()
}

/// Whether a timestamp of 32 bits is later than another; serial arithmetic, right across 2036.
pub(crate) const fn is_later(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() > 0
}

/// The later of two timestamps of 32 bits.
pub(crate) const fn later(one: u32, other: u32) -> u32 {
    if is_later(one, other) { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_of_utc_is_70_years_after_that_of_ntp() {
        assert_eq!(ntp(UtcTime(0)), Identification::from_halves(2_208_988_800, 0));
        assert_eq!(ntp(UtcTime(1500)), Identification::from_halves(2_208_988_801, 1 << 31));
    }

    #[test]
    fn time_goes_on_across_the_era_of_2036() {
        let before = UtcTime((4_294_967_296 - NTP_OFFSET_SECONDS) * 1000 - 1);
        let after = UtcTime(before.0 + 2);
        assert!(ntp(after).high() < ntp(before).high());
        assert!(ahead(ntp(after), ntp(before)) > 0);
        assert!(is_close(ntp(after), ntp(before), Duration::from_secs(1)));
        assert_eq!(offset_milliseconds(ntp(after), before), 2);
    }

    #[test]
    fn tolerance_is_inclusive_on_both_sides() {
        let now = ntp(UtcTime(1_800_000_000_000));
        for (offset, close) in [(7_000, true), (-7_000, true), (7_002, false), (-7_002, false)] {
            let stamp = ntp(UtcTime(1_800_000_000_000 + offset));
            assert_eq!(is_close(stamp, now, Duration::from_secs(7)), close, "{offset}");
        }
    }
}
