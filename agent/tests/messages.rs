//! Every message that can end a command, as people read it.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fmt::Display, io, sync::Arc};

use gostray::{
    binary::{Architecture, BinaryError, FileOffset, RuntimeAddress},
    cli::message,
    memory::{
        FileChanged, MemoryError,
        core_file::{CoreFileError, Shortfall},
    },
    probes::{ProbeError, site::SiteError},
    proof::ProofError,
    report::{DiffError, SavedError, Snapshot},
    runtime::layout::LayoutError,
    session::{CoreError, LandmarksError, ProveError, SessionError, SnapshotError},
    store::StoreError,
    target::TargetError,
};

/// One message a line, as `main` prints them.
fn lines<E: std::error::Error + Send + Sync + 'static>(
    errors: impl IntoIterator<Item = E>,
) -> String {
    let line = |error| format!("gostray: {}\n", message(&anyhow::Error::new(error)));
    errors.into_iter().map(line).collect()
}

fn each_line_stands_alone(messages: impl Display) -> String {
    let messages = messages.to_string();
    for line in messages.lines() {
        assert!(line.starts_with("gostray: "), "more than one line: {line}");
        // A cause that its own effect has told already.
        let parts: Vec<_> = line.split(": ").collect();
        assert!(
            (1..parts.len()).all(|i| parts[i] != parts[i - 1]),
            "said twice: {line}"
        );
    }
    messages
}

fn denied() -> io::Error {
    io::Error::from_raw_os_error(13)
}

#[test]
fn of_processes() {
    let pid = 4321;
    let messages = lines([
        TargetError::NoSuchProcess { pid },
        TargetError::ThreadId { tid: 4330, pid },
        TargetError::KernelThread { pid },
        TargetError::Zombie { pid },
        TargetError::NoSuchName {
            name: "server".into(),
        },
        TargetError::AmbiguousName {
            name: "server".into(),
            pids: vec![4321, 4400],
        },
        TargetError::NotMapped {
            pid,
            path: "/srv/app/server".into(),
        },
        TargetError::Denied {
            pid,
            what: "reading its memory map",
        },
        TargetError::Io {
            pid,
            what: "reading its memory map",
            source: io::Error::from_raw_os_error(5),
        },
    ]);
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: no process has pid 4321; it may have ended (`pgrep -a NAME` lists what runs)
    gostray: 4330 is a thread of process 4321, not a process; use 4321
    gostray: process 4321 is a kernel thread and has no program to look at
    gostray: process 4321 has ended and waits to be reaped by its parent
    gostray: no process is called `server` (`pgrep -a server` searches more loosely)
    gostray: 2 processes are called `server`: pids 4321, 4400; choose one
    gostray: process 4321 does not map the code of /srv/app/server; it may be starting or ending
    gostray: process 4321: reading its memory map was denied; run as root, or grant CAP_SYS_PTRACE (`gostray doctor 4321` says what is missing)
    gostray: process 4321: reading its memory map: Input/output error (os error 5)
    ");
}

#[test]
fn of_executables() {
    let errors = [
        BinaryError::Io {
            path: "/proc/4321/exe".into(),
            source: denied(),
        },
        BinaryError::NotElf,
        BinaryError::NotSupported {
            what: "a 32-bit program".into(),
        },
        BinaryError::Truncated {
            what: "the section header table",
            offset: 0x4000,
        },
        BinaryError::Malformed {
            what: "the pclntab",
            offset: 0x8000,
            reason: "its functions are not in order",
        },
        BinaryError::NotGo,
        BinaryError::GoTooOld {
            version: "go1.17.13".into(),
        },
        BinaryError::GoTooNew {
            version: "go1.99".into(),
        },
        BinaryError::FileChanged(FileChanged),
    ];
    let messages = lines(errors.map(|source| SessionError::Binary {
        path: "/srv/app/server".into(),
        source: Arc::new(source),
    }));
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: /srv/app/server: cannot read /proc/4321/exe: Permission denied (os error 13)
    gostray: /srv/app/server: not an ELF file; gostray looks into Linux programs only
    gostray: /srv/app/server: not supported: a 32-bit program; gostray handles 64-bit little-endian x86-64 and arm64 Linux programs
    gostray: /srv/app/server: the section header table at offset 0x4000 lies beyond the end of the file; is it complete?
    gostray: /srv/app/server: the pclntab at offset 0x8000 is malformed: its functions are not in order; if the program runs, please report this
    gostray: /srv/app/server: no Go build information found; this is not a Go program, or it was packed (UPX) or edited
    gostray: /srv/app/server: built with go1.17.13; gostray supports Go 1.18 to 1.27: rebuild with a newer Go
    gostray: /srv/app/server: built with go1.99; this gostray supports Go 1.18 to 1.27: use a newer gostray
    gostray: /srv/app/server: the file was changed or truncated while gostray read it; try again with the new file
    ");
}

