//! Where Go's register-based calling convention (ABIInternal, Go 1.17 on) keeps what the probes
//! want: <https://github.com/golang/go/blob/go1.22.0/src/cmd/compile/abi-internal.md>.

use aya_ebpf::programs::ProbeContext;

#[cfg(bpf_target_arch = "aarch64")]
mod arch {
    use super::ProbeContext;

    const CARRY: u64 = 1 << 29;
    const ZERO: u64 = 1 << 30;

    #[inline(always)]
    pub fn first_argument(ctx: &ProbeContext) -> u64 {
        // SAFETY: the context of a uprobe program is the thread's registers.
        unsafe { (*ctx.regs).regs[0] }
    }

    #[inline(always)]
    pub fn third_argument(ctx: &ProbeContext) -> u64 {
        // SAFETY: as above.
        unsafe { (*ctx.regs).regs[2] }
    }

    #[inline(always)]
    pub fn current_g(ctx: &ProbeContext) -> u64 {
        // SAFETY: as above.
        unsafe { (*ctx.regs).regs[28] }
    }

    #[inline(always)]
    pub fn frame_pointer(ctx: &ProbeContext) -> u64 {
        // SAFETY: as above.
        unsafe { (*ctx.regs).regs[29] }
    }

    /// The instruction behind the call that was hit.
    #[inline(always)]
    pub fn behind_call(ctx: &ProbeContext) -> u64 {
        const BL: u64 = 4;
        // SAFETY: as above.
        unsafe { (*ctx.regs).pc }.wrapping_add(BL)
    }

    /// `b.ls` is taken when C is clear or Z is set.
    #[inline(always)]
    pub fn stack_check_fails(ctx: &ProbeContext) -> bool {
        // SAFETY: as above.
        let pstate = unsafe { (*ctx.regs).pstate };
        pstate & CARRY == 0 || pstate & ZERO != 0
    }
}

#[cfg(not(bpf_target_arch = "aarch64"))]
mod arch {
    use super::ProbeContext;

    const CARRY: u64 = 1 << 0;
    const ZERO: u64 = 1 << 6;

    #[inline(always)]
    pub fn first_argument(ctx: &ProbeContext) -> u64 {
        // SAFETY: the context of a uprobe program is the thread's registers.
        unsafe { (*ctx.regs).rax }
    }

    #[inline(always)]
    pub fn third_argument(ctx: &ProbeContext) -> u64 {
        // SAFETY: as above.
        unsafe { (*ctx.regs).rcx }
    }

    #[inline(always)]
    pub fn current_g(ctx: &ProbeContext) -> u64 {
        // SAFETY: as above.
        unsafe { (*ctx.regs).r14 }
    }

    #[inline(always)]
    pub fn frame_pointer(ctx: &ProbeContext) -> u64 {
        // SAFETY: as above.
        unsafe { (*ctx.regs).rbp }
    }

    /// The instruction behind the call that was hit.
    #[inline(always)]
    pub fn behind_call(ctx: &ProbeContext) -> u64 {
        /// `call rel32`
        const CALL: u64 = 5;
        // SAFETY: as above.
        unsafe { (*ctx.regs).rip }.wrapping_add(CALL)
    }

    /// `jbe` is taken when CF or ZF is set.
    #[inline(always)]
    pub fn stack_check_fails(ctx: &ProbeContext) -> bool {
        // SAFETY: as above.
        unsafe { (*ctx.regs).eflags & (CARRY | ZERO) != 0 }
    }
}

pub use arch::{
    behind_call, current_g, first_argument, frame_pointer, stack_check_fails, third_argument,
};
