//! A proof as text for people.

use std::io::{self, Write};

use super::{Doubt, LeakedGroup, Proof, UnprovenGroup, evidence::passes_in_words};
use crate::report::{
    snapshot::{Others, label, program, stack_lines, started, things},
    words,
};

/// Goroutines of a group that are named; JSON has all.
const NAMED: usize = 10;

/// Unknown fields of a leaked group that are worth a line.
const WORTH_A_LINE: [&str; 4] = ["created_at", "retained_bytes", "stack", "wait_reason"];

/// Groups without a proof that are listed; JSON has all.
const UNPROVEN: usize = 20;

impl Proof {
    /// Text for people in lines of at most `width` columns, where names allow it: a headline, a
    /// paragraph a leaked group, those that are not proven in brief, and what was not exact.
    ///
    /// # Errors
    /// The output's.
    pub fn text(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        let mut line = |text: &str| writeln!(output, "{text}");
        let headline = format!("{}, {}", self.headline().join("; "), self.taken_at);
        for text in words::wrapped(&headline, width) {
            line(&text)?;
        }
        line(&program(self.pid, &self.process, width))?;
        for text in words::wrapped(&self.meaning(), width) {
            line(&text)?;
        }
        for group in &self.leaked {
            line("")?;
            group.lines(self.passes, width, &mut line)?;
        }
        if self.shared.bytes > 0 {
            let shared = format!(
                "shared by {}: {} in {}, counted for none of them",
                words::number(self.shared.groups, "group"),
                words::size(self.shared.bytes),
                words::number(self.shared.objects, "object"),
            );
            line("")?;
            line(&words::clipped(&shared, width))?;
        }
        self.unproven_lines(width, &mut line)?;
        self.exactness(width, &mut line)
    }

    fn headline(&self) -> Vec<String> {
        let proven = self.proven();
        let waiting = words::number(self.candidates, "waiting goroutine");
        let verb = if proven == 1 { "is" } else { "are" };
        let mut headline = match (proven, self.candidates) {
            (0, 0) => vec!["nothing to prove: no goroutine waits for another".into()],
            (0, _) => vec![format!("none of {waiting} is proven leaked")],
            _ => vec![format!("{proven} of {waiting} {verb} proven leaked")],
        };
        if self.candidates > 0 {
            let agreed = match self.passes {
                1 => " looked",
                _ => " agreed",
            };
            headline.push(format!("{}{agreed}", passes_in_words(self.passes)));
        }
        if proven > 0 {
            headline.push(match self.retained_bytes() {
                Some(bytes) => format!("{} retained", words::size(bytes)),
                None => "what they retain is not known".into(),
            });
        }
        headline
    }

    /// What was looked at, and what that it found means.
    fn meaning(&self) -> String {
        let heap = format!(
            "looked through {} of heap ({}, {}) for {}",
            words::size(self.heap.bytes),
            words::number(self.heap.objects, "object"),
            words::number(self.heap.spans, "span"),
            words::number(self.goroutines, "goroutine"),
        );
        if self.proven() > 0 {
            return heap;
        }
        if self.candidates == 0 {
            return format!(
                "{heap}; they run, or wait for the clock, the network or the system, none of which \
                 can be proven to be for ever"
            );
        }
        format!(
            "{heap}; each of those that wait could still be woken, as far as can be seen from outside. \
             They may leak all the same, held by something that nobody uses any more: `gostray \
             attach` tells by how they pile up"
        )
    }

    fn unproven_lines(
        &self,
        width: usize,
        line: &mut impl FnMut(&str) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.unproven.is_empty() {
            return Ok(());
        }
        line("")?;
        let title = format!(
            "{} not proven",
            words::number(self.not_proven(), "goroutine")
        );
        line(&words::clipped(&title, width))?;
        for group in self.unproven.iter().take(UNPROVEN) {
            line(&words::listed("  ", &group.headline(), width))?;
            let room = width.saturating_sub(4).max(30);
            for text in words::wrapped(&words::harmless(&group.sentence), room) {
                line(&format!("    {text}"))?;
            }
        }
        let (first, more) = self.unproven.split_at(self.unproven.len().min(UNPROVEN));
        if !more.is_empty() {
            let more = words::number(more.len() as u64, "more group");
            line(&format!("  and {more}: --format json has all"))?;
        }
        let asked = first.iter().find(|group| group.reason == Doubt::Reachable);
        if let (Some(goid), Some(pid)) = (asked.and_then(|group| group.goids.first()), self.pid) {
            line(&words::clipped(
                &format!("  what keeps one alive: gostray prove {pid} --why {goid}"),
                width,
            ))?;
        }
        Ok(())
    }

