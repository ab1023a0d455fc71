//! The daemon's HTTP listener: metrics for Prometheus, health, status, and goroutine profiles as Go
//! programs serve them of themselves.
//!
//! It reads only; what it tells comes from the `Node`. It runs in a thread of its own, and nothing
//! here delays whoever watches: connections, requests and answers are bounded in number, size and
//! time.

mod answers;
mod asked;
mod client;
mod config;
mod connection;
mod guard;
mod health;
mod metrics;
mod node;
mod profiles;
mod server;
mod status;
#[cfg(test)]
mod tests;

pub use asked::Asked;
pub use client::{AskError, ask};
pub use config::{DEFAULT_ADDRESS, EXAMPLE, HostName, ListenAddress, ListenConfig};
pub use node::{Node, Profile, ProfileError, ProfileKind};
pub use profiles::take as take_profile;
pub use server::Listener;

use std::{io, net::SocketAddr};

/// Why the daemon cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Other machines could reach it, and nobody said that they may.
    #[error(
        "[listen] address {address} can be reached from other machines, and there is no password: \
         use 127.0.0.1 or [::1], or say `allow_remote = true` if they may read which programs run here \
         and what their goroutines do"
    )]
    Remote {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error(
        "cannot listen on {address}: {source}; choose another address in [listen], or `enabled = false`"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// No thread, or nothing to wait on sockets with.
    #[error("cannot start the listener's thread: {0}")]
    Thread(#[source] io::Error),
}
