//! Containers and pods in the paths of cgroups, which whoever may make a cgroup chooses.
#![no_main]

use gostray::discover::cgroup::Placement;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let placement = Placement::of_lines(&String::from_utf8_lossy(data));
    // Ids become attributes and part of messages: nothing but digits and dashes.
    let is_plain = |text: &str| {
        (32..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    assert!(
        placement
            .container
            .is_none_or(|container| is_plain(&container.id))
    );
    assert!(placement.pod.is_none_or(|uid| is_plain(&uid)));
});
