//! Numbers as people read them.

/// Of a core.
pub(super) fn percent(cores: f64) -> String {
    format!("{:.2} % of a core", cores * 100.0)
}

/// Two digits are enough of a rate.
#[must_use]
pub fn in_words(rate: f64) -> String {
    let rate = rate.max(0.0);
    let grain = 10_f64.powf(rate.max(10.0).log10().floor() - 1.0);
    let rounded = (rate / grain).round() * grain;
    match rounded {
        ..1e4 => format!("{rounded:.0}"),
        ..1e6 => format!("{:.0} thousand", rounded / 1e3),
        _ => format!("{:.1} million", rounded / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn rates_in_words() {
        let words = [0.4, 7.0, 123.0, 9_870.0, 12_345.0, 987_654.0, 1_234_567.0].map(in_words);
        let expected = [
            "0",
            "7",
            "120",
            "9900",
            "12 thousand",
            "990 thousand",
            "1.2 million",
        ];
        assert_eq!(words, expected);
    }
}
