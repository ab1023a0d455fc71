//! The symbolizer against what real programs' own runtimes say about themselves.
//!
//! `GOSTRAY_GO_ROOTS` lists the Go installations to build the program with, separated by colons.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::*;
use crate::binary::{Architecture, BinaryError, LoadBias, RuntimeAddress};

struct Build {
    what: String,
    binary: Arc<GoBinary>,
    output: String,
}

#[derive(Clone, Copy)]
struct Mode {
    name: &'static str,
    flags: &'static [&'static str],
    cgo: bool,
}

const MODES: [Mode; 6] = [
    Mode {
        name: "plain",
        flags: &[],
        cgo: false,
    },
    Mode {
        name: "stripped",
        flags: &["-ldflags=-s -w"],
        cgo: false,
    },
    Mode {
        name: "pie",
        flags: &["-buildmode=pie"],
        cgo: false,
    },
    Mode {
        name: "trimpath",
        flags: &["-trimpath"],
        cgo: false,
    },
    Mode {
        name: "cgo",
        flags: &["-ldflags=-linkmode=external"],
        cgo: true,
    },
    Mode {
        name: "cgo-pie-stripped",
        flags: &["-buildmode=pie", "-ldflags=-s -w -linkmode=external"],
        cgo: true,
    },
];

fn go_roots(test: &str) -> Vec<PathBuf> {
    let roots = std::env::var_os("GOSTRAY_GO_ROOTS").unwrap_or_default();
    let roots: Vec<_> = std::env::split_paths(&roots)
        .filter(|root| root.join("bin/go").exists())
        .collect();
    if roots.is_empty() {
        println!("SKIPPED {test}: GOSTRAY_GO_ROOTS names no Go installation");
    }
    roots
}

fn build(root: &Path, mode: Mode, to: &Path) -> PathBuf {
    build_for(root, mode, "amd64", to)
}

fn build_for(root: &Path, mode: Mode, architecture: &str, to: &Path) -> PathBuf {
    let path = to.join(mode.name);
    let output = Command::new(root.join("bin/go"))
        .arg("build")
        .args(mode.flags)
        .arg("-o")
        .arg(&path)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/symbols"))
        .env("GOROOT", root)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-buildvcs=false")
        .env("GOWORK", "off")
        .env("GOARCH", architecture)
        .env("CGO_ENABLED", if mode.cgo { "1" } else { "0" })
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{root:?} {}: {}",
        mode.name,
        String::from_utf8_lossy(&output.stderr)
    );
    path
}

/// The program built by each Go installation in each mode, with what it printed.
fn builds(test: &str) -> &'static [Build] {
    static BUILDS: OnceLock<Vec<Build>> = OnceLock::new();
    let roots = go_roots(test);
    BUILDS.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let pairs = roots.iter().flat_map(|root| MODES.map(|mode| (root, mode)));
        let builds = pairs.map(|(root, mode)| {
            let path = build(root, mode, directory.path());
            let run = Command::new(&path).output().unwrap();
            assert!(
                run.status.success(),
                "{}",
                String::from_utf8_lossy(&run.stderr)
            );
            let binary = Arc::new(GoBinary::open(&path).unwrap());
            // So that the next build makes a new file instead of writing into this one.
            std::fs::remove_file(&path).unwrap();
            let what = format!("{} {}", binary.build_info().go_version, mode.name);
            Build {
                what,
                binary,
                output: String::from_utf8(run.stderr).unwrap(),
            }
        });
        builds.collect()
    })
}

/// What the program printed about one of its addresses.
#[derive(Debug)]
struct Oracle {
    pc: RuntimeAddress,
    function: String,
    file: String,
    line: u32,
}

impl Oracle {
    fn parse(text: &str) -> Self {
        let (pc, rest) = text.split_once(' ').unwrap();
        let mut parts = rest.rsplitn(3, '|');
        let line = parts.next().unwrap().parse().unwrap();
        let file = parts.next().unwrap().to_owned();
        let function = parts.next().unwrap().to_owned();
        Self {
            pc: RuntimeAddress(u64::from_str_radix(pc, 16).unwrap()),
            function,
            file,
            line,
        }
    }

