//! Functions of the agent's own that probes are attached to, to see what a hit costs here.
#![expect(unsafe_code, reason = "instructions that are known to the byte")]

use std::arch::global_asm;

use functions::{CALL, COMPARISON};

/// A function, and the instruction in it that is probed.
#[derive(Clone, Copy)]
pub(super) struct Landing {
    function: unsafe extern "C" fn(*const u64),
    site: *const u8,
    /// Bytes of the instruction.
    pub(super) length: usize,
}

impl Landing {
    /// The instruction's address.
    pub(super) fn address(self) -> u64 {
        self.site as u64
    }

    /// Its bytes.
    pub(super) fn bytes(self) -> Vec<u8> {
        (0..self.length)
            // SAFETY: the instruction is as long as that, and code is readable.
            .map(|n| unsafe { self.site.add(n).read_volatile() })
            .collect()
    }

    /// One hit, with `g` where Go keeps a first argument and the current goroutine.
    #[inline]
    pub(super) fn hit(self, g: &[u64]) {
        // SAFETY: the functions below keep to the C calling convention, touch no memory but their own
        // stack, and use the pointer as a number.
        unsafe { (self.function)(g.as_ptr()) }
    }
}

macro_rules! landing {
    ($function:ident, $site:ident, $length:expr) => {{
        unsafe extern "C" {
            fn $function(g: *const u64);
            static $site: u8;
        }
        Landing {
            function: $function,
            site: &raw const $site,
            length: $length,
        }
    }};
}

/// Where creations are probed: a call, which the kernel emulates.
pub(super) fn creation() -> Landing {
    landing!(
        gostray_landing_creation,
        gostray_landing_creation_site,
        CALL
    )
}

/// Where ends are.
pub(super) fn exit() -> Landing {
    landing!(gostray_landing_exit, gostray_landing_exit_site, CALL)
}

/// Where parks are.
pub(super) fn park() -> Landing {
    landing!(gostray_landing_park, gostray_landing_park_site, CALL)
}

/// Where a single statement is.
pub(super) fn statement() -> Landing {
    landing!(
        gostray_landing_statement,
        gostray_landing_statement_site,
        CALL
    )
}

/// A comparison, which the kernel steps over out of line.
pub(super) fn stepped() -> Landing {
    landing!(
        gostray_landing_stepped,
        gostray_landing_stepped_site,
        COMPARISON
    )
}

macro_rules! function {
    ($name:literal: [$($before:literal),*] $probed:literal [$($after:literal),*]) => {
        global_asm!(
            ".pushsection .text",
            ".p2align 4",
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!($name, ":"),
            $($before,)*
            concat!(".globl ", $name, "_site"),
            concat!(".hidden ", $name, "_site"),
            concat!($name, "_site:"),
            $probed,
            $($after,)*
            "ret",
            "3: ret",
            ".popsection",
        );
    };
}

#[cfg(target_arch = "x86_64")]
mod functions {
    use super::global_asm;

    pub(super) const CALL: usize = 5;
    pub(super) const COMPARISON: usize = 4;

    // First argument in rax, third in rcx, the current g in r14: Go's ABIInternal.
    macro_rules! go_function {
        ($name:literal, $probed:literal) => {
            function!($name: ["push r14", "mov rax, rdi", "mov r14, rdi", "xor ecx, ecx"]
                $probed
                ["pop r14"]);
        };
    }

    go_function!("gostray_landing_creation", "call 3f");
    go_function!("gostray_landing_exit", "call 3f");
    go_function!("gostray_landing_park", "call 3f");
    go_function!("gostray_landing_statement", "call 3f");
    go_function!("gostray_landing_stepped", "cmp rsp, [r14 + 16]");
}

#[cfg(target_arch = "aarch64")]
mod functions {
    use super::global_asm;

    pub(super) const CALL: usize = 4;
    pub(super) const COMPARISON: usize = 4;

    // First argument in x0, third in x2, the current g in x28.
    macro_rules! go_function {
        ($name:literal, $probed:literal) => {
            function!($name: ["stp x28, x30, [sp, #-16]!", "mov x28, x0", "mov x2, #0"]
                $probed
                ["ldp x28, x30, [sp], #16"]);
        };
    }

    go_function!("gostray_landing_creation", "bl 3f");
    go_function!("gostray_landing_exit", "bl 3f");
    go_function!("gostray_landing_park", "bl 3f");
    go_function!("gostray_landing_statement", "bl 3f");
    go_function!("gostray_landing_stepped", "cmp x28, x2");
}
