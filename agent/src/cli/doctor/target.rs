//! One process: all that attaching does, except attaching.

use super::Check;
use crate::{
    binary::BinaryCache,
    memory::{LiveMemory, MemoryReader as _},
    probes::{Limit, Limits, Plan, Probes, SiteChoice},
    session::Inspected,
};

const AREA: &str = "target";

pub(super) fn checks(pid: i32) -> Vec<Check> {
    let inspected = match Inspected::new(pid, &BinaryCache::new()) {
        Ok(inspected) => inspected,
        Err(error) => {
            return vec![Check::fail(
                AREA,
                "program",
                error.to_string(),
                "see the message",
            )];
        }
    };
    let info = inspected.info();
    let mut checks = vec![
        Check::ok(
            AREA,
            "program",
            format!("{} ({})", info.exe, info.go_version),
        ),
        Check::ok(
            AREA,
            "module",
            info.main_module.unwrap_or_else(|| "not recorded".into()),
        ),
        Check::ok(AREA, "struct layouts", info.layout),
    ];
    checks.push(match &inspected.program.wait_reasons {
        Ok(_) => Check::ok(AREA, "wait reasons", "the binary's own table was found"),
        Err(error) => Check::warn(
            AREA,
            "wait reasons",
            error.to_string(),
            "leaks are found all the same, without a wait reason",
        ),
    });
    checks.push(memory(&inspected));
    let plan = match inspected.plan(SiteChoice::default(), true) {
        Ok(plan) => plan,
        Err(error) => {
            let help = "`gostray snapshot` works all the same";
            checks.push(Check::fail(AREA, "probes", error.to_string(), help));
            return checks;
        }
    };
    checks.extend(plan.probes.iter().map(|probe| {
        Check::ok(
            AREA,
            probe.kind.name(),
            format!(
                "in {} at {}, {}",
                probe.function,
                probe.site.address,
                if probe.site.at_stack_check {
                    "the stack check's branch"
                } else {
                    "an instruction that costs one trap"
                },
            ),
        )
    }));
    checks.push(load(&inspected, &plan));
    checks
}

fn memory(inspected: &Inspected) -> Check {
    let program = &inspected.program;
    let address = program.bias.to_runtime(program.binary.module_data().text);
    match LiveMemory::new(inspected.process.pid()).read_array::<1>(address) {
        Ok(_) => Check::ok(AREA, "memory", "readable"),
        Err(error) => Check::fail(
            AREA,
            "memory",
            error.to_string(),
            "run as root, or grant CAP_SYS_PTRACE",
        ),
    }
}

fn load(inspected: &Inspected, plan: &Plan) -> Check {
    let offsets = gostray_common::Offsets {
        gopc: inspected.program.layout.gopc,
        startpc: inspected.program.layout.startpc,
    };
    match Probes::load(plan, offsets, Limits::default(), Limit::NONE) {
        Ok(_) => Check::ok(AREA, "programs", "the kernel's verifier accepts them"),
        Err(error) => Check::fail(
            AREA,
            "programs",
            error.to_string(),
            "see kernel and privileges above",
        ),
    }
}
