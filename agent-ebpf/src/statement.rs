//! One `go` statement is executed: at its own `call runtime.newproc`, whose first argument leads to
//! the function. Only this statement pays for it, however many goroutines all others create.

use aya_ebpf::{macros::uprobe, programs::ProbeContext};
use gostray_common::ProbeKind;

use crate::{
    maps::{add_one, admitted},
    registers::{behind_call, first_argument},
    sites::{site_stats, take_stack},
    target::stacks_per_site,
};

/// Counts the creation for the statement. What becomes of the goroutine is the census's to say.
#[uprobe]
pub fn statement(ctx: ProbeContext) -> u32 {
    if !admitted(ProbeKind::Statement) {
        return 0;
    }
    // What `g.gopc` of the new goroutine will be.
    let site = behind_call(&ctx);
    // The argument is a `*funcval`, which begins with the function's address.
    let Some(stats) = site_stats(&site, first_argument(&ctx)) else {
        return 0;
    };
    // SAFETY: a map value; sites are never deleted while the programs are attached.
    add_one(unsafe { &raw mut (*stats).created });
    // SAFETY: as above.
    if unsafe { (*stats).stacks_taken } < stacks_per_site() {
        take_stack(&ctx, site, stats);
    }
    0
}
