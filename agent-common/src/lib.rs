//! Types that cross from the eBPF programs to the user side through kernel maps.
//!
//! Both sides are compiled from this file, by different compilers for different targets, so each
//! type is `repr(C)`, has no padding that is not named and no `bool`, and its size is asserted.
#![no_std]

/// Where the fields of `runtime.g` are in this target, in bytes from its start.
///
/// Written into the programs' read-only data before they are loaded, so that the verifier and
/// the JIT see constants.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `g.gopc`: the pc behind the `call runtime.newproc` of the `go` statement.
    pub gopc: u32,
    /// `g.startpc`: the function the goroutine began with.
    pub startpc: u32,
}

/// What each program has to know about the instruction it was attached to.
///
/// A site at the stack check's own branch fires again after the stack has grown; there the
/// program drops the hit whose flags say that the branch is taken.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteChecks {
    /// 1: the creation site is a stack check's branch.
    pub creation: u32,
    /// 1: the exit site is a stack check's branch.
    pub exit: u32,
    /// 1: the park site is a stack check's branch.
    pub park: u32,
}

/// How many buckets a lifetime histogram has; bucket `n` counts lifetimes of
/// `2^n ..= 2^(n+1) - 1` nanoseconds, bucket 0 those of 0 and 1.
pub const LIFETIME_BUCKETS: usize = 48;

/// What the kernel side keeps for one creation site. All fields but the two named below only
/// ever grow, by atomic additions.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteStats {
    /// Goroutines created here while the probes were attached.
    pub created: u64,
    /// Of those, the ones that have ended.
    pub exited: u64,
    /// Of those created, the ones that found no room in the birth map: their end is counted in
    /// `exited_unborn`, without a lifetime.
    pub untracked: u64,
    /// Exits of goroutines of this site that have no birth: older than the probes, or untracked.
    pub exited_unborn: u64,
    /// `g.startpc` of the first goroutine; 0 until it is read. Written once.
    pub start_pc: u64,
    /// The longest lifetime seen. Written without atomics: two exits at the same moment may lose
    /// the smaller step, never the histogram's bucket.
    pub lifetime_max_ns: u64,
    /// Creation stacks taken (a few more than asked for when several threads race).
    pub stacks_taken: u64,
    /// log2 histogram of lifetimes.
    pub lifetimes: [u64; LIFETIME_BUCKETS],
}

impl SiteStats {
    /// A site nothing has happened at.
    pub const EMPTY: Self = Self {
        created: 0,
        exited: 0,
        untracked: 0,
        exited_unborn: 0,
        start_pc: 0,
        lifetime_max_ns: 0,
        stacks_taken: 0,
        lifetimes: [0; LIFETIME_BUCKETS],
    };
}

/// What is remembered of a living goroutine; the key is the address of its `g`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Creation site: `g.gopc`.
    pub site: u64,
    /// `CLOCK_MONOTONIC` at its creation, in nanoseconds.
    pub at_ns: u64,
}

/// Why a goroutine parked, counted for each creation site.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParkKey {
    /// Creation site of the goroutine that parked: `g.gopc`.
    pub site: u64,
    /// The runtime's `waitReason`, numbered differently in each Go release.
    pub reason: u64,
}

/// Frames of a creation stack that are kept, the runtime's own innermost ones included.
pub const STACK_DEPTH: usize = 32;

/// The frame-pointer walk of one creation.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackSample {
    /// Creation site: `g.gopc`.
    pub site: u64,
    /// Valid entries of `return_pcs`.
    pub depth: u64,
    /// Return addresses, innermost first.
    pub return_pcs: [u64; STACK_DEPTH],
}

/// The events there are probes for: indices into the `HITS` and `ALLOWED` maps.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeKind {
    /// A goroutine is created, by any `go` statement.
    Creation = 0,
    /// A goroutine ends.
    Exit = 1,
    /// A goroutine parks.
    Park = 2,
    /// One `go` statement is executed.
    Statement = 3,
}

impl ProbeKind {
    /// All of them, in the order of their indices.
    pub const ALL: [Self; 4] = [Self::Creation, Self::Exit, Self::Park, Self::Statement];

    /// The probe's name, which is its program's name too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::Exit => "exit",
            Self::Park => "park",
            Self::Statement => "statement",
        }
    }
}

/// How often a kind of probe was hit. As long as the cache lines of most processors, so that the
/// kinds do not slow each other down.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HitCount {
    /// Those that were turned away included.
    pub hits: u64,
    #[doc(hidden)]
    pub rest_of_the_line: [u64; 7],
}

/// What the kernel side could not keep: indices into the `DROPS` map.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drop {
    /// A creation at a new site, but the site map was full.
    SiteMapFull = 0,
    /// A creation that found the birth map full.
    BirthMapFull = 1,
    /// A map operation failed for another reason (memory, contention).
    MapError = 2,
    /// A field of `g` could not be read.
    ReadFailed = 3,
    /// A birth was overwritten by a later one of the same `g`: its exit was missed.
    MissedExit = 4,
    /// An exit of a goroutine whose site is unknown: older than the probes.
    UnknownExit = 5,
    /// A creation stack that found the ring buffer full.
    StackBufferFull = 6,
    /// A park that found the park map full.
    ParkMapFull = 7,
}

impl Drop {
    /// All of them, in the order of their indices.
    pub const ALL: [Self; 8] = [
        Self::SiteMapFull,
        Self::BirthMapFull,
        Self::MapError,
        Self::ReadFailed,
        Self::MissedExit,
        Self::UnknownExit,
        Self::StackBufferFull,
        Self::ParkMapFull,
    ];
}

/// A process runs a new program.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecEvent {
    /// Its process id, in the machine's first pid namespace.
    pub pid: u64,
    /// `CLOCK_MONOTONIC` when it did, in nanoseconds.
    pub at_ns: u64,
}

/// What is counted of programs started: indices into the `EXEC_COUNTS` map.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExecCount {
    /// All of them.
    Seen = 0,
    /// Those that found the ring buffer full.
    BufferFull = 1,
}

impl ExecCount {
    /// All of them, in the order of their indices.
    pub const ALL: [Self; 2] = [Self::Seen, Self::BufferFull];
}

const _: () = {
    assert!(size_of::<Offsets>() == 8);
    assert!(size_of::<ExecEvent>() == 16);
    assert!(size_of::<SiteChecks>() == 12);
    assert!(size_of::<SiteStats>() == 7 * 8 + LIFETIME_BUCKETS * 8);
    assert!(size_of::<Birth>() == 16);
    assert!(size_of::<ParkKey>() == 16);
    assert!(size_of::<StackSample>() == 16 + STACK_DEPTH * 8);
    assert!(size_of::<HitCount>() == 64);
    assert!(align_of::<SiteStats>() == 8 && align_of::<StackSample>() == 8);
};

#[cfg(feature = "user")]
#[expect(
    unsafe_code,
    reason = "aya::Pod promises that any bytes are a valid value"
)]
mod user {
    use super::{Birth, HitCount, Offsets, ParkKey, SiteChecks, SiteStats, StackSample};

    // SAFETY: each is repr(C), made of integers only, without padding (sizes asserted above).
    unsafe impl aya::Pod for Offsets {}
    // SAFETY: as above.
    unsafe impl aya::Pod for SiteChecks {}
    // SAFETY: as above.
    unsafe impl aya::Pod for SiteStats {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Birth {}
    // SAFETY: as above.
    unsafe impl aya::Pod for HitCount {}
    // SAFETY: as above.
    unsafe impl aya::Pod for ParkKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for StackSample {}
}