    fn matches(&self, frame: &Frame) -> bool {
        let place = match (&frame.file, frame.line) {
            (Some(file), Some(line)) => (file.as_str(), line),
            _ => ("?", 0),
        };
        // Before Go 1.20 the runtime takes the first name of the table for no name at all.
        let same = self.function.is_empty() || display_name(&self.function) == frame.function;
        same && place == (self.file.as_str(), self.line)
    }
}

impl Build {
    fn bias(&self) -> LoadBias {
        let base = self
            .output
            .lines()
            .find_map(|line| line.strip_prefix("base "))
            .unwrap();
        let base = u64::from_str_radix(base, 16).unwrap();
        let main = self.binary.pclntab().function_named("main.main").unwrap();
        LoadBias(base.wrapping_sub(main.entry().0))
    }

    fn stacks(&self) -> Vec<Vec<Oracle>> {
        let stacks = self.output.split("stack\n").skip(1);
        let frames =
            stacks.map(|stack| stack.lines().map_while(|line| line.strip_prefix("frame ")));
        frames
            .map(|frames| frames.map(Oracle::parse).collect())
            .collect()
    }
}

#[test]
fn stacks_are_as_the_runtime_sees_them() {
    for build in builds("stacks_are_as_the_runtime_sees_them") {
        let bias = build.bias();
        assert_eq!(build.binary.is_pie(), bias != LoadBias(0), "{}", build.what);
        let symbolizer = Symbolizer::new(Arc::clone(&build.binary));
        let stacks = build.stacks();
        assert!(
            stacks.len() >= 10,
            "{}: {} stacks",
            build.what,
            stacks.len()
        );
        for stack in stacks {
            // The runtime gives a pc of its own to each inlined call, ours comes with the innermost:
            // of the pcs that one of ours explains, only the first is asked for.
            let mut rest = stack.as_slice();
            let mut inlined = 0;
            while let Some(first) = rest.first() {
                let found = symbolizer.frames(bias.to_link(first.pc), PcKind::ReturnAddress);
                let Symbolized::Known(frames) = found else {
                    panic!("{}: {first:?}: {found:?}", build.what)
                };
                inlined += frames.len() - 1;
                for frame in frames {
                    let expected = &rest[0];
                    if frame.is_wrapper && !expected.matches(&frame) {
                        continue;
                    }
                    assert!(
                        expected.matches(&frame),
                        "{}: {expected:#?} {frame:#?}",
                        build.what
                    );
                    rest = &rest[1..];
                    if rest.is_empty() {
                        break;
                    }
                }
            }
            if stack
                .iter()
                .any(|frame| frame.function.ends_with("shapes.Apply"))
            {
                assert!(inlined >= 2, "{}: {stack:#?}", build.what);
            }
        }
    }
}

#[test]
fn addresses_all_over_the_program_are_as_the_runtime_sees_them() {
    for build in builds("addresses_all_over_the_program_are_as_the_runtime_sees_them") {
        let bias = build.bias();
        let symbolizer = Symbolizer::new(Arc::clone(&build.binary));
        let mut compared = 0;
        for oracle in build
            .output
            .lines()
            .filter_map(|line| line.strip_prefix("pc "))
            .map(Oracle::parse)
        {
            let found = symbolizer.frames(bias.to_link(oracle.pc), PcKind::Exact);
            let Symbolized::Known(frames) = found else {
                panic!("{}: {oracle:?}: {found:?}", build.what)
            };
            assert!(
                oracle.matches(&frames[0]),
                "{}: {oracle:#?} {frames:#?}",
                build.what
            );
            compared += 1;
        }
        assert!(
            compared > 10_000,
            "{}: only {compared} addresses",
            build.what
        );
    }
}

