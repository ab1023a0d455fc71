//! The tables.

use super::figures::{self, Cost};
use super::watch::LIMIT;
use super::{ROUNDS, Row};
use crate::bench::{Spread, verdict};

const PERCENT: f64 = 100.0;
const NONE: &str = "–";

/// Prints all of them.
pub(super) fn print(rows: &[Row]) {
    work(rows);
    println!();
    cost(rows);
    println!();
    by_hand(rows);
    notes(rows);
}

fn work(rows: &[Row]) {
    println!(
        "| load | GOMAXPROCS | watched | operations a second | with the agent to without, median of {ROUNDS} (min–max) | without to without | p99, ms | with the agent to without | without to without | leak found after, s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let without = figures::without(&row.rounds);
        let [throughput, throughput_noise] = match figures::throughput(row.load.pace, &row.rounds) {
            Some(ratio) => [
                format!("{:.3}{}", ratio.with, verdict(ratio.keeps_throughput())),
                format!("{:.3}", ratio.without),
            ],
            None => [NONE; 2].map(str::to_owned),
        };
        let [late, late_noise] = match figures::latency(&row.rounds) {
            Some(ratio) => [
                format!("{:.2}{}", ratio.with, verdict(ratio.keeps_latency())),
                format!("{:.2}", ratio.without),
            ],
            None => [NONE; 2].map(str::to_owned),
        };
        println!(
            "| {} | {} | {} | {:.0} | {throughput} | {throughput_noise} | {} | {late} | {late_noise} | {} |",
            row.load.name,
            row.processors,
            figures::modes(&row.rounds),
            without.operations,
            without
                .late
                .map_or(NONE.to_owned(), |late| format!("{late:.2}")),
            found(row)
        );
    }
}

fn found(row: &Row) -> String {
    match &row.found {
        None => NONE.to_owned(),
        Some(Some(found)) => format!("{:.0} ({})", found.after.as_secs_f64(), found.verdict),
        Some(None) => format!("not found in {}{}", LIMIT.as_secs(), verdict(false)),
    }
}

fn cost(rows: &[Row]) {
    println!(
        "| % of a core | GOMAXPROCS | program without | agent | added to the program | both, measured | the same without to without, at most | as the agent says | stated to measured |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let cost = Cost::of(row.load.pace, &row.rounds);
        println!(
            "| {} | {} | {:.1} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2}{} | {}{} |",
            row.load.name,
            row.processors,
            figures::without(&row.rounds).cores * PERCENT,
            percent(cost.agent),
            percent(cost.target),
            percent(cost.measured),
            cost.noise * PERCENT,
            percent(cost.stated),
            verdict(cost.keeps_budget()),
            cost.honesty()
                .map_or("noise".to_owned(), |ratio| format!("{ratio:.2}")),
            verdict(cost.is_honest())
        );
    }
}

fn by_hand(rows: &[Row]) {
    println!(
        "| `bpftrace`, a line for each goroutine | GOMAXPROCS | operations a second | to without | its own processor time, % of a core | added to the program, % of a core | goroutines told of, a second |"
    );
    println!("|---|---|---|---|---|---|---|");
    for row in rows {
        let Ok(naive) = &row.naive else {
            println!(
                "| {} | {} | not measured | | | | |",
                row.load.name, row.processors
            );
            continue;
        };
        let without = figures::without(&row.rounds);
        let ratio = figures::throughput(row.load.pace, &row.rounds).map_or_else(
            || NONE.to_owned(),
            |_| format!("{:.3}", naive.window.operations / without.operations),
        );
        println!(
            "| {} | {} | {:.0} | {ratio} | {:.1} | {:.1} | {:.0} |",
            row.load.name,
            row.processors,
            naive.window.operations,
            naive.cores * PERCENT,
            figures::added(row.load.pace, without, naive.window) * PERCENT,
            naive.told
        );
    }
}

fn notes(rows: &[Row]) {
    let costs: Vec<_> = rows
        .iter()
        .filter_map(|row| Some(row.cost_of_goroutine? * 1e6))
        .collect();
    if !costs.is_empty() {
        println!(
            "\nA goroutine's creation and end under watch cost {:.2} µs here, as the agent found when it attached.",
            Spread::of(&costs)
        );
    }
    if let Some(reason) = rows.iter().find_map(|row| row.naive.as_ref().err()) {
        println!("\nNot everything was measured with `bpftrace`: {reason}.");
    }
}

fn percent(cores: Spread) -> Spread {
    Spread {
        median: cores.median * PERCENT,
        min: cores.min * PERCENT,
        max: cores.max * PERCENT,
    }
}
