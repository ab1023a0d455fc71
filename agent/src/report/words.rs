//! Times, sizes and places in few characters.

use std::borrow::Cow;

use crate::report::Place;

/// `HH:MM:SS` of an RFC 3339 time.
pub(super) fn clock(time: &str) -> &str {
    time.get(11..19).unwrap_or(time)
}

pub(super) fn coverage(coverage: f64) -> String {
    if coverage >= 1.0 {
        String::new()
    } else {
        format!("; {:.1} % of goroutines tracked", coverage * 100.0)
    }
}

/// `file:line`, as editors and terminals understand it.
pub(super) fn line(place: &Place) -> String {
    match (&place.file, place.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        _ => place.function.clone(),
    }
}

/// The place and its function in at most `width` columns; where both do not fit, the end of the
/// place, which leads to the line.
pub(super) fn place(place: &Place, width: usize) -> String {
    let whole = format!("{} {}", line(place), place.function);
    if whole.chars().count() <= width {
        whole
    } else {
        shortened(&line(place), width)
    }
}

/// The end of `text`: a path's last parts tell more than its first. It begins at a slash where
/// there is one near.
pub(super) fn shortened(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.into();
    }
    let kept: String = text
        .chars()
        .skip(length - width.saturating_sub(1))
        .collect();
    match kept.find('/') {
        Some(slash) if slash <= kept.len() / 3 => format!("…{}", &kept[slash..]),
        _ => format!("…{kept}"),
    }
}

/// The beginning of `text`.
pub(super) fn clipped(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `items` with commas between them, in lines of at most `width` columns. The first line begins with
/// `title`, the others with as many spaces.
pub(super) fn listed(title: &str, items: &[String], width: usize) -> String {
    let indent = title.chars().count();
    let room = width.saturating_sub(indent + 1).max(8);
    let mut text = title.to_owned();
    let mut column = 0;
    for (i, item) in items.iter().enumerate() {
        let mut item = clipped(item, room);
        if i + 1 < items.len() {
            item.push(',');
        }
        let length = item.chars().count();
        if column > 0 && column + 1 + length > room + 1 {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = 0;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(&item);
        column += length;
    }
    text
}

/// `text` in lines of at most `width` columns, where its words allow it.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let length = word.chars().count();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + length <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What a terminal obeys instead of showing it; also what changes the direction of the text behind it, or is
/// not seen, so that a name can look like another.
pub(crate) fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Text of the target's own making, without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_obeyed) {
        let escaped = |c: char| -> String {
            if is_obeyed(c) {
                c.escape_default().collect()
            } else {
                c.into()
            }
        };
        text.chars().map(escaped).collect()
    } else {
        text.into()
    }
}

/// A number of things: `1 goroutine`, `2 goroutines`.
pub(super) fn number(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// A process, which a core file may not name.
pub(super) fn pid(pid: Option<i32>) -> String {
    pid.map_or_else(|| "pid not known".into(), |pid| format!("pid {pid}"))
}

/// A duration in at most three digits.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// A size in binary units.
pub(crate) fn size(bytes: u64) -> String {
    match bytes as f64 {
        b if b < 1024.0 => format!("{b} B"),
        b if b < 1024.0 * 1024.0 => format!("{:.0} KiB", b / 1024.0),
        b if b < 1024.0 * 1024.0 * 1024.0 => format!("{:.1} MiB", b / 1024.0 / 1024.0),
        b => format!("{:.1} GiB", b / 1024.0 / 1024.0 / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_at_a_slash() {
        assert_eq!(
            shortened("/src/app/search.go:35", 21),
            "/src/app/search.go:35"
        );
        assert_eq!(shortened("/src/app/search.go:35", 18), "…/app/search.go:35");
        assert_eq!(shortened("/src/app/search.go:35", 17), "…/search.go:35");
        assert_eq!(shortened("/src/app/search.go:35", 10), "…rch.go:35");
        assert_eq!(shortened("/ä/öü", 4), "…/öü");
    }

    #[test]
    fn lists_are_wrapped() {
        let items: Vec<String> = (100..110).map(|n| n.to_string()).collect();
        assert_eq!(
            listed("  goroutines ", &items, 30),
            "  goroutines 100, 101, 102,\n             103, 104, 105,\n             106, 107, 108,\n             109"
        );
        assert_eq!(
            listed("labels: ", &["x".repeat(40), "y".into()], 20),
            format!("labels: {}…,\n        y", "x".repeat(10))
        );
        assert_eq!(listed("nothing: ", &[], 20), "nothing: ");
    }

    #[test]
    fn sentences_are_wrapped_between_words() {
        assert_eq!(wrapped("it waits for ever", 10), ["it waits", "for ever"]);
        assert_eq!(
            wrapped("a muchtoolongword b", 6),
            ["a", "muchtoolongword", "b"]
        );
        assert!(wrapped("", 10).is_empty());
    }

    #[test]
    fn a_terminal_is_given_no_orders() {
        assert_eq!(harmless("a\u{1b}[31mb\nc"), "a\\u{1b}[31mb\\nc");
        assert_eq!(harmless("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(harmless("päth"), "päth");
    }
}