#[test]
fn go_statements_name_the_function_behind_the_wrapper() {
    for build in builds("go_statements_name_the_function_behind_the_wrapper") {
        let symbolizer = Symbolizer::new(Arc::clone(&build.binary));
        let minor = build.binary.build_info().go_version.minor;
        // Go 1.18 to 1.21 call even a literal without captures through a function value.
        let literal = (minor >= 22).then_some("main.startLiteral.func1");
        for (starter, expected, wrapped) in [
            ("main.startWorker", Some("main.worker"), true),
            ("main.startInlined", Some("main.small"), true),
            ("main.startMethod", Some("main.(*thing).pointer"), true),
            ("main.startInterface", None, true),
            ("main.startLiteral", literal, true),
            ("main.startPlain", Some("main.startPlain.func1"), false),
        ] {
            // Whatever was made for the starter's `go` statement is named after it.
            let table = build.binary.pclntab();
            let made = table.functions().filter(|function| {
                let rest = function.name().unwrap().strip_prefix(starter);
                rest.is_some_and(|rest| !rest.is_empty())
            });
            let started: Vec<_> = made
                .filter_map(|function| symbolizer.started_function(function.entry()))
                .collect();
            let started = if wrapped {
                started
                    .into_iter()
                    .find(|started| started.wrapper.is_some())
            } else {
                started.into_iter().next()
            };
            let what = format!("{} {starter}", build.what);
            let started = started.unwrap_or_else(|| panic!("{what}: nothing was made for it"));
            assert_eq!(started.wrapper.is_some(), wrapped, "{what}: {started:?}");
            match expected {
                Some(expected) => assert_eq!(started.function, expected, "{what}: {started:?}"),
                None => assert!(started.note.is_some(), "{what}: {started:?}"),
            }
        }
    }
}

#[test]
fn build_info_and_notes_are_read() {
    for build in builds("build_info_and_notes_are_read") {
        let info = build.binary.build_info();
        let what = &build.what;
        assert_eq!(info.path.as_deref(), Some("example.com/symbols"), "{what}");
        let module = info.main_module.as_ref().unwrap();
        assert_eq!(
            (module.path.as_str(), module.version.as_str()),
            ("example.com/symbols", "(devel)"),
            "{what}"
        );
        // Go 1.18 does not record it.
        let trimpath = what.ends_with("trimpath") && info.go_version.minor > 18;
        assert_eq!(info.is_trimpath(), trimpath, "{what}");
        let cgo = if what.contains("cgo") { "1" } else { "0" };
        assert_eq!(info.setting("CGO_ENABLED"), Some(cgo), "{what}");
        assert_eq!(info.vcs_revision(), None, "{what}");
        assert_eq!(build.binary.architecture(), Architecture::X86_64);
        assert!(
            build.binary.build_id().is_some_and(|id| id.len() >= 40),
            "{what}"
        );
        assert!(build.binary.elf().go_build_id().is_some(), "{what}");
    }
}

#[test]
fn c_code_is_named() {
    for build in builds("c_code_is_named")
        .iter()
        .filter(|build| build.what.contains("cgo"))
    {
        let symbolizer = Symbolizer::new(Arc::clone(&build.binary));
        let elf = build.binary.elf();
        let Some((address, size)) = elf.symbol("c_function") else {
            assert!(build.what.contains("stripped"), "{}", build.what);
            continue;
        };
        assert!(size > 0);
        let Symbolized::Known(frames) = symbolizer.frames(address, PcKind::Exact) else {
            panic!("{}", build.what)
        };
        assert_eq!(frames.last().unwrap().function, "c_function");
        assert!(
            frames[0].file.as_ref().unwrap().ends_with("cgo.go"),
            "{frames:?}"
        );
        assert!([6, 7].contains(&frames[0].line.unwrap()), "{frames:?}");
        assert_eq!(
            symbolizer.frames(LinkAddress(1), PcKind::Exact),
            Symbolized::Unknown(UnknownReason::OutsideOfFile)
        );
    }
}

#[test]
fn binary_search_finds_what_a_linear_one_finds() {
    for build in builds("binary_search_finds_what_a_linear_one_finds") {
        let table = build.binary.pclntab();
        let mut previous = None;
        for function in table.functions() {
            assert!(previous <= Some(function.entry()), "{}", build.what);
            previous = Some(function.entry());
            if function.entry() == function.end() {
                continue;
            }
            for pc in [
                function.entry().0,
                function.end().0 - 1,
                function.entry().0.midpoint(function.end().0 - 1),
            ] {
                let found = table.function_at(LinkAddress(pc)).unwrap();
                assert_eq!(found.index(), function.index(), "{} {pc:#x}", build.what);
            }
        }
        let module = build.binary.module_data();
        assert!(table.function_at(LinkAddress(module.minpc.0 - 1)).is_none());
        assert!(table.function_at(module.maxpc).is_none());
        let names = [
            "runtime.gopark",
            "main.main",
            "no.such.function",
            "runtime.goexit.abi0",
            "runtime.newproc1",
        ];
        for (name, found) in names.iter().zip(table.functions_named(names)) {
            let slow = table
                .functions()
                .find(|function| function.name().is_ok_and(|n| n == *name));
            assert_eq!(
                found.map(|f| f.entry()),
                slow.map(|f| f.entry()),
                "{} {name}",
                build.what
            );
        }
    }
}

