//! Sites in code written down byte by byte.

use super::*;

fn x86(bytes: &[u8]) -> Code<'_> {
    Code {
        function: "f",
        entry: LinkAddress(0x1000),
        bytes,
        architecture: Architecture::X86_64,
    }
}

fn arm(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn on_arm(bytes: &[u8]) -> Code<'_> {
    Code {
        architecture: Architecture::Aarch64,
        ..x86(bytes)
    }
}

/// `cmp 0x10(%r14),%rsp; jbe +0x40`
const CHECK: [u8; 6] = [0x49, 0x3b, 0x66, 0x10, 0x76, 0x40];

fn behind_check(code: &[u8]) -> Vec<u8> {
    [&CHECK, code].concat()
}

#[test]
fn the_push_behind_the_stack_check() {
    // push %rbp; mov %rsp,%rbp
    let code = behind_check(&[0x55, 0x48, 0x89, 0xe5]);
    let site = x86(&code)
        .entry_site(Wanted::FirstArgument)
        .expect("a site");
    assert_eq!(site.address, LinkAddress(0x1006));
    assert_eq!(site.bytes, [0x55]);
    assert!(!site.at_stack_check);
}

#[test]
fn a_large_frames_stack_check_is_one_too() {
    // lea -0x80(%rsp),%r12; cmp 0x10(%r14),%r12; jbe; push %rbp
    let code = [
        0x4c, 0x8d, 0x64, 0x24, 0x80, 0x4d, 0x3b, 0x66, 0x10, 0x76, 0x40, 0x55,
    ];
    let site = x86(&code)
        .entry_site(Wanted::FirstArgument)
        .expect("a site");
    assert_eq!(site.address, LinkAddress(0x100b));
}

#[test]
fn before_go_1_21_the_first_call_with_the_argument_intact() {
    // sub $0x38,%rsp; mov %rbp,0x30(%rsp); mov %rax,0x40(%rsp); mov $2,%ebx; nopl; call
    let code = behind_check(&[
        0x48, 0x83, 0xec, 0x38, 0x48, 0x89, 0x6c, 0x24, 0x30, 0x48, 0x89, 0x44, 0x24, 0x40, 0xbb,
        2, 0, 0, 0, 0x0f, 0x1f, 0x40, 0, 0xe8, 1, 2, 3, 4,
    ]);
    let site = x86(&code)
        .entry_site(Wanted::FirstArgument)
        .expect("a site");
    assert_eq!(site.bytes, [0xe8, 1, 2, 3, 4]);
}

#[test]
fn an_argument_overwritten_first_leaves_the_stack_checks_branch() {
    // mov (%rax),%eax; call
    let code = behind_check(&[0x8b, 0x00, 0xe8, 0, 0, 0, 0]);
    let site = x86(&code)
        .entry_site(Wanted::FirstArgument)
        .expect("a site");
    assert_eq!(site.address, LinkAddress(0x1004));
    assert!(site.at_stack_check);
    // For the park probe rax does not matter, but rcx does.
    assert!(
        !x86(&code)
            .entry_site(Wanted::ThirdArgument)
            .expect("a site")
            .at_stack_check
    );
}

#[test]
fn what_a_loop_passes_again_is_no_site() {
    // xor %ebx,%ebx; nop; inc %ebx; jmp back to the nop
    let code = behind_check(&[0x31, 0xdb, 0x90, 0xff, 0xc3, 0xeb, 0xfb]);
    let site = x86(&code)
        .entry_site(Wanted::FirstArgument)
        .expect("a site");
    assert!(site.at_stack_check);
}

#[test]
fn prefixed_and_long_nops_are_stepped_and_so_no_sites() {
    // nopl 0(%rax); data16 call (not emulated); xor %eax,%eax
    let code = [0x0f, 0x1f, 0x40, 0x00, 0x66, 0xe8, 0, 0, 0, 0, 0x31, 0xc0];
    assert_eq!(
        x86(&code).entry_site(Wanted::FirstArgument),
        Err(SiteError::NoneSuitable { function: "f" })
    );
}

#[test]
fn one_call_is_found_and_two_are_refused() {
    // call 0x1105; call 0x1105 (from behind 0x1005 and 0x100a)
    let once = [0xe8, 0, 1, 0, 0, 0x90];
    let site = x86(&once)
        .call_of("g", LinkAddress(0x1105))
        .expect("a call");
    assert_eq!(site.address, LinkAddress(0x1000));
    let twice = [0xe8, 0, 1, 0, 0, 0xe8, 0xfb, 0, 0, 0];
    assert!(matches!(
        x86(&twice).call_of("g", LinkAddress(0x1105)),
        Err(SiteError::Calls { found: 2, .. })
    ));
    assert!(matches!(
        x86(&twice).call_of("g", LinkAddress(0x9999)),
        Err(SiteError::Calls { found: 0, .. })
    ));
}

/// `ldr x16,[x28,#16]; cmp sp,x16; b.ls +0x40`
const ARM_CHECK: [u32; 3] = [0xf940_0b90, 0xeb30_63ff, 0x5400_0209];

#[test]
fn arm64_takes_the_first_call_with_the_argument_intact() {
    // str x30,[sp,#-48]!; str x0,[sp,#56]; mov x2,#2; bl +8
    let code = arm(&[
        &ARM_CHECK[..],
        &[0xf81d_0ffe, 0xf900_1fe0, 0xd280_0042, 0x9400_0002],
    ]
    .concat());
    let site = on_arm(&code)
        .entry_site(Wanted::FirstArgument)
        .expect("a site");
    assert_eq!(site.address, LinkAddress(0x1018));
    assert!(!site.at_stack_check);
    // mov x2,… has overwritten the third argument by then.
    let site = on_arm(&code)
        .entry_site(Wanted::ThirdArgument)
        .expect("a site");
    assert_eq!(site.address, LinkAddress(0x1008));
    assert!(site.at_stack_check);
}

#[test]
fn arm64_loads_into_the_argument_end_the_search() {
    // ldr x0,[x1]; bl +8
    let code = arm(&[&ARM_CHECK[..], &[0xf940_0020, 0x9400_0002]].concat());
    let site = on_arm(&code)
        .entry_site(Wanted::FirstArgument)
        .expect("a site");
    assert!(site.at_stack_check);
}

#[test]
fn arm64_calls_forwards_and_backwards() {
    // bl +8; bl -4
    let code = arm(&[0x9400_0002, 0x97ff_ffff]);
    let forwards = on_arm(&code).call_of("g", LinkAddress(0x1008));
    assert_eq!(forwards.expect("a call").address, LinkAddress(0x1000));
    let backwards = on_arm(&code).call_of("g", LinkAddress(0x1000));
    assert_eq!(backwards.expect("a call").address, LinkAddress(0x1004));
}
