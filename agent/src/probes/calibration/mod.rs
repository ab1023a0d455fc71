//! What a hit costs on this very machine: the programs, as they are, attached to functions of the
//! agent's own.
//!
//! Times of hits differ by a factor of ten and more between bare metal and virtual machines, and
//! between kernels; so they are measured at each start, and never known beforehand.

mod landing;
mod switches;

use std::{
    num::NonZeroU32,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use gostray_common::Offsets;
use nix::time::{ClockId, clock_gettime};

use self::landing::Landing;
use super::{
    Limit, Limits, PerfUprobes, Plan, PlannedProbe, ProbeError, ProbeKind, Probes, SiteChoice,
    site::Site,
};
use crate::{
    binary::{FileOffset, LinkAddress, LoadBias},
    governor::HitCosts,
    memory::LiveMemory,
};

/// Hits that are timed together. Short, so that few of them are interrupted.
const HITS: usize = 64;
const ROUNDS: usize = 9;
/// Of those at a stepped instruction, which may cost twenty times as much.
const STEPPED_HITS: usize = 16;
/// Room for as many births, and some more.
const GOROUTINES: u32 = 256;
/// Words between two goroutines that do not exist, and from the last one to the end.
const STRIDE: usize = 2;
const G_WORDS: usize = 128;

/// The costs of hits, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// At instructions that the kernel emulates.
    costs: HitCosts,
    /// A creation at an instruction that it steps over out of line.
    stepped: f64,
}

/// Measured once: it costs as much again to take the probes away.
static OF_THIS_MACHINE: Mutex<Option<Calibration>> = Mutex::new(None);
/// The probes that was done with. While the kernel takes them away it lets nobody attach others.
static USED: Mutex<Option<Probes>> = Mutex::new(None);

impl Calibration {
    /// What hits cost here, measured when it is asked for first.
    ///
    /// # Errors
    /// Not allowed, or the kernel refuses a program; the next call tries again.
    pub fn of_this_machine() -> Result<Self, ProbeError> {
        let mut known = OF_THIS_MACHINE
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(calibration) = &*known {
            return Ok(calibration.clone());
        }
        let calibration = Self::measure().map_err(|error| match error {
            denied @ ProbeError::Denied { .. } => denied,
            no_object @ ProbeError::NoObject => no_object,
            error => ProbeError::Uncalibrated(Box::new(error)),
        })?;
        Ok(known.insert(calibration).clone())
    }

