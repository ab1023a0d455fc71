//! A pclntab on its own. The first bytes choose the release and where function data begins.
#![no_main]

use gostray::binary::{GoVersion, LinkAddress, Pclntab, PclntabLayout};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [minor, funcdata, table @ ..] = data else {
        return;
    };
    let version = GoVersion {
        major: 1,
        minor: 18 + u16::from(*minor) % 10,
        patch: None,
        suffix: String::new(),
    };
    let text = LinkAddress(0x40_1000);
    let Ok(layout) = PclntabLayout::parse(table, &version, Some(text)) else {
        return;
    };
    let funcdata = table.get(usize::from(*funcdata) * 4..).unwrap_or(&[]);
    let view = Pclntab::new(table, funcdata, &layout);
    for function in view.functions().take(64) {
        let _ = (
            function.name(),
            function.start_line(),
            function.is_wrapper(),
            function.flags(),
        );
        for pc in [
            function.entry(),
            LinkAddress(function.end().0.wrapping_sub(1)),
        ] {
            let _ = function.file_line(pc);
            let _ = function.inlined_calls(pc);
        }
        let _ = view.function_at(function.entry());
    }
    let _ = view.function_at(LinkAddress(u64::MAX));
    let _ = view.functions_named(["main.main", "runtime.gopark", ""]);
});
