//! Instants as text: RFC 3339, UTC, milliseconds.

use crate::UtcTime;

const MILLISECONDS_A_DAY: i64 = 86_400_000;

impl UtcTime {
    /// `2026-11-23T20:00:00.125Z`
    pub fn rfc3339(self) -> String {
        let days = self.0.div_euclid(MILLISECONDS_A_DAY);
        let milliseconds = self.0.rem_euclid(MILLISECONDS_A_DAY);
        let (year, month, day) = civil(days);
        let (seconds, fraction) = (milliseconds / 1000, milliseconds % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
    }
}

/// Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01.
///
/// Counts in eras of 400 years that start on 1 March, so that the leap day is
/// the last day of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    let since_march_of_year_0 = days + 719_468;
    let era = since_march_of_year_0.div_euclid(ERA);
    let day_of_era = since_march_of_year_0.rem_euclid(ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let month =
        if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: count the days of months and years one by one.
    fn days_before(year: i64, month: i64, day: i64) -> i64 {
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let years: i64 = (1970..year).map(|year| 365 + i64::from(leap(year))).sum();
        let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let months: i64 = lengths.iter().take(usize::try_from(month - 1).unwrap()).sum();
        years + months + day - 1
    }

    #[test]
    fn every_day_from_1970_to_2110_is_what_counting_gives() {
        for days in 0..51_000 {
            let (year, month, day) = civil(days);
            assert_eq!(days_before(year, month, day), days, "{year}-{month}-{day}");
            assert!((1..=12).contains(&month) && (1..=31).contains(&day));
        }
    }

    #[test]
    fn text_is_rfc3339() {
        assert_eq!(UtcTime(1_795_464_000_125).rfc3339(), "2026-11-23T20:00:00.125Z");
        assert_eq!(UtcTime(-1).rfc3339(), "1969-12-31T23:59:59.999Z");
    }
}