/// Nobody runs it here, so this checks against the source instead.
#[test]
fn arm64_programs_are_read() {
    let Some(root) = go_roots("arm64_programs_are_read").pop() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    for mode in [MODES[1], MODES[2]] {
        let path = build_for(&root, mode, "arm64", directory.path());
        let binary = Arc::new(GoBinary::open(&path).unwrap());
        assert_eq!(binary.architecture(), Architecture::Aarch64);
        let symbolizer = Symbolizer::new(Arc::clone(&binary));
        let table = binary.pclntab();
        let main = table.function_named("main.main").unwrap();
        let source = std::fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/symbols/main.go"),
        );
        let line = source
            .unwrap()
            .lines()
            .position(|line| line == "func main() {")
            .unwrap();
        let Symbolized::Known(frames) = symbolizer.frames(main.entry(), PcKind::Exact) else {
            panic!("main.main is unknown")
        };
        assert!(
            frames[0].file.as_ref().unwrap().ends_with("/main.go"),
            "{frames:?}"
        );
        assert_eq!(frames[0].line, Some(u32::try_from(line).unwrap() + 1));
        for (starter, started) in [
            ("main.startWorker.gowrap1", "main.worker"),
            ("main.startInlined.gowrap1", "main.small"),
            ("main.startMethod.gowrap1", "main.(*thing).pointer"),
        ] {
            let wrapper = table.function_named(starter).unwrap();
            let found = symbolizer.started_function(wrapper.entry()).unwrap();
            assert_eq!(found.function, started);
            let code = binary.function_code(&wrapper).unwrap();
            assert!(!code.is_empty() && code.len().is_multiple_of(4));
        }
    }
}

/// Every prefix at many lengths, and many files with a few bytes changed: an error or an answer,
/// never a panic, never a long wait.
#[test]
fn damaged_files_are_survived() {
    let Some(root) = go_roots("damaged_files_are_survived").pop() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    for mode in [MODES[1], MODES[2]] {
        let bytes = std::fs::read(build(&root, mode, directory.path())).unwrap();
        let mut lengths: Vec<usize> = (0..2048).step_by(7).collect();
        lengths.extend((2048..bytes.len()).step_by(bytes.len() / 60));
        for length in lengths {
            if let Err(error) = exercise(&bytes[..length]) {
                let whole = bytes[..length].len() == bytes.len();
                assert!(!whole && !error.to_string().is_empty());
            }
        }
        let parsed = GoBinary::from_bytes(&bytes).unwrap();
        let module = parsed.file_offset(parsed.module_data().address).unwrap().0;
        let table = parsed.elf().read_only_section(".gopclntab").unwrap();
        let info = parsed.elf().section(".go.buildinfo").unwrap();
        // Where a changed byte does most harm: headers, build info, moduledata, the table's header.
        let places = [
            (0, 0x400),
            (info.offset.0, 0x100),
            (module, 0x180),
            (table.offset.0, 0x800),
        ];
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for round in 0..200_usize {
            let mut damaged = bytes.clone();
            let (start, size) = places[round % places.len()];
            for _ in 0..1 + next() % 4 {
                let place = usize::try_from(start + next() % size).unwrap();
                damaged[place] = u8::try_from(next() & 0xff).unwrap();
            }
            let _ = exercise(&damaged);
        }
    }
}

fn exercise(bytes: &[u8]) -> Result<(), BinaryError> {
    let started = Instant::now();
    let binary = Arc::new(GoBinary::from_bytes(bytes)?);
    let symbolizer = Symbolizer::new(Arc::clone(&binary));
    let table = binary.pclntab();
    for function in table.functions().step_by(97) {
        let _ = function.name();
        let _ = symbolizer.frames(function.entry(), PcKind::Exact);
        let _ = symbolizer.frames(function.end(), PcKind::ReturnAddress);
    }
    let _ = table.functions_named(["main.main", "runtime.gopark"]);
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "took {:?}",
        started.elapsed()
    );
    Ok(())
}
