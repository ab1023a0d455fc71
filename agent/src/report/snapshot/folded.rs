//! A snapshot as folded stacks.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{Group, Snapshot};

impl Snapshot {
    /// One line a group, outermost function first and the count last, as flame graph tools read
    /// it. Below the stack stands what they wait for.
    ///
    /// # Errors
    /// The output's.
    pub fn folded(&self, output: &mut impl Write) -> io::Result<()> {
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        for group in &self.groups {
            *lines.entry(group.folded()).or_default() += group.count;
        }
        lines
            .iter()
            .try_for_each(|(stack, count)| writeln!(output, "{stack} {count}"))
    }
}

impl Group {
    fn folded(&self) -> String {
        let outermost_first = self.stack.iter().flatten().rev();
        let mut frames: Vec<&str> = outermost_first.map(|place| &*place.function).collect();
        if frames.is_empty() {
            frames.push(&self.start.function);
        }
        frames.push(self.wait_reason.as_deref().unwrap_or(&self.state));
        // A semicolon separates frames, and no Go name has one.
        frames.join(";")
    }
}

#[cfg(test)]
mod tests {
    use crate::report::snapshot::samples::{snapshot, written};

    #[test]
    fn as_folded_stacks() {
        insta::assert_snapshot!(written(|output| snapshot().folded(output)), @r"
        main.search.func1;main.send;chan send 53
        runtime.main;running 1
        ");
    }
}