    /// Has the probes that were needed taken away, in the background. Before that is a better moment to
    /// attach others than right after.
    pub fn let_go() {
        drop(USED.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Measures, which takes some ten milliseconds.
    fn measure() -> Result<Self, ProbeError> {
        let probed = [
            (ProbeKind::Exit, landing::exit()),
            (ProbeKind::Creation, landing::creation()),
            (ProbeKind::Creation, landing::stepped()),
            (ProbeKind::Park, landing::park()),
            (ProbeKind::Statement, landing::statement()),
        ];
        let plan = Plan {
            probes: probed
                .into_iter()
                .map(|(kind, landing)| planned(kind, landing))
                .collect::<Result<_, _>>()?,
        };
        let undisturbed = switches::measure();
        let probes = attached(&plan)?;
        let disturbed = switches::measure();
        let slower = undisturbed
            .zip(disturbed)
            .map(|(without, with)| with - without);
        // Every word is the site, at whatever offset the programs look for it.
        let gs = vec![landing::creation().address(); HITS * STRIDE + G_WORDS];
        let emulated = measure_each(&gs);
        let stepped = usual(|| {
            let cost = time(landing::stepped(), &gs, STEPPED_HITS);
            time(landing::exit(), &gs, STEPPED_HITS);
            cost
        });
        let crowding = crowding(&gs, emulated[ProbeKind::Park as usize]);
        probes.refuse()?;
        let refused = usual(|| time(landing::park(), &gs, HITS));
        // It does less than any other, whatever noise there was.
        let refused = emulated.into_iter().fold(refused, f64::min);
        let calibration = Self {
            costs: HitCosts {
                kinds: emulated,
                refused,
                switch: slower.unwrap_or(0.0).max(0.0) / plan.probes.len() as f64,
                crowding,
                other_processors: processors() - 1.0,
            },
            stepped,
        };
        tracing::debug!(?calibration, "measured what hits cost");
        *USED.lock().unwrap_or_else(PoisonError::into_inner) = Some(probes);
        Ok(calibration)
    }

    /// What one probe adds to a switch of the target's first thread and back, in seconds.
    #[must_use]
    pub fn switch(&self) -> f64 {
        self.costs.switch
    }

    /// What hits cost at instructions that are chosen in this way.
    #[must_use]
    pub fn costs(&self, choice: SiteChoice) -> HitCosts {
        let more = match choice {
            SiteChoice::SingleTrap => 0.0,
            SiteChoice::FunctionEntry => (self.stepped - self.emulated()).max(0.0),
        };
        HitCosts {
            kinds: self.costs.kinds.map(|cost| cost + more),
            refused: self.costs.refused + more,
            ..self.costs
        }
    }

    /// A creation at an instruction that the kernel emulates, in seconds.
    #[must_use]
    pub fn emulated(&self) -> f64 {
        self.costs.of(ProbeKind::Creation)
    }

    /// The same at one that it steps over out of line.
    #[must_use]
    pub fn stepped(&self) -> f64 {
        self.stepped
    }
}

fn attached(plan: &Plan) -> Result<Probes, ProbeError> {
    // No stack is taken: there is none of Go.
    let limits = Limits {
        sites: 16,
        goroutines: GOROUTINES,
        stacks_per_site: 0,
    };
    let offsets = Offsets {
        gopc: 0,
        startpc: 8,
    };
    let mut probes = Probes::load(plan, offsets, limits, Limit::NONE)?;
    let pid = std::process::id();
    let memory = LiveMemory::new(pid.cast_signed());
    if let Some(pid) = NonZeroU32::new(nix::unistd::gettid().as_raw().cast_unsigned()) {
        let exe = Path::new("/proc/self/exe");
        probes.attach(plan, &PerfUprobes, exe, pid, &memory, LoadBias(0))?;
    }
    Ok(probes)
}

/// What is at a place of our own memory, in terms of a file that is not moved.
fn planned(kind: ProbeKind, landing: Landing) -> Result<PlannedProbe, ProbeError> {
    let address = landing.address();
    let probe = kind.name();
    let maps = procfs::process::Process::myself().and_then(|me| me.maps());
    let maps = maps.map_err(|error| ProbeError::Load(format!("own mappings: {error}")))?;
    let map = maps
        .iter()
        .find(|map| (map.address.0..map.address.1).contains(&address))
        .ok_or(ProbeError::NotInFile { probe })?;
    Ok(PlannedProbe {
        kind,
        function: "gostray".into(),
        site: Site {
            address: LinkAddress(address),
            bytes: landing.bytes(),
            at_stack_check: false,
        },
        offset: FileOffset(address - map.address.0 + map.offset),
    })
}

/// By kind, in seconds.
fn measure_each(gs: &[u64]) -> [f64; ProbeKind::ALL.len()] {
    let mut times: [Vec<f64>; ProbeKind::ALL.len()] = Default::default();
    for _ in 0..ROUNDS {
        // Ends need creations before them.
        for (kind, landing) in [
            (ProbeKind::Creation, landing::creation()),
            (ProbeKind::Exit, landing::exit()),
            (ProbeKind::Park, landing::park()),
            (ProbeKind::Statement, landing::statement()),
        ] {
            times[kind as usize].push(time(landing, gs, HITS));
        }
    }
    times.map(lower_quartile)
}

/// Seconds of processor time for one of so many hits, each with a goroutine of its own.
fn time(landing: Landing, gs: &[u64], hits: usize) -> f64 {
    let started = own_time();
    for g in gs.chunks_exact(STRIDE).take(hits) {
        landing.hit(g);
    }
    (own_time() - started) / hits as f64
}

/// Of this thread, so that whoever interrupts it does not count.
fn own_time() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(0.0, |time| Duration::from(time).as_secs_f64())
}

/// By how much a hit costs more while another processor is being hit all the time, as a part of what
/// it costs `alone`.
fn crowding(gs: &[u64], alone: f64) -> f64 {
    if processors() < 2.0 {
        return 0.0;
    }
    let (ready, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let together = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                time(landing::park(), gs, HITS);
                ready.store(true, Ordering::Relaxed);
            }
        });
        while !ready.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        let together = usual(|| time(landing::park(), gs, HITS));
        done.store(true, Ordering::Relaxed);
        together
    });
    (together / alone - 1.0).max(0.0)
}

fn processors() -> f64 {
    thread::available_parallelism().map_or(1.0, |number| number.get() as f64)
}

fn usual(measure: impl FnMut() -> f64) -> f64 {
    lower_quartile(std::iter::repeat_with(measure).take(ROUNDS).collect())
}

/// What disturbs a measurement makes it longer, never shorter.
fn lower_quartile(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 4).copied().unwrap_or(0.0)
}