#[test]
fn of_struct_layouts() {
    let errors = [
        LayoutError::MissingStruct {
            name: "runtime.g".into(),
        },
        LayoutError::MissingField {
            name: "runtime.g".into(),
            field: "gopc".into(),
        },
    ];
    let messages = lines(errors.map(|source| SessionError::Layout {
        path: "/srv/app/server".into(),
        source,
    }));
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: /srv/app/server: this Go runtime has no struct runtime.g
    gostray: /srv/app/server: struct runtime.g of this Go runtime has no field gopc
    ");
}

#[test]
fn of_probes() {
    let address = RuntimeAddress(0x43_5f40);
    let messages = lines([
        ProbeError::NoObject,
        ProbeError::NoSite {
            probe: "creation",
            source: SiteError::NoFunction {
                function: "runtime.newproc1",
            },
        },
        ProbeError::NoSite {
            probe: "exit",
            source: SiteError::NoneSuitable {
                function: "runtime.gdestroy",
            },
        },
        ProbeError::NotInFile { probe: "creation" },
        ProbeError::CodeDiffers {
            address,
            found: "cc 1f".into(),
            expected: "76 1f".into(),
        },
        ProbeError::Unreadable(MemoryError::Denied),
        ProbeError::Unreadable(MemoryError::Unmapped { address, length: 2 }),
        ProbeError::Unreadable(MemoryError::ProcessGone { address }),
        ProbeError::Denied {
            what: "attaching a uprobe",
        },
        ProbeError::Refused {
            program: "creation",
            reason: "R1 type=scalar expected=fp".into(),
            verifier_log: "many\nlines".into(),
        },
        ProbeError::Load("no BTF".into()),
        ProbeError::Attach {
            probe: "exit",
            offset: FileOffset(0x3_5f40),
            reason: "Invalid argument (os error 22)".into(),
        },
        ProbeError::Map {
            map: "SITES",
            action: "read",
            source: io::Error::from_raw_os_error(12),
        },
        ProbeError::Missing("map SITES"),
        ProbeError::Uncalibrated(Box::new(ProbeError::Load("own mappings: none".into()))),
        ProbeError::NoSite {
            probe: "statement",
            source: SiteError::NoStatement,
        },
    ]);
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: this gostray was built without its eBPF object; build it without GOSTRAY_SKIP_EBPF
    gostray: no place for the creation probe: the binary has no function runtime.newproc1
    gostray: no place for the exit probe: runtime.gdestroy has no single-trap instruction with its argument intact
    gostray: the creation probe's instruction is not in the file
    gostray: the target's code at 0x435f40 is not what its file says (cc 1f, not 76 1f); nothing was attached
    gostray: the target's code cannot be checked: reading the process's memory was denied; run as root, or grant CAP_SYS_PTRACE (where kernel.yama.ptrace_scope is 3 nobody may)
    gostray: the target's code cannot be checked: 2 bytes at 0x435f40 are not mapped
    gostray: the target's code cannot be checked: the process ended while 0x435f40 was read
    gostray: the kernel denied attaching a uprobe; run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_SYS_ADMIN (`gostray doctor` says what is missing)
    gostray: the kernel refused the creation program: R1 type=scalar expected=fp
    gostray: the eBPF object could not be loaded: no BTF
    gostray: the exit probe could not be attached at file offset 0x35f40: Invalid argument (os error 22)
    gostray: the kernel map SITES could not be read: Cannot allocate memory (os error 12)
    gostray: the eBPF object has no map SITES; agent and object do not belong together
    gostray: what a probe costs here could not be measured: the eBPF object could not be loaded: own mappings: none; `--no-probes` watches without any
    gostray: no place for the statement probe: there is no `go` statement at that place
    ");
}

