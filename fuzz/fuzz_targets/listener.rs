//! Headers of requests to the daemon's listener: each line begins with a letter for one of them.
#![no_main]

use std::net::IpAddr;

use gostray::listen::{Asked, HostName};
use libfuzzer_sys::fuzz_target;

/// Whether a page of another site could have this name: all but addresses and our own.
fn is_strange(host: &[u8]) -> bool {
    let host = String::from_utf8_lossy(host).to_ascii_lowercase();
    let host = host.trim();
    let without_port = host.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = without_port.strip_suffix(':').unwrap_or(host);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    !matches!(name, "localhost" | "node-1.example.com") && address.parse::<IpAddr>().is_err()
}

fuzz_target!(|data: &[u8]| {
    let lines = data.split(|byte| *byte == b'\n');
    let headers: Vec<(&str, &[u8])> = lines
        .filter_map(|line| {
            let (letter, value) = line.split_first()?;
            let name = match letter {
                b'h' => "host",
                b'a' => "accept",
                b'e' => "accept-encoding",
                b's' => "sec-fetch-site",
                _ => return None,
            };
            Some((name, value))
        })
        .collect();
    let ours = [HostName::try_from("node-1.example.com".to_owned()).expect("a name")];
    let asked = Asked::of(headers.iter().copied(), &ours);
    if asked.is_allowed {
        // What cannot be in a header was left out.
        let may_be = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
        let mut hosts = headers
            .iter()
            .filter(|(name, host)| *name == "host" && host.iter().all(may_be));
        let (_, host) = hosts.next().expect("a host is named");
        assert!(hosts.next().is_none(), "named twice");
        assert!(!is_strange(host), "{:?}", String::from_utf8_lossy(host));
    }
});
