//! Harness for the end-to-end tests: starts real Go programs, runs the agent, reads its events.
//!
//! Nothing here waits for time to pass: it waits for a line, an event or an exit, with a deadline
//! that only a broken run reaches.

/// One running `gostray` and its events.
pub mod agent;
/// What `gostray-bench` measures.
pub mod bench;
/// The same check for each release and way to link, and what differs between them.
pub mod cells;
/// A cgroup with a limit of memory.
pub mod cgroup;
/// A daemon among processes that come, go and change.
pub mod chaos;
/// Containers, as the kernel sees them.
pub mod containers;
/// An OpenTelemetry Collector, and what it has received.
pub mod collector;
/// What the programs count themselves, compared with what the agent says.
pub mod counts;
/// Verdicts on programs of which it is known whether they leak.
pub mod eval;
/// Building the Go programs in `tests/targets` with several releases and link modes.
pub mod go;
/// The text of the `goroutine` profile with `debug=2`.
pub mod goroutine_dump;
/// HTTP over loopback, as little of it as the tests need.
pub mod http;
/// Lines from a child's pipe, with a deadline.
pub mod lines;
/// Snapshots of programs that go on while they are read.
pub mod moving;
/// A program with ten thousand `go` statements.
pub mod many_sites;
/// One running `gostray daemon`.
pub mod node;
/// What `go tool pprof` says of a profile.
pub mod pprof;
/// Breakpoints left behind in a process.
pub mod probes;
/// A Prometheus, and what it has scraped.
pub mod prometheus;
/// Proofs, and what the program `proofs` knows of the same goroutines.
pub mod prove;
/// Random Go programs of which all is known.
pub mod random;
/// The program `atrest` and what it and the agent say of it.
pub mod rest;
/// Servers nobody here wrote.
pub mod servers;
/// A process, a leak and a sample of all, as a node's agent would tell them.
pub mod samples;
/// Telling that a test cannot run here.
pub mod skip;
/// One running Go program that obeys commands on its stdin.
pub mod target;
/// What a process has used: memory and processor time.
pub mod usage;
/// What goroutines wait on: the snapshot's word against the program's.
pub mod waits;
/// Receives what a webhook is sent.
pub mod webhook;
