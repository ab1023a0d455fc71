//! Run-time addresses of one process as places in its source.

use std::{collections::HashMap, sync::Arc};

use crate::{
    binary::{GoBinary, LoadBias, RuntimeAddress},
    report::{Place, SiteName},
    store::{SiteIdentity, Statement},
    symbolize::{Frame, GoStatement, PcKind, StackEntry, Symbolized, Symbolizer},
};

/// Names addresses; each is looked up once.
#[derive(Debug)]
pub struct Names {
    symbolizer: Symbolizer,
    bias: LoadBias,
    sites: HashMap<(RuntimeAddress, Option<RuntimeAddress>), SiteName>,
}

impl Names {
    /// For a process that runs `binary`, loaded with `bias`.
    #[must_use]
    pub fn new(binary: Arc<GoBinary>, bias: LoadBias) -> Self {
        Self {
            symbolizer: Symbolizer::new(binary),
            bias,
            sites: HashMap::new(),
        }
    }

    /// The creation site at `pc`, whose first goroutine began at `start`.
    pub fn site(&mut self, pc: RuntimeAddress, start: Option<RuntimeAddress>) -> &SiteName {
        let Self {
            symbolizer,
            bias,
            sites,
        } = self;
        sites.entry((pc, start)).or_insert_with(|| SiteName {
            id: bias.to_link(pc).to_string(),
            created_at: innermost(symbolizer, *bias, pc, PcKind::ReturnAddress),
            start: start.map_or_else(
                || nowhere("unknown function".into()),
                |start| started(symbolizer, *bias, start),
            ),
        })
    }

    /// The same in whatever build, and where it is in this one.
    pub(super) fn remembered(
        &mut self,
        pc: RuntimeAddress,
        start: Option<RuntimeAddress>,
    ) -> (SiteIdentity, Place) {
        let name = self.site(pc, start).clone();
        let others = self.symbolizer.statements(self.bias.to_link(pc));
        let others: Vec<_> = others.into_iter().map(statement).collect();
        let identity = SiteIdentity::of(&name.created_at, &name.start.function, &others);
        (identity, name.created_at)
    }

    /// The calls of a stack of return addresses, innermost first, inlined ones included; without
    /// the runtime's own and the compiler's, as in Go's tracebacks.
    pub fn stack(&mut self, pcs: &[RuntimeAddress]) -> Vec<Place> {
        let bias = self.bias;
        let table = self.symbolizer.binary().pclntab();
        let minor = self.symbolizer.binary().build_info().go_version.minor;
        let mut interrupted = false;
        let pcs: Vec<_> = pcs
            .iter()
            .map(|pc| {
                let pc = bias.to_link(*pc);
                let function = table.function_at(pc);
                // One that has not begun has nothing behind it to return to.
                let is_entry = function.as_ref().is_some_and(|f| f.entry() == pc);
                let kind = if interrupted || is_entry {
                    PcKind::Exact
                } else {
                    PcKind::ReturnAddress
                };
                interrupted =
                    function.is_some_and(|f| is_injected(f.name().unwrap_or_default(), minor));
                (pc, kind)
            })
            .collect();
        let places = |entries: Vec<StackEntry>| {
            let places = entries.into_iter().map(|entry| match entry {
                StackEntry::Frame(frame) => place(frame),
                StackEntry::Unknown(pc, _) => unknown(bias.to_runtime(pc)),
            });
            let shown = places.filter(|place| is_shown(&place.function));
            shown.collect::<Vec<_>>()
        };
        let mut shown = places(self.symbolizer.stack(pcs.iter().copied()));
        if shown.is_empty() {
            // Before a wrapper has called what it wraps, there is nothing but the wrapper.
            let frames =
                pcs.into_iter()
                    .flat_map(|(pc, kind)| match self.symbolizer.frames(pc, kind) {
                        Symbolized::Known(frames) => frames,
                        Symbolized::Unknown(_) => Vec::new(),
                    });
            shown = places(frames.map(StackEntry::Frame).collect());
        }
        shown
            .into_iter()
            .map(|place| match place.function.as_str() {
                "runtime.gopanic" => Place {
                    function: "panic".into(),
                    ..place
                },
                _ => place,
            })
            .collect()
    }
}

/// The innermost call active at `pc`.
fn innermost(symbolizer: &Symbolizer, bias: LoadBias, pc: RuntimeAddress, kind: PcKind) -> Place {
    match symbolizer.frames(bias.to_link(pc), kind) {
        Symbolized::Known(frames) => frames.into_iter().next().map(place),
        Symbolized::Unknown(_) => None,
    }
    .unwrap_or_else(|| unknown(pc))
}