#[test]
fn of_files_that_are_no_core_files() {
    let errors = [
        CoreFileError::Io(denied()),
        CoreFileError::Empty,
        CoreFileError::Compressed {
            format: "zstd",
            command: "unzstd",
        },
        CoreFileError::NotElf,
        CoreFileError::NotCore { found: "a program" },
        CoreFileError::NotSupported {
            what: "a big-endian program".into(),
        },
        CoreFileError::HeadersCutShort {
            what: "the program header table",
            end: 1520,
            size: 512,
        },
        CoreFileError::Malformed {
            what: "the program header table",
            reason: "it is empty",
        },
        CoreFileError::FileChanged(FileChanged),
    ];
    let messages = lines(errors.map(|source| CoreError::Core {
        path: "core".into(),
        source,
    }));
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: core: cannot be read: Permission denied (os error 13)
    gostray: core: empty; the disk was full, or `ulimit -c` was 0, when the program crashed
    gostray: core: compressed with zstd; unpack it first with `unzstd`
    gostray: core: not an ELF file, so no core file
    gostray: core: a program, not a core file; `--core` takes the core file and `--exe` the program that made it
    gostray: core: not supported: a big-endian program; gostray handles core files of 64-bit little-endian x86-64 and arm64 Linux programs
    gostray: core: cut short: the program header table should end at byte 1520, and the file has 512; make a new one, with room on the disk and `ulimit -c unlimited`
    gostray: core: the program header table is malformed: it is empty
    gostray: core: the file was changed or truncated while gostray read it; try again with the new file
    ");
}

#[test]
fn of_core_files_and_executables() {
    let address = RuntimeAddress(0xc0_0000_4000);
    let shortfall = Shortfall {
        present: 4096,
        expected: 46_170_112,
    };
    let other = |recorded| CoreError::OtherExecutable {
        core: "core".into(),
        exe: "server".into(),
        difference: "its build id is 0badc0de, not 600dcafe".into(),
        recorded,
    };
    let unread = |error, shortfall| CoreError::Snapshot {
        path: "core".into(),
        source: SnapshotError::Unreadable(error),
        shortfall,
    };
    let messages = lines([
        CoreError::Architecture {
            core_path: "core".into(),
            core: Architecture::Aarch64,
            exe_path: "server".into(),
            exe: Architecture::X86_64,
        },
        CoreError::ExeIsCore {
            path: "core".into(),
        },
        other(Some("/srv/app/server".into())),
        other(None),
        CoreError::Unrecognisable {
            core: "core".into(),
            exe: "server".into(),
            shortfall,
        },
        unread(
            MemoryError::CutShort { address, length: 8 },
            Some(shortfall),
        ),
        unread(MemoryError::NotInCore { address, length: 8 }, None),
    ]);
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: core is of an arm64 program, server is for amd64; give the executable that made the core file
    gostray: core is a core file; `--exe` takes the program that made it
    gostray: core was not made by server: its build id is 0badc0de, not 600dcafe; give the very file that ran, /srv/app/server where it crashed
    gostray: core was not made by server: its build id is 0badc0de, not 600dcafe; give the very file that ran
    gostray: core ends before the headers and the data of server: it is cut short: 4096 of 46170112 bytes are there; make a new one, with room on the disk and `ulimit -c unlimited`
    gostray: core: the list of goroutines cannot be read: 8 bytes at 0xc000004000 should be behind the end of the core file; the core file is cut short: 4096 of 46170112 bytes are there
    gostray: core: the list of goroutines cannot be read: 8 bytes at 0xc000004000 were not written to the core file (core(5) says under `coredump_filter` what is)
    ");
}

#[test]
fn of_races_and_stops() {
    let pid = 4321;
    let path = "/run/gostray/stop".into();
    let messages = lines([
        SessionError::Ended { pid },
        SessionError::Replaced { pid },
        SessionError::StopFile { path },
    ]);
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: process 4321 ended while it was being attached to; nothing is left behind
    gostray: process 4321 became another program (execve) while it was being attached to; nothing is left behind, try again
    gostray: /run/gostray/stop is there, and while it is no gostray watches anything; remove it to watch again
    ");
}

