//! Text that others chose, made fit to be shown.

use crate::report::is_obeyed;

/// `text` in one line of at most `most` characters, without what a terminal would obey.
pub(super) fn printable(text: &str, most: usize) -> String {
    let mut kept = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            kept.push('…');
            break;
        }
        match is_obeyed(c) {
            true => kept.extend(c.escape_default()),
            false => kept.push(c),
        }
    }
    kept
}

/// At most `most` bytes of `text`, whole characters, the end marked where something is missing.
pub(super) fn clipped(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// `text` with `%20` and the like decoded; `None` where that is no text.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_bounded_and_gives_no_orders() {
        assert_eq!(printable("a\u{1b}[31m\nb", 100), "a\\u{1b}[31m\\nb");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(clipped("abcdef", 6), "abcdef");
        assert_eq!(clipped("abcdefgh", 6), "abc…");
        assert_eq!(clipped("ääää", 6), "ä…");
    }

    #[test]
    fn per_cent_signs_are_decoded() {
        assert_eq!(percent_decoded("a%20b%C3%a4").as_deref(), Some("a bä"));
        for wrong in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(percent_decoded(wrong), None, "{wrong}");
        }
    }
}