/// The function a `go` statement started, the wrapped one where the compiler put a wrapper.
fn started(symbolizer: &Symbolizer, bias: LoadBias, start: RuntimeAddress) -> Place {
    match symbolizer.started_function(bias.to_link(start)) {
        // The wrapper has the place of the `go` statement, which is known already.
        Some(found) if found.wrapper.is_some() => nowhere(found.function),
        Some(found) => Place {
            function: found.function,
            ..innermost(symbolizer, bias, start, PcKind::Exact)
        },
        None => unknown(start),
    }
}

fn statement(found: GoStatement) -> Statement {
    Statement {
        created_at: Place {
            line: found.line,
            ..nowhere(found.function)
        },
        started: found.started,
    }
}

fn place(frame: Frame) -> Place {
    Place {
        function: frame.function,
        file: frame.file,
        line: frame.line,
    }
}

fn unknown(pc: RuntimeAddress) -> Place {
    nowhere(format!("unknown function at {pc}"))
}

fn nowhere(function: String) -> Place {
    Place {
        function,
        file: None,
        line: None,
    }
}

/// Whether the runtime lets a function seem to be called by an instruction that it interrupted
/// (`injectedCall` in `src/runtime/traceback.go`): then the pc behind is that instruction's. Before
/// Go 1.`minor` = 21 only faults counted so.
fn is_injected(function: &str, minor: u16) -> bool {
    match function {
        "runtime.sigpanic" => true,
        "runtime.asyncPreempt" | "runtime.debugCallV2" => minor >= 21,
        _ => false,
    }
}

/// Go's rule (`showfuncinfo` and `isExportedRuntime` in `src/runtime/traceback.go`): of the
/// runtime's functions only the exported ones mean something to the program's author, and those
/// that tell why a function runs.
fn is_shown(function: &str) -> bool {
    if matches!(
        function,
        "runtime.gopanic" | "runtime.runFinalizers" | "runtime.runCleanups"
    ) || function.starts_with("unknown function")
    {
        return true;
    }
    let Some(name) = function.strip_prefix("runtime.") else {
        // What the compiler writes for calls from C has no package.
        return function.contains('.');
    };
    let exported = |part: &str| part.starts_with(|c: char| c.is_ascii_uppercase());
    // Type arguments have dots of their own, but are shown as `[...]`.
    match name.replace("[...]", "").rsplit_once('.') {
        Some((receiver, method)) => {
            exported(receiver.strip_prefix("(*").unwrap_or(receiver)) && exported(method)
        }
        None => exported(name),
    }
}

/// Whether a goroutine is one of the runtime's own, as `isSystemGoroutine` in
/// `src/runtime/traceback.go` decides it, which looks at names as well: one that runs a program's
/// finalizers or cleanups counts as the program's while it does so.
pub(super) fn is_system_goroutine(start: &str, wait_reason: Option<&str>, stack: &[Place]) -> bool {
    let works_for_program = matches!(
        start,
        "runtime.runfinq" | "runtime.runFinalizers" | "runtime.runCleanups"
    ) && match wait_reason {
        Some(reason) => !["finalizer wait", "cleanup wait"].contains(&reason),
        None => stack
            .iter()
            .any(|place| !place.function.starts_with("runtime.")),
    };
    is_system(start) && !works_for_program
}

/// Whether goroutines that start with `function` are the runtime's own, whatever they do just now.
pub(super) fn is_system(function: &str) -> bool {
    function.starts_with("runtime.")
        && !matches!(
            function,
            "runtime.main" | "runtime.corostart" | "runtime.handleAsyncEvent"
        )
}

#[cfg(test)]
mod tests {
    use super::is_shown;

    #[test]
    fn frames_are_shown_as_go_does() {
        for shown in [
            "main.main",
            "internal/poll.runtime_pollWait",
            "runtime/pprof.Do",
            "runtime.Goexit",
            "runtime.AddCleanup[...]",
            "runtime.(*Func).Entry",
            "runtime.gopanic",
            "runtime.runCleanups",
            "unknown function at 0x1",
        ] {
            assert!(is_shown(shown), "{shown}");
        }
        for hidden in [
            "runtime.gopark",
            "runtime.(*cleanupQueue).Dequeue",
            "runtime.AddCleanup[...].func1",
            "_cgoexp_71d6d4cfd532_f",
            "runtime.",
        ] {
            assert!(!is_shown(hidden), "{hidden}");
        }
    }
}