#[test]
fn of_proofs() {
    let address = RuntimeAddress(0xc0_0000_4000);
    let messages = lines([
        ProveError::HeapTooLarge {
            heap_bytes: 25_000_000_000,
            limit_bytes: 16 << 30,
        },
        ProveError::UnknownHeap {
            go_version: "go1.26.1".into(),
            what: "runtime.mspan has no field nelems".into(),
        },
        ProveError::Proof(MemoryError::Unmapped { address, length: 8 }.into()),
        ProveError::Proof(MemoryError::Denied.into()),
        ProveError::Proof(ProofError::Unsteady),
        ProveError::Proof(ProofError::Goroutines(3)),
        ProveError::TooManyObjects,
        ProveError::Landmarks(LandmarksError::Memory(MemoryError::Denied)),
        ProveError::Empty,
        ProveError::NoSuchGoroutine { goid: 34 },
    ]);
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: its Go heap has 23.3 GiB, more than the 16.0 GiB that are read at most; `--max-heap 24GiB` allows it, and takes time accordingly
    gostray: nothing can be proven of this program: how its heap is laid out (go1.26.1) is not known: runtime.mspan has no field nelems; `gostray snapshot` and `gostray attach` work without
    gostray: nothing is proven: what is alive could not all be read: 8 bytes at 0xc000004000 are not mapped
    gostray: nothing is proven: what is alive could not all be read: reading the process's memory was denied; run as root, or grant CAP_SYS_PTRACE (where kernel.yama.ptrace_scope is 3 nobody may)
    gostray: nothing is proven: the heap changed too much while it was read; try again when the program is less busy
    gostray: nothing is proven: 3 goroutines could not be read each time it was tried
    gostray: its heap has too many objects to tell how each is reached; `gostray prove` without `--why` works
    gostray: its memory cannot be read: reading the process's memory was denied; run as root, or grant CAP_SYS_PTRACE (where kernel.yama.ptrace_scope is 3 nobody may)
    gostray: no goroutine is alive: the program is only just starting, or ending; try again
    gostray: no goroutine has number 34; it may have ended (`gostray snapshot PID --full` lists all)
    ");
}

#[test]
fn of_comparisons() {
    let saved = |text: &str| -> SavedError { Snapshot::from_json(text.as_bytes()).unwrap_err() };
    let messages = lines([saved("54 goroutines"), saved("{}")]);
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: not JSON (trailing characters at line 1 column 4); `gostray snapshot PID --format json` writes what can be compared
    gostray: JSON, but no snapshot of gostray (missing field `process` at line 1 column 2)
    ");
    let messages = lines([
        DiffError::WrongOrder {
            before: "2026-11-20T21:28:31.000Z".into(),
            after: "2026-11-20T21:13:31.000Z".into(),
        },
        DiffError::NoTime {
            taken_at: "yesterday".into(),
        },
    ]);
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: the second snapshot was taken before the first (2026-11-20T21:13:31.000Z, 2026-11-20T21:28:31.000Z); swap them
    gostray: a snapshot says it was taken at `yesterday`, which is no time
    ");
}

#[test]
fn of_databases() {
    let path = || "/var/lib/gostray/history.db".into();
    let messages = lines([
        StoreError::Missing { path: path() },
        StoreError::NoDirectory { path: path() },
        StoreError::IsDirectory { path: path() },
        StoreError::NotAFile { path: path() },
        StoreError::Denied { path: path() },
        StoreError::ReadOnly { path: path() },
        StoreError::Locked { path: path() },
        StoreError::Full { path: path() },
        StoreError::Corrupt { path: path() },
        StoreError::Foreign { path: path() },
        StoreError::Newer {
            path: path(),
            found: 7,
        },
        StoreError::Io {
            path: path(),
            source: io::Error::from_raw_os_error(5),
        },
    ]);
    insta::assert_snapshot!(each_line_stands_alone(messages), @r"
    gostray: /var/lib/gostray/history.db: there is no such file; `gostray attach` makes one while it watches
    gostray: /var/lib/gostray/history.db: its directory is not there; make it, or choose another file (`--history FILE`)
    gostray: /var/lib/gostray/history.db: this is a directory; name a file in it
    gostray: /var/lib/gostray/history.db: not a regular file; name one, or a new one
    gostray: /var/lib/gostray/history.db: access was denied; run as root, or choose another file (`--history FILE`)
    gostray: /var/lib/gostray/history.db: it is read-only, or on a file system that is; allow writing, or choose another file (`--history FILE`)
    gostray: /var/lib/gostray/history.db: another process keeps it locked; end what holds it (`fuser /var/lib/gostray/history.db` names it), or choose another file (`--history FILE`)
    gostray: /var/lib/gostray/history.db: no room for more, on the disk or within the size it may have; make room, or move the file away to begin anew
    gostray: /var/lib/gostray/history.db: damaged, or no SQLite database; it was left as it is: move it away to begin anew, or try `sqlite3 /var/lib/gostray/history.db .recover`
    gostray: /var/lib/gostray/history.db: this is another program's SQLite database; choose another file
    gostray: /var/lib/gostray/history.db: made by a newer gostray (version 7 of the database, this one knows 1); use that one, or choose another file (`--history FILE`)
    gostray: /var/lib/gostray/history.db: Input/output error (os error 5)
    ");
}
