//! gostray finds the goroutines a Go program has lost, from outside the program.
//!
//! The modules stand in the order in which data flows; `ARCHITECTURE.md` follows one goroutine
//! through them, from its creation to a leak event.

/// One ELF file: build info, gopclntab, DWARF, addresses as newtypes.
pub mod binary;
/// One file a command.
pub mod cli;
/// The configuration file.
pub mod config;
/// Rules that turn series into verdicts with evidence.
pub mod detect;
/// Which Go programs run on this machine, who they are, and which of them are watched.
pub mod discover;
/// The daemon's HTTP listener: metrics, health, status, profiles.
pub mod listen;
/// Bounded reads of bytes that belong to somebody else: a live process, a core file, a mapped file.
pub mod memory;
/// How much watching may cost, and how much is watched therefore.
pub mod governor;
/// Probe sites, loading, attaching, reading the kernel's maps.
pub mod probes;
/// Which goroutines can never wake again: marking, passes that agree, what is retained.
pub mod proof;
/// Memory of the past: baselines and incidents in one SQLite file.
pub mod store;
/// One watched process: inspection, probes, observations, events.
pub mod session;
/// The one serializable model and its renderers.
pub mod report;
/// Where events and metrics go: OpenTelemetry's protocol, webhooks, stdout.
pub mod export;
/// The Go runtime seen through memory: struct layouts for each release, single goroutines.
pub mod runtime;
/// From a program counter to function, file and line, inlined calls too.
pub mod symbolize;
/// Processes: procfs, identity, life and death of a target.
pub mod target;
/// Lifetimes and series for each creation site.
pub mod track;