    /// How exactly it was looked, what could not be read, and what it cost.
    fn exactness(
        &self,
        width: usize,
        line: &mut impl FnMut(&str) -> io::Result<()>,
    ) -> io::Result<()> {
        line("")?;
        for (reason, count) in &self.defects {
            let defect = format!("{count} not read, because {}", words::harmless(reason));
            for text in words::wrapped(&defect, width) {
                line(&text)?;
            }
        }
        let conservative = self.precision.conservative.iter();
        let conservative: Vec<String> = conservative
            .map(|(what, count)| format!("{}: {count}", words::harmless(what)))
            .collect();
        if !conservative.is_empty() {
            let text = format!(
                "looked through word by word, which can only lose proofs: {}",
                conservative.join(", ")
            );
            for text in words::wrapped(&text, width) {
                line(&text)?;
            }
        }
        let cpu = self.agent_cpu_seconds.map_or_else(String::new, |cpu| {
            format!(", {} of processor time", words::seconds(cpu))
        });
        line(&format!(
            "took {}{cpu}",
            words::seconds(self.duration_seconds)
        ))
    }
}

impl LeakedGroup {
    fn lines(
        &self,
        passes: u32,
        width: usize,
        line: &mut impl FnMut(&str) -> io::Result<()>,
    ) -> io::Result<()> {
        line(&words::listed("", &self.headline(), width))?;
        if self.count > 1 {
            line(&words::listed("  goroutines ", &named(&self.goids), width))?;
        }
        let others = Others::default();
        for text in started(&self.start, self.created_at.as_ref(), others, width) {
            line(&text)?;
        }
        if let Some(labels) = &self.labels {
            let labels: Vec<String> = labels.iter().map(label).collect();
            line(&words::listed("  labels ", &labels, width))?;
        }
        for text in things(&self.waits_on, self.count, width) {
            line(&text)?;
        }
        for sentence in self.evidence(passes) {
            let room = width.saturating_sub(4).max(30);
            for (i, text) in words::wrapped(&sentence, room).iter().enumerate() {
                let before = if i == 0 { "  - " } else { "    " };
                line(&format!("{before}{text}"))?;
            }
        }
        let stack = self.stack.as_deref().unwrap_or_default();
        for text in stack_lines(stack, width) {
            line(&text)?;
        }
        let unknown = self.unknown.iter();
        for (field, reason) in unknown.filter(|(field, _)| WORTH_A_LINE.contains(field)) {
            let field = field.replace('_', " ");
            let text = format!("  {field} unknown: {}", words::harmless(reason));
            line(&words::clipped(&text, width))?;
        }
        Ok(())
    }

    fn headline(&self) -> Vec<String> {
        let waits = self.wait_reason.as_deref().unwrap_or("waiting");
        let waits = words::harmless(waits);
        let first = match &self.goids[..] {
            [goid] if self.count == 1 => format!("goroutine {goid}: {waits}"),
            _ => format!("{} {waits}", self.count),
        };
        let mut headline = vec![first];
        if let Some(seconds) = self.oldest_seconds {
            headline.push(format!("for at least {}", words::seconds(seconds)));
        }
        let verb = if self.count == 1 { "retains" } else { "retain" };
        headline.push(match self.retained_bytes {
            Some(0) => format!("{verb} nothing"),
            Some(bytes) => format!("{verb} {}", words::size(bytes)),
            None => format!(
                "what {} not known",
                if self.count == 1 {
                    "it retains is"
                } else {
                    "they retain is"
                }
            ),
        });
        if let Some(bytes @ 1..) = self.shared_bytes {
            headline.push(format!("{} with others", words::size(bytes)));
        }
        let stacks = if self.count == 1 { "stack" } else { "stacks" };
        headline.push(format!("{stacks} {}", words::size(self.stack_bytes)));
        headline
    }
}

impl UnprovenGroup {
    fn headline(&self) -> Vec<String> {
        let waits = words::harmless(self.wait_reason.as_deref().unwrap_or("waiting"));
        let at = self.blocked_at.as_ref().or(self.created_at.as_ref());
        let at = at.map_or_else(String::new, |place| {
            format!(" at {}", words::harmless(&words::line(place)))
        });
        let mut headline = vec![match &self.goids[..] {
            [goid] if self.count == 1 => format!("goroutine {goid}: {waits}{at}"),
            _ => format!("{} {waits}{at}", self.count),
        }];
        if let Some(seconds) = self.oldest_seconds {
            headline.push(format!("for at least {}", words::seconds(seconds)));
        }
        if self.count > 1 {
            headline.push(format!("goroutines {}", named(&self.goids).join(" ")));
        }
        headline
    }
}

/// The first of these goroutines.
fn named(goids: &[u64]) -> Vec<String> {
    let mut named: Vec<String> = goids.iter().take(NAMED).map(u64::to_string).collect();
    if goids.len() > NAMED {
        named.push("…".into());
    }
    named
}
