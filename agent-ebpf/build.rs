//! Tells the compiler which machine's registers the programs read, for checks on the host too.
fn main() -> aya_build::Result<()> {
    aya_build::emit_bpf_target_arch_cfg()
}
