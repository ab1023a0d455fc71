//! Features of the kernel, asked for one by one: a version says little about a kernel that
//! somebody else built.

use std::{fs, path::Path};

use super::Check;

const AREA: &str = "kernel";

pub(super) fn checks() -> Vec<Check> {
    vec![release(), uprobes(), bpf(), jit(), lockdown(), yama()]
}

fn setting(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().into())
}

fn release() -> Check {
    let name = nix::sys::utsname::uname().map_or_else(
        |errno| format!("unknown: {errno}"),
        |name| {
            format!(
                "{} {}",
                name.release().to_string_lossy(),
                name.machine().to_string_lossy()
            )
        },
    );
    Check::ok(AREA, "release", name)
}

fn uprobes() -> Check {
    if Path::new("/sys/bus/event_source/devices/uprobe/type").exists() {
        return Check::ok(AREA, "uprobes", "available as perf events");
    }
    Check::fail(
        AREA,
        "uprobes",
        "the kernel has no perf event source for uprobes",
        "needs CONFIG_UPROBE_EVENTS and /sys mounted (Linux 4.17 or newer)",
    )
}

fn bpf() -> Check {
    // Exists since there is the system call, whether or not unprivileged use is allowed.
    if Path::new("/proc/sys/kernel/unprivileged_bpf_disabled").exists() {
        return Check::ok(AREA, "eBPF", "available");
    }
    Check::fail(
        AREA,
        "eBPF",
        "the kernel has no bpf system call, or /proc is not mounted",
        "needs CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS",
    )
}

fn jit() -> Check {
    // A kernel with CONFIG_BPF_JIT_ALWAYS_ON may hide the switch.
    match setting("/proc/sys/net/core/bpf_jit_enable").as_deref() {
        Some("0") => Check::warn(
            AREA,
            "eBPF JIT",
            "off: probes cost the target several times as much",
            "sysctl net.core.bpf_jit_enable=1",
        ),
        Some(_) => Check::ok(AREA, "eBPF JIT", "on"),
        None => Check::ok(
            AREA,
            "eBPF JIT",
            "no switch: always on, or not visible from here",
        ),
    }
}

fn lockdown() -> Check {
    match setting("/sys/kernel/security/lockdown").as_deref() {
        Some(modes) if modes.contains("[confidentiality]") => Check::fail(
            AREA,
            "lockdown",
            "confidentiality: programs may not read memory",
            "boot without lockdown=confidentiality",
        ),
        _ => Check::ok(AREA, "lockdown", "does not stand in the way"),
    }
}

fn yama() -> Check {
    match setting("/proc/sys/kernel/yama/ptrace_scope").as_deref() {
        Some("3") => Check::fail(
            AREA,
            "Yama",
            "kernel.yama.ptrace_scope is 3: nobody may read another process's memory",
            "needs a reboot with another setting; it cannot be lowered",
        ),
        Some(scope) => Check::ok(AREA, "Yama", format!("kernel.yama.ptrace_scope is {scope}")),
        None => Check::ok(AREA, "Yama", "not active"),
    }
}
