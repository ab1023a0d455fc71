//! What a process's file descriptors are: sockets with their addresses, pipes, files.

use std::{collections::HashMap, fmt::Display};

use procfs::process::{FDTarget, Process as ProcfsProcess};

/// A file descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// `tcp`, `udp`, `unix`, `socket` when the tables do not have it, `pipe`, or what else it is.
    pub protocol: String,
    /// Its own address; of a file, the path.
    pub local: Option<String>,
    /// The peer's address.
    pub remote: Option<String>,
}

/// The descriptors of one process, looked up when they are asked for.
#[derive(Debug)]
pub struct Descriptors {
    process: Option<ProcfsProcess>,
    /// By inode; read once, when the first socket is asked for.
    sockets: Option<HashMap<u64, Descriptor>>,
}

impl Descriptors {
    /// Of process `pid`.
    #[must_use]
    pub fn of(pid: i32) -> Self {
        Self {
            process: ProcfsProcess::new(pid).ok(),
            sockets: None,
        }
    }

    /// Of no process: none is known.
    #[must_use]
    pub fn none() -> Self {
        Self {
            process: None,
            sockets: None,
        }
    }

    /// What `fd` is. `None` when that cannot be found out: it was closed, or we may not look.
    pub fn describe(&mut self, fd: u64) -> Option<Descriptor> {
        let process = self.process.as_ref()?;
        let target = process.fd_from_fd(i32::try_from(fd).ok()?).ok()?.target;
        let plain = |protocol: &str, local: Option<String>| Descriptor {
            protocol: protocol.into(),
            local,
            remote: None,
        };
        Some(match target {
            FDTarget::Socket(inode) => {
                let sockets = self.sockets.get_or_insert_with(|| sockets(process));
                let known = sockets.get(&inode).cloned();
                known.unwrap_or_else(|| plain("socket", None))
            }
            FDTarget::Pipe(_) => plain("pipe", None),
            FDTarget::Path(path) => plain("file", Some(path.display().to_string())),
            FDTarget::AnonInode(kind) => plain(&kind, None),
            _ => plain("file", None),
        })
    }
}

/// All sockets of the process's network namespace. A table that cannot be read has none.
fn sockets(process: &ProcfsProcess) -> HashMap<u64, Descriptor> {
    let mut sockets = HashMap::new();
    let mut add = |inode, protocol: &str, local: &dyn Display, remote: Option<String>| {
        let descriptor = Descriptor {
            protocol: protocol.into(),
            local: Some(local.to_string()),
            remote,
        };
        sockets.insert(inode, descriptor);
    };
    let peer = |address: std::net::SocketAddr| (address.port() != 0).then(|| address.to_string());
    for tables in [process.tcp(), process.tcp6()] {
        for tcp in tables.into_iter().flatten() {
            add(
                tcp.inode,
                "tcp",
                &tcp.local_address,
                peer(tcp.remote_address),
            );
        }
    }
    for tables in [process.udp(), process.udp6()] {
        for udp in tables.into_iter().flatten() {
            add(
                udp.inode,
                "udp",
                &udp.local_address,
                peer(udp.remote_address),
            );
        }
    }
    for unix in process.unix().into_iter().flatten() {
        let path = unix.path.map(|path| path.display().to_string());
        add(
            unix.inode,
            "unix",
            &path.unwrap_or_else(|| "(unnamed)".into()),
            None,
        );
    }
    sockets
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::fd::AsRawFd as _};

    use super::*;

    #[test]
    fn of_this_process() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let client = std::net::TcpStream::connect(address).expect("it listens");
        let (reader, _writer) = std::io::pipe().expect("a pipe");
        let own = i32::try_from(std::process::id()).expect("a pid");
        let mut descriptors = Descriptors::of(own);
        let mut describe = |fd: i32| descriptors.describe(u64::try_from(fd).expect("open"));
        let connected = describe(client.as_raw_fd()).expect("it is open");
        assert_eq!(connected.protocol, "tcp");
        assert_eq!(connected.remote, Some(address.to_string()));
        let listening = describe(listener.as_raw_fd()).expect("it is open");
        assert_eq!(listening.local, Some(address.to_string()));
        assert_eq!(listening.remote, None);
        assert_eq!(
            describe(reader.as_raw_fd()).expect("it is open").protocol,
            "pipe"
        );
        assert_eq!(describe(1 << 20), None);
    }
}
