//! `gostray attach`: one session, from the first look to the last event.

use std::{
    io::{self, IsTerminal as _},
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signalfd::SignalFd,
};
use tracing::{debug, info};

use super::{AttachArguments, Exit, Format, arguments::Sites, signals, terminal};
use crate::{
    binary::BinaryCache,
    config::Config,
    probes::{Limits, SiteChoice, StopFile},
    report::{DetachReason, Event, JsonLines, Renderer, Text},
    session::{Accounting, Inspected, Options, Session},
    target::Vitality,
};

/// Runs the command.
pub(super) fn run(arguments: &AttachArguments) -> anyhow::Result<Exit> {
    // Blocked before there is anything to clean up, so that no signal ends us in between.
    let signals = signals::receive_stops_too().context("cannot receive signals")?;
    let config = match &arguments.config {
        Some(path) => Config::read(path)?,
        None => Config::read_default()?,
    };
    let pid = arguments.target.resolve()?;
    let options = options(arguments, config);
    let started = Instant::now();
    let inspected = Inspected::new(pid, &BinaryCache::new())?;
    info!(
        elapsed_ms = started.elapsed().as_millis(),
        go = %inspected.program.binary.build_info().go_version,
        layout = %inspected.program.layouts.source(),
        "looked at the process"
    );
    let session = Session::attach(inspected, options)?;
    info!(elapsed_ms = started.elapsed().as_millis(), "attached");
    let mut renderer = renderer(arguments.format);
    let mut watch = Watch {
        session,
        renderer: &mut *renderer,
        interval: arguments.interval,
        deadline: arguments.duration.map(|duration| Instant::now() + duration),
    };
    let ended = watch.until_the_end(&signals);
    let Watch { session, .. } = watch;
    // Whatever happened, the probes go first.
    let (reason, error) = match ended {
        Ok(reason) => (reason, None),
        Err(error) if is_closed(&error) => (DetachReason::OutputClosed, None),
        Err(error) => (DetachReason::Interrupted, Some(error)),
    };
    let last = session.detach(reason);
    if let Some(error) = error {
        return Err(error);
    }
    if reason != DetachReason::OutputClosed {
        renderer.event(&last)?;
    }
    Ok(Exit::Done)
}

/// Why a sleep ended.
enum Woken {
    ForWork,
    ToStop,
    ToEnd(DetachReason),
}

struct Watch<'a> {
    session: Session,
    renderer: &'a mut dyn Renderer,
    interval: Duration,
    deadline: Option<Instant>,
}

impl Watch<'_> {
    fn until_the_end(&mut self, signals: &SignalFd) -> anyhow::Result<DetachReason> {
        let attached = self.session.attached();
        self.emit(&attached)?;
        let mut next_status = Instant::now();
        loop {
            let now = Instant::now();
            let work = self.session.work()?;
            for event in &work.events {
                self.emit(event)?;
            }
            if let Some(reason) = work.end {
                return self.end(reason);
            }
            if now >= next_status {
                let status = self.session.status()?;
                self.emit(&status)?;
                // Not `next_status + interval`: after a suspension there is nothing to catch up.
                next_status = now + self.interval;
            }
            if self.deadline.is_some_and(|deadline| now >= deadline) {
                return self.end(DetachReason::Duration);
            }
            let mut wake = next_status.min(self.session.next());
            if let Some(deadline) = self.deadline {
                wake = wake.min(deadline);
            }
            match self.sleep_until(wake, signals)? {
                Woken::ForWork => {}
                Woken::ToStop => self.stop()?,
                Woken::ToEnd(reason) => return self.end(reason),
            }
        }
    }

    /// One more status: what happened since the last would be lost with the kernel's maps.
    fn end(&mut self, reason: DetachReason) -> anyhow::Result<DetachReason> {
        for event in self.session.last_words()? {
            self.emit(&event)?;
        }
        Ok(reason)
    }

    /// Ctrl-Z. Who is stopped looks after nothing, so the probes go first.
    fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(event) = self.session.let_go("gostray is being stopped (SIGTSTP)")? {
            self.emit(&event)?;
        }
        signals::stop().context("stopping as asked to")
    }

    /// Sleeps, unless there is a reason not to.
    fn sleep_until(&self, wake: Instant, signals: &SignalFd) -> anyhow::Result<Woken> {
        let lifetime = &self.session.inspected().lifetime;
        let left = wake.saturating_duration_since(Instant::now());
        // Rounded up, so as not to wake a little early and then again.
        let millis = u16::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        let mut fds = [
            PollFd::new(lifetime.ended(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::from(millis)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("waiting for the process and for signals"),
        }
        if fds[1].any() == Some(true) {
            // Takes the signal away, so that it is not handled again.
            let signal = signals.read_signal();
            debug!(?signal, "woken");
            return Ok(match signal {
                Ok(Some(signal)) if signals::is_stop(&signal) => Woken::ToStop,
                _ => Woken::ToEnd(DetachReason::Interrupted),
            });
        }
        Ok(match lifetime.vitality() {
            Vitality::Alive => Woken::ForWork,
            Vitality::Ended => Woken::ToEnd(DetachReason::Exited),
            Vitality::Replaced => Woken::ToEnd(DetachReason::Exec),
        })
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.renderer.event(event)
    }
}

fn options(arguments: &AttachArguments, config: Config) -> Options {
    let limits = Limits::within(arguments.memory);
    Options {
        no_probes: arguments.no_probes,
        park: arguments.park,
        choice: match arguments.sites {
            Sites::SingleTrap => SiteChoice::SingleTrap,
            Sites::Entry => SiteChoice::FunctionEntry,
        },
        budget: arguments.budget,
        accounting: Accounting::Agent,
        least_creations: 0.0,
        memory: arguments.memory,
        limits: Limits {
            sites: arguments.max_sites.unwrap_or(limits.sites),
            goroutines: arguments.max_goroutines.unwrap_or(limits.goroutines),
            ..limits
        },
        stop_file: Some(StopFile::new(arguments.stop_file.clone())),
        suppressions: config.suppressions,
        history: (!arguments.no_history).then(|| arguments.history.clone()),
    }
}

fn renderer(format: Option<Format>) -> Box<dyn Renderer> {
    let output = io::stdout();
    let terminal = output.is_terminal();
    match format {
        Some(Format::Json) => Box::new(JsonLines::new(output)),
        None if !terminal => Box::new(JsonLines::new(output)),
        Some(Format::Text) | None => {
            let colours = terminal && std::env::var_os("NO_COLOR").is_none();
            Box::new(Text::new(output, colours, terminal::width()))
        }
    }
}

/// Whoever read our output is gone: a quiet end, as for any filter.
fn is_closed(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
