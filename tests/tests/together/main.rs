//! Tests that wait most of the time, for verdicts that take three quarters of a minute: they run at the
//! same time, and none measures what another would disturb.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod history;
mod patterns;
mod proven;
mod suppressed;
mod verdicts;
