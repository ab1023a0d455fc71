//! Moments for people and programs.

use std::time::SystemTime;

/// `now` as RFC 3339 in UTC, with milliseconds.
#[must_use]
pub fn timestamp(now: SystemTime) -> String {
    jiff::Timestamp::try_from(now).map_or_else(
        // Only a clock thousands of years off.
        |_| "unknown".into(),
        |time| format!("{time:.3}"),
    )
}

/// Serializes `moment` as [`timestamp`] writes it.
pub(super) fn rfc3339<S: serde::Serializer>(
    moment: &SystemTime,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&timestamp(*moment))
}

/// The same of a moment in Unix seconds.
#[must_use]
pub fn timestamp_of(unix_seconds: i64) -> String {
    jiff::Timestamp::from_second(unix_seconds)
        .map_or_else(|_| "unknown".into(), |time| format!("{time:.3}"))
}

/// Nanoseconds from 1970 to an RFC 3339 time.
pub(crate) fn nanoseconds(time: &str) -> Option<i64> {
    let time: jiff::Timestamp = time.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    #[test]
    fn is_rfc_3339() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_000_000_120);
        assert_eq!(super::timestamp(moment), "2026-11-18T11:06:40.120Z");
    }

    #[test]
    fn is_read_back() {
        assert_eq!(
            super::nanoseconds("2026-11-18T11:06:40.120Z"),
            Some(1_795_000_000_120_000_000)
        );
        assert_eq!(super::nanoseconds("unknown"), None);
    }
}
