//! The same check for each release and way to link, and what differs between them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::go::{Mode, Toolchain};

/// Runs `check` for each release and mode in a few threads.
pub fn for_all<T: Send>(
    toolchains: &[Toolchain],
    modes: &[Mode],
    check: impl Fn(&Toolchain, Mode) -> T + Sync,
) -> Vec<T> {
    let cells = toolchains
        .iter()
        .flat_map(|t| modes.iter().map(move |m| (t, *m)));
    let queue = Mutex::new(cells.collect::<Vec<_>>().into_iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let done = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((toolchain, mode)) = next() {
                    let result = check(toolchain, mode);
                    if let Ok(mut done) = done.lock() {
                        done.push(result);
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_default()
}

/// Differences, each with the cells that have it: most are the same in all releases. Their first lines
/// tell them apart; of what follows, that of one cell is shown.
#[derive(Default)]
pub struct Differences(BTreeMap<String, (String, Vec<String>)>);

impl Differences {
    /// Notes one, of one cell.
    pub fn add(&mut self, cell: &str, difference: impl Into<String>) {
        let text = difference.into();
        let first = text.lines().next().unwrap_or_default().to_owned();
        let known = self.0.entry(first).or_default();
        known.0 = format!("{text}\n    so in {cell}");
        known.1.push(cell.into());
    }

    /// Fails if there are any.
    ///
    /// # Panics
    /// There are some.
    #[track_caller]
    pub fn none(self) {
        let mut text = String::new();
        for (example, mut cells) in self.0.into_values() {
            cells.sort();
            cells.dedup();
            let (number, cells) = (cells.len(), cells.join(", "));
            text += &format!("- {example}; in {number} cells: {cells}\n");
        }
        assert!(text.is_empty(), "differences:\n{text}");
    }
}
