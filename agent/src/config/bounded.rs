//! Values that know their bounds, so that an error of the parser has the line they stand on.

use std::time::Duration;

use serde::Deserialize;

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
        let period = parsed(&text).ok_or_else(|| {
            "a time is a number and its unit, such as \"500ms\", \"15s\", \"5m\" or \"1h\""
                .to_owned()
        })?;
        let (min, max) = (Duration::from_millis(MIN), Duration::from_millis(MAX));
        if (min..=max).contains(&period) {
            Ok(Self(period))
        } else {
            Err(format!("this time lies between {min:?} and {max:?}"))
        }
    }
}

fn parsed(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let unit = match unit {
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * unit).ok()
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
            Err("this time lies between 100ms and 60s".into())
        );
        for wrong in ["", "5", "s", "-1s", "1d", "1.2.3s", "99999999999999999999h"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
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
