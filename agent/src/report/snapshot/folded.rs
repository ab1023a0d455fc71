//! A snapshot as folded stacks.

use std::{
    borrow::Cow,
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
        self.folded_lines()
            .iter()
            .try_for_each(|line| writeln!(output, "{line}"))
    }

    /// The same as lines, in order.
    pub(super) fn folded_lines(&self) -> Vec<String> {
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        for group in &self.groups {
            *lines.entry(group.folded()).or_default() += group.count;
        }
        let line = |(stack, count)| format!("{stack} {count}");
        lines.into_iter().map(line).collect()
    }
}

impl Group {
    fn folded(&self) -> String {
        let outermost_first = self.stack.iter().flatten().rev();
        let mut frames: Vec<&str> = outermost_first.map(|place| &*place.function).collect();
        if frames.is_empty() {
            frames.push(&self.start.function);
        }
        frames.push(self.waits());
        let frames: Vec<_> = frames.into_iter().map(frame).collect();
        frames.join(";")
    }
}

/// A semicolon separates frames. Before Go 1.21 names of generic functions have some: those of the
/// fields of a struct that is a type argument.
fn frame(name: &str) -> Cow<'_, str> {
    let separates = |c: char| c == ';' || c.is_control();
    if name.contains(separates) {
        name.replace(separates, ",").into()
    } else {
        name.into()
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

    #[test]
    fn names_with_separators() {
        let mut snapshot = snapshot();
        snapshot.groups.truncate(1);
        snapshot.groups[0].stack = None;
        snapshot.groups[0].start.function = "main.f[go.shape.struct { A int; B int }]\n".into();
        insta::assert_snapshot!(
            written(|output| snapshot.folded(output)),
            @"main.f[go.shape.struct { A int, B int }],;chan send 53"
        );
    }
}
