//! Harness for the end-to-end tests: starts real Go programs, runs the agent, reads its events.
