//! Real time: measuring it is what this crate is for.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time now.
#[expect(clippy::disallowed_methods, reason = "benchmarks measure real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "a slow disk is made by waiting, and a process is watched at moments"
)]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

/// Today's date as year, month and day, by the calendar of UTC.
#[expect(clippy::disallowed_methods, reason = "a published number has a date")]
pub(crate) fn today() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    date(seconds / 86_400)
}

/// The date of a day that is counted from 1 January 1970 (the algorithm of Howard Hinnant, for days after that).
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn days_have_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_778), "2026-11-21");
        assert_eq!(date(20_818), "2026-12-31");
    }
}
