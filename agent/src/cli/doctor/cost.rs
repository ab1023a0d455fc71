//! What probes cost on this machine: tried on functions of gostray's own.

use super::Check;
use crate::{governor::Budget, probes::Calibration};

const AREA: &str = "cost";

pub(super) fn check() -> Check {
    match Calibration::of_this_machine() {
        Ok(calibration) => Check::ok(AREA, "a probe's hit", describe(&calibration)),
        Err(error) => Check::fail(
            AREA,
            "a probe's hit",
            format!("not measured: {error}"),
            "see kernel and privileges above; `gostray attach --no-probes` needs none",
        ),
    }
}

fn describe(calibration: &Calibration) -> String {
    let costs = calibration.costs(crate::probes::SiteChoice::SingleTrap);
    let micros = |seconds: f64| seconds * 1e6;
    format!(
        "{:.2} µs at an emulated instruction, as gostray chooses them, {:.2} µs at a stepped one; {} of \
         a core watches {:.0} goroutines a second",
        micros(calibration.emulated()),
        micros(calibration.stepped()),
        Budget::DEFAULT,
        Budget::DEFAULT.cores() / costs.goroutine(),
    )
}
