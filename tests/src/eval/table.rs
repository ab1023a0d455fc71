//! Rows and columns, as text or Markdown.

use std::fmt::Write as _;

use super::Evaluated;
use super::judging::{Found, Judged};
use super::options::Format;
use super::recording::Verdict;
use super::score::Level;

const HEAD: [&str; 9] = [
    "program",
    "expected",
    "verdict",
    "suspect, s",
    "likely, s",
    "line",
    "pattern",
    "elsewhere",
    "missed",
];

/// What is in a cell where there is nothing to say.
const NOTHING: &str = "–";

/// Everything found out with one release.
#[must_use]
pub fn whole(evaluated: &Evaluated, format: Format) -> String {
    let mut text = match format {
        Format::Markdown => format!("### {}\n\n", evaluated.release),
        Format::Text | Format::Json => format!("{}\n\n", evaluated.release),
    };
    let mut rows = vec![HEAD.map(str::to_owned)];
    for judged in &evaluated.programs {
        if judged.leaks.is_empty() {
            rows.push(healthy(judged));
        }
        for (number, found) in judged.leaks.iter().enumerate() {
            rows.push(leaking(judged, found, number == 0));
        }
    }
    text += &lines(&rows, format);
    text += &summary(evaluated, format);
    text
}

fn leaking(judged: &Judged, found: &Found, first: bool) -> [String; 9] {
    let seconds = |value: Option<f64>| value.map_or(NOTHING.to_owned(), |s| format!("{s:.0}"));
    let (line, pattern) = match (found.verdict, &found.pattern) {
        (None, _) if judged.elsewhere.is_empty() => (NOTHING, NOTHING.to_owned()),
        (None, _) => ("wrong", NOTHING.to_owned()),
        (Some(_), None) => ("right", "none".to_owned()),
        (Some(_), Some(known)) if *known == found.expected_pattern => ("right", known.clone()),
        (Some(_), Some(known)) => ("right", format!("{known}, not {}", found.expected_pattern)),
    };
    [
        if judged.leaks.len() > 1 {
            format!("{}: {}", judged.name, found.marker)
        } else {
            judged.name.clone()
        },
        found.due.word().to_owned(),
        found.verdict.map_or(NOTHING, Verdict::word).to_owned(),
        seconds(found.suspect_seconds),
        seconds(found.likely_seconds),
        line.to_owned(),
        pattern,
        if first {
            elsewhere(judged)
        } else {
            String::new()
        },
        if first { missed(judged) } else { String::new() },
    ]
}

fn healthy(judged: &Judged) -> [String; 9] {
    let nothing = || NOTHING.to_owned();
    let mut row: [String; 9] = std::array::from_fn(|_| nothing());
    row[0].clone_from(&judged.name);
    row[1] = "healthy".to_owned();
    if let Some(worst) = judged.worst_elsewhere() {
        row[2] = worst.verdict.word().to_owned();
        // Of each level the one that came first.
        let at = |level: Verdict| {
            judged
                .elsewhere
                .iter()
                .filter(|wrong| wrong.verdict >= level)
                .map(|wrong| wrong.after_seconds)
                .min_by(f64::total_cmp)
                .map_or_else(nothing, |s| format!("{s:.0}"))
        };
        row[3] = at(Verdict::Suspect);
        row[4] = at(Verdict::Likely);
    }
    row[7] = elsewhere(judged);
    row[8] = missed(judged);
    row
}

fn elsewhere(judged: &Judged) -> String {
    judged
        .worst_elsewhere()
        .map_or(NOTHING.to_owned(), |worst| {
            let others = judged.elsewhere.len() - 1;
            let more = if others > 0 {
                format!(" and {others} more")
            } else {
                String::new()
            };
            format!("{} {}{more}", worst.verdict.word(), worst.place)
        })
}

fn missed(judged: &Judged) -> String {
    match judged.misses.len() {
        0 => String::new(),
        _ => "MISSED".to_owned(),
    }
}

fn lines(rows: &[[String; 9]], format: Format) -> String {
    let mut text = String::new();
    if format == Format::Markdown {
        for (number, row) in rows.iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if number == 0 {
                let _ = writeln!(text, "|{}", "---|".repeat(HEAD.len()));
            }
        }
        return text;
    }
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(line, "{cell:<0$}  ", width(column));
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn summary(evaluated: &Evaluated, format: Format) -> String {
    let score = &evaluated.score;
    // Markdown joins lines that are not a list.
    let item = if format == Format::Markdown { "- " } else { "" };
    let mut text = String::from("\n");
    for (name, level) in [("likely", &score.likely), ("suspect", &score.suspect)] {
        let _ = writeln!(text, "{item}{name}: {}", of_level(level));
    }
    let _ = writeln!(
        text,
        "{item}pattern recognised: {} of {} leaks; advice given: {}",
        score.patterns, score.leaks, score.advised
    );
    let _ = writeln!(
        text,
        "{item}{} programs at a time, which with their agents took {} cores; the machine was {} busy",
        evaluated.jobs,
        evaluated
            .cores
            .map_or(NOTHING.to_owned(), |c| format!("{c:.2}")),
        percent(evaluated.busy)
    );
    let misses: Vec<_> = evaluated
        .programs
        .iter()
        .flat_map(|judged| judged.misses.iter().map(|miss| (&judged.name, miss)))
        .collect();
    if misses.is_empty() {
        let _ = writeln!(text, "{item}every target was met\n");
        return text;
    }
    let _ = writeln!(text, "{item}{} missed:", misses.len());
    for (name, miss) in misses {
        let _ = writeln!(
            text,
            "  {}{name}: {miss}",
            if item.is_empty() { "  " } else { item }
        );
    }
    text.push('\n');
    text
}

fn of_level(level: &Level) -> String {
    let seconds = |value: Option<f64>| value.map_or(NOTHING.to_owned(), |s| format!("{s:.0} s"));
    format!(
        "precision {} ({} right, {} wrong), recall {} ({} of {} in time), median {}, worst {}",
        percent(level.precision()),
        level.right,
        level.wrong,
        percent(level.recall()),
        level.in_time,
        level.due,
        seconds(level.median_seconds),
        seconds(level.worst_seconds)
    )
}

fn percent(share: Option<f64>) -> String {
    share.map_or("not known".to_owned(), |s| format!("{:.1} %", s * 100.0))
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
