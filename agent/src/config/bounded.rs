//! Values that know their bounds, so that an error of the parser has the line they stand on.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// A time with its unit, such as `"15s"`, from `MIN` to `MAX` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Period<const MIN: u64, const MAX: u64>(Duration);

impl<const MIN: u64, const MAX: u64> Period<MIN, MAX> {
    /// So many milliseconds, or the nearest that is allowed.
    #[must_use]
    pub const fn of_milliseconds(milliseconds: u64) -> Self {
        let milliseconds = if milliseconds < MIN {
            MIN
        } else {
            milliseconds
        };
        let milliseconds = if milliseconds > MAX {
            MAX
        } else {
            milliseconds
        };
        Self(Duration::from_millis(milliseconds))
    }

    /// The time.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<String> for Period<MIN, MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let period = duration(&text)?;
        let (min, max) = (Duration::from_millis(MIN), Duration::from_millis(MAX));
        if (min..=max).contains(&period) {
            Ok(Self(period))
        } else {
            let (min, max) = (written(min), written(max));
            Err(format!("this time lies between {min} and {max}"))
        }
    }
}

/// As it is written in the configuration.
fn written(time: Duration) -> String {
    let milliseconds = time.as_millis();
    for (unit, name) in [(3_600_000, "h"), (60_000, "m"), (1000, "s")] {
        if milliseconds > 0 && milliseconds.is_multiple_of(unit) {
            return format!("{}{name}", milliseconds / unit);
        }
    }
    format!("{milliseconds}ms")
}

/// A number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Number<const MIN: usize, const MAX: usize>(usize);

impl<const MIN: usize, const MAX: usize> Number<MIN, MAX> {
    /// `number`, or the nearest that is allowed.
    #[must_use]
    pub const fn of(number: usize) -> Self {
        let number = if number < MIN { MIN } else { number };
        Self(if number > MAX { MAX } else { number })
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<i64> for Number<MIN, MAX> {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let number = usize::try_from(number).ok();
        number
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| format!("this number lies between {MIN} and {MAX}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_bounds() {
        type Short = Period<100, 60_000>;
        let read = |text: &str| Short::try_from(text.to_owned()).map(Short::get);
        assert_eq!(read("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(read("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(read("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(
            read("2m"),
            Err("this time lies between 100ms and 1m".into())
        );
        assert!(read("soon").is_err());
        let long = Period::<0, 86_400_000>::try_from("25h".to_owned());
        assert_eq!(long, Err("this time lies between 0ms and 24h".into()));
    }

    #[test]
    fn numbers_have_bounds() {
        type Few = Number<1, 10>;
        assert_eq!(Few::try_from(10).map(Few::get), Ok(10));
        assert!(Few::try_from(0).is_err());
        assert!(Few::try_from(-1).is_err());
        assert_eq!(Few::of(70).get(), 10);
    }
}
