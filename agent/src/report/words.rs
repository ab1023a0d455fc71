//! Times, sizes and places in few characters.

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

/// The end of `text`: a path's last parts tell more than its first.
fn shortened(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.into();
    }
    let kept: String = text.chars().skip(length - width + 1).collect();
    format!("…{kept}")
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
pub(super) fn size(bytes: u64) -> String {
    match bytes as f64 {
        b if b < 1024.0 => format!("{b} B"),
        b if b < 1024.0 * 1024.0 => format!("{:.0} KiB", b / 1024.0),
        b => format!("{:.1} MiB", b / 1024.0 / 1024.0),
    }
}
