//! What keeps one goroutine alive: its model and its text.

use std::io::{self, Write};

use serde::Serialize;

use crate::report::{
    Place, ProcessInfo, Unknown, Waited,
    snapshot::{Others, program, stack_lines, started, waited},
    words,
};

/// One goroutine, and the way by which something that lives leads to what it waits on.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// The process.
    pub process: ProcessInfo,
    /// Its pid; null where a core file does not say.
    pub pid: Option<i32>,
    /// When, RFC 3339.
    pub taken_at: String,
    /// The goroutine.
    pub goid: u64,
    /// As in Go's tracebacks: `waiting`, `syscall`, `runnable`, …
    pub state: String,
    /// The runtime's word for what it waits for; null unless it waits.
    pub wait_reason: Option<String>,
    /// The `go` statement; null for the main goroutine.
    pub created_at: Option<Place>,
    /// The function it starts.
    pub start: Place,
    /// Where it is, innermost first.
    pub stack: Option<Vec<Place>>,
    /// At least so long it has waited.
    pub oldest_seconds: Option<f64>,
    /// What was found.
    pub verdict: WhyVerdict,
    /// The same for people.
    pub sentence: String,
    /// From something that lives to what the goroutine waits on, both included. Empty unless the verdict is
    /// `reachable`.
    pub path: Vec<Step>,
    /// Why a field is null.
    pub unknown: Unknown,
}

/// What was found of a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyVerdict {
    /// It can never wake again.
    Proven,
    /// Something that lives leads to what it waits on.
    Reachable,
    /// It ran, ended or waited for another thing between two passes.
    Ran,
    /// It runs, is about to run, or is in a system call.
    NotWaiting,
    /// It waits for the clock, the network or the runtime: for nothing that lies in the heap.
    Outside,
    /// What it waits on, or what leads there, could not be made out.
    Unclear,
}

/// One step of the way. Addresses are hexadecimal, in the target's memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// A variable of a package.
    Global {
        /// As Go writes it, with its package; null where the symbols are stripped.
        name: Option<String>,
        /// Path of the module's file, where there are several; null for the program itself.
        module: Option<String>,
        /// `data` or `bss`.
        section: String,
        /// Of the word that holds the pointer.
        address: String,
    },
    /// A word on a goroutine's stack. In the middle of a way: of one that what comes before can wake.
    Goroutine {
        /// Which one.
        goid: u64,
        /// As in Go's tracebacks.
        state: String,
        /// The frame; null where it is not known, as of a running goroutine.
        frame: Option<Place>,
        /// Of the word that holds the pointer.
        address: String,
    },
    /// A timer that has not fired.
    Timer {
        /// Of the timer.
        address: String,
    },
    /// A finalizer or a cleanup that has not run.
    Finalizer {
        /// Of the object that it belongs to.
        address: String,
    },
    /// Another thing of the runtime's that keeps alive.
    Runtime {
        /// What it is, for people.
        what: String,
        /// Of the word that holds the pointer.
        address: String,
    },
    /// A heap object.
    Object {
        /// Where it begins.
        address: String,
        /// Of its slot.
        size_bytes: u64,
        /// Of the word in it that holds the pointer to what comes next; null where that is the object itself.
        offset_bytes: Option<u64>,
        /// Go's name of its type, where it is known.
        r#type: Option<String>,
    },
    /// What a goroutine waits on; at the end of a way the one that was asked for.
    #[serde(untagged)]
    Waited(Waited),
}

impl Why {
    /// Text for people in lines of at most `width` columns, where names allow it: one step a line.
    ///
    /// # Errors
    /// The output's.
    pub fn text(&self, output: &mut impl Write, width: usize) -> io::Result<()> {
        let mut line = |text: &str| writeln!(output, "{text}");
        let waits = self.wait_reason.as_deref().unwrap_or(&self.state);
        let mut headline = vec![format!(
            "goroutine {}: {}",
            self.goid,
            words::harmless(waits)
        )];
        if let Some(seconds) = self.oldest_seconds {
            headline.push(format!("for at least {}", words::seconds(seconds)));
        }
        line(&words::listed("", &headline, width))?;
        line(&program(self.pid, &self.process, width))?;
        for text in started(
            &self.start,
            self.created_at.as_ref(),
            Others::default(),
            width,
        ) {
            line(&text)?;
        }
        for text in stack_lines(self.stack.as_deref().unwrap_or_default(), width) {
            line(&text)?;
        }
        line("")?;
        let verdict = format!(
            "{}: {}",
            self.verdict.words(),
            words::harmless(&self.sentence)
        );
        for text in words::wrapped(&verdict, width) {
            line(&text)?;
        }
        for (i, step) in self.path.iter().enumerate() {
            let (before, indent) = if i == 0 {
                ("  kept alive by ", 16)
            } else {
                ("    → ", 6)
            };
            let words = words::harmless(&step.words(i == 0)).into_owned();
            let room = width.saturating_sub(indent).max(30);
            for (j, text) in words::wrapped(&words, room).iter().enumerate() {
                let before = if j == 0 { before } else { "      " };
                line(&format!("{before}{text}"))?;
            }
        }
        Ok(())
    }
}

impl WhyVerdict {
    fn words(self) -> &'static str {
        match self {
            Self::Proven => "proven leaked",
            Self::Reachable => "not proven, reachable",
            Self::Ran => "not proven, it ran",
            Self::NotWaiting => "not waiting",
            Self::Outside => "waits for nothing in the heap",
            Self::Unclear => "not proven, unclear",
        }
    }
}

impl Step {
    /// For people. What is not the first of a way is led to by the one before it.
    fn words(&self, first: bool) -> String {
        match self {
            Self::Global {
                name,
                module,
                section,
                address,
            } => {
                let of = module
                    .as_ref()
                    .map_or_else(String::new, |m| format!(" of {m}"));
                match name {
                    Some(name) => format!("global {name} ({section}{of}), at {address}"),
                    None => format!("a global variable ({section}{of}), at {address}"),
                }
            }
            Self::Goroutine {
                goid,
                state,
                frame,
                address,
            } => {
                let frame = frame.as_ref().map_or_else(String::new, |place| {
                    let at = words::line(place);
                    if at == place.function {
                        format!(" in {at}")
                    } else {
                        format!(" in {} ({at})", place.function)
                    }
                });
                let wakes = if first { "" } else { "wakes " };
                format!("{wakes}goroutine {goid} ({state}){frame}, stack at {address}")
            }
            Self::Timer { address } => format!("a timer, at {address}"),
            Self::Finalizer { address } => format!("a finalizer of the object at {address}"),
            Self::Runtime { what, address } => format!("{what}, at {address}"),
            Self::Object {
                address,
                size_bytes,
                offset_bytes,
                r#type,
            } => {
                let name = r#type
                    .as_ref()
                    .map_or_else(String::new, |name| format!(" ({name})"));
                // Pointers are aligned; what is not is told as it is.
                let word = match offset_bytes {
                    None => String::new(),
                    Some(offset) if offset % 8 == 0 => format!(", word {}", offset / 8),
                    Some(offset) => format!(", byte {offset}"),
                };
                format!("object of {size_bytes} bytes{name} at {address}{word}")
            }
            Self::Waited(what) => waited(what),
        }
    }
}
