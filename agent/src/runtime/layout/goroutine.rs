//! The offsets in `runtime.g` that probes and goroutine reads use, checked once.

use super::{LayoutError, Layouts};

/// Byte offsets in `runtime.g`, nested structs resolved. `Option` where a release lacks the field.
///
/// Widths: pointers, pcs, goids and times have 8 bytes, `atomicstatus` 4, `waitreason` and
/// `tracking_seq` 1. The names are those of [`runtime2.go`][g].
///
/// [g]: https://github.com/golang/go/blob/go1.27.4/src/runtime/runtime2.go
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoroutineLayout {
    /// Bytes of the whole struct: what one read of a goroutine needs at most.
    pub size: u32,
    /// `stack.lo`: lowest address of its stack; 0 when it has none.
    pub stack_lo: u32,
    /// `stack.hi`: one past the highest.
    pub stack_hi: u32,
    /// `m`: the thread it runs on; 0 when it does not run.
    pub m: u32,
    /// `sched.sp`: stack pointer when parked.
    pub sched_sp: u32,
    /// `sched.pc`: program counter when parked.
    pub sched_pc: u32,
    /// `sched.bp`: frame pointer when parked.
    pub sched_bp: u32,
    /// `sched.ctxt`: the closure it goes on in; scanned as a root.
    pub sched_ctxt: u32,
    /// `_panic`: its innermost panic, which lies on its stack, or 0.
    pub panic: u32,
    /// `_defer`: its innermost deferred call, or 0.
    pub defer: u32,
    /// `syscallsp`: stack pointer while in a system call, else 0.
    pub syscall_sp: u32,
    /// `syscallpc`: program counter while in a system call.
    pub syscall_pc: u32,
    /// `syscallbp`: frame pointer while in a system call; from Go 1.23.
    pub syscall_bp: Option<u32>,
    /// `atomicstatus`, with the `_Gscan` bit.
    pub atomicstatus: u32,
    /// `goid`.
    pub goid: u32,
    /// `waitsince`: nanotime at which a GC first saw it wait, or 0.
    pub waitsince: u32,
    /// `waitreason`: index into `runtime.waitReasonStrings`.
    pub waitreason: u32,
    /// `trackingSeq`: rises when it stops running.
    pub tracking_seq: u32,
    /// `lockedm`: the thread it is locked to, or 0.
    pub lockedm: u32,
    /// `parentGoid`: goid of its creator; from Go 1.21.
    pub parent_goid: Option<u32>,
    /// `gopc`: behind the call of `runtime.newproc` that created it.
    pub gopc: u32,
    /// `startpc`: the function it began with.
    pub startpc: u32,
    /// `waiting`: first `sudog` of what it waits on.
    pub waiting: u32,
    /// `xRegs`: the address of the vector registers of one that was stopped from outside, else 0; from
    /// Go 1.26.
    pub extended_registers: Option<u32>,
    /// `labels`: profiler labels.
    pub labels: u32,
}

impl GoroutineLayout {
    /// Looks all of them up.
    ///
    /// # Errors
    ///
    /// [`LayoutError::MissingField`] or [`LayoutError::MissingStruct`] for the first that should
    /// be there and is not; [`LayoutError::FieldSize`] for one that is not as wide as expected.
    pub fn new(layouts: &Layouts) -> Result<Self, LayoutError> {
        let word = |field| layouts.offset_of_size("runtime.g", field, 8);
        let optional = |field| layouts.optional_word("runtime.g", field);
        let inner = |field, of, inner| layouts.nested_word("runtime.g", field, of, inner);
        Ok(Self {
            size: layouts.size("runtime.g")?,
            stack_lo: inner("stack", "runtime.stack", "lo")?,
            stack_hi: inner("stack", "runtime.stack", "hi")?,
            m: word("m")?,
            sched_sp: inner("sched", "runtime.gobuf", "sp")?,
            sched_pc: inner("sched", "runtime.gobuf", "pc")?,
            sched_bp: inner("sched", "runtime.gobuf", "bp")?,
            sched_ctxt: inner("sched", "runtime.gobuf", "ctxt")?,
            panic: word("_panic")?,
            defer: word("_defer")?,
            syscall_sp: word("syscallsp")?,
            syscall_pc: word("syscallpc")?,
            syscall_bp: optional("syscallbp")?,
            atomicstatus: layouts.offset_of_size("runtime.g", "atomicstatus", 4)?,
            goid: word("goid")?,
            waitsince: word("waitsince")?,
            waitreason: layouts.offset_of_size("runtime.g", "waitreason", 1)?,
            tracking_seq: layouts.offset_of_size("runtime.g", "trackingSeq", 1)?,
            lockedm: word("lockedm")?,
            parent_goid: optional("parentGoid")?,
            gopc: word("gopc")?,
            startpc: word("startpc")?,
            waiting: word("waiting")?,
            extended_registers: optional("xRegs")?,
            labels: word("labels")?,
        })
    }
}
