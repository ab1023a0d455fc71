use std::io::Write as _;

use super::*;

fn table() -> Table<'static> {
    Table::built_in().unwrap()
}

fn from_table(minor: u32, arch: Architecture) -> Layouts {
    Layouts::from_table(minor, arch).unwrap().unwrap()
}

#[test]
fn every_release_and_arch_has_what_goroutine_reads_need() {
    let minors: Vec<u32> = table().releases().iter().map(|it| it.minor).collect();
    assert_eq!(minors, (18..=27).collect::<Vec<_>>());
    for minor in minors {
        for arch in Architecture::ALL {
            let layout = GoroutineLayout::new(&from_table(minor, arch)).unwrap();
            assert_eq!(
                layout.parent_goid.is_some(),
                minor >= 21,
                "1.{minor} {arch}"
            );
            assert_eq!(layout.syscall_bp.is_some(), minor >= 23, "1.{minor} {arch}");
            assert!(layout.labels + 8 <= layout.size);
        }
    }
}

/// Numbers read off binaries by hand, not taken from the table.
#[test]
fn facts_known_from_elsewhere_hold() {
    for minor in 18..=27 {
        let layouts = from_table(minor, Architecture::X86_64);
        let goid = if (23..=24).contains(&minor) { 160 } else { 152 };
        assert_eq!(
            layouts.offset("runtime.g", "goid").unwrap(),
            goid,
            "1.{minor}"
        );
        let c = if minor >= 26 { 88 } else { 80 };
        assert_eq!(
            layouts.offset("runtime.sudog", "c").unwrap(),
            c,
            "1.{minor}"
        );
        assert_eq!(
            layouts.offset("runtime.gobuf", "ret").is_ok(),
            minor < 25,
            "1.{minor}"
        );
        let spanclass = if minor == 21 { 106 } else { 98 };
        assert_eq!(
            layouts.offset("runtime.mspan", "spanclass").unwrap(),
            spanclass,
            "1.{minor}"
        );
        assert_eq!(layouts.field("runtime.p", "runq").unwrap().size, 256 * 8);
    }
}

#[test]
fn every_struct_of_the_table_is_wanted_and_sound() {
    for release in table().releases() {
        for arch in Architecture::ALL {
            let structs = table().layouts(release.minor, arch).unwrap().unwrap();
            for (name, layout) in &structs {
                assert!(WANTED.iter().any(|(wanted, _)| wanted == name), "{name}");
                for (field, place) in &layout.fields {
                    let end = place.offset + place.size;
                    assert!(end <= layout.size, "{} {name}.{field}", release.name);
                }
            }
        }
    }
}

#[test]
fn a_file_without_dwarf_uses_the_table_or_is_refused() {
    // What the linker leaves of an ELF header when there is nothing to describe.
    let mut stripped = vec![0; 64];
    stripped[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    let found = Layouts::for_binary(&stripped, 22, Architecture::Aarch64).unwrap();
    assert!(matches!(found.source(), Source::Table { release } if release.starts_with("1.22.")));
    assert!(found.dwarf_problem().is_none());

    let damaged = Layouts::for_binary(b"not an ELF file", 22, Architecture::Aarch64).unwrap();
    assert!(matches!(
        damaged.dwarf_problem(),
        Some(DwarfError::NotElf(_))
    ));

    for minor in [17, 28] {
        let refusal = Layouts::for_binary(&stripped, minor, Architecture::X86_64).unwrap_err();
        assert!(matches!(
            refusal,
            LayoutError::Unsupported { minor: it, arch: Architecture::X86_64, oldest: 18, newest: 27, .. }
                if it == minor
        ));
    }
}

#[test]
fn what_is_missing_is_named() {
    let layouts = from_table(20, Architecture::X86_64);
    assert!(matches!(
        layouts.offset("runtime.g", "parentGoid"),
        Err(LayoutError::MissingField { .. })
    ));
    assert!(matches!(
        layouts.size("runtime.timers"),
        Err(LayoutError::MissingStruct { .. })
    ));
    assert!(matches!(
        layouts.offset_of_size("runtime.g", "atomicstatus", 8),
        Err(LayoutError::FieldSize {
            size: 4,
            expected: 8,
            ..
        })
    ));
}

#[test]
fn a_damaged_table_names_its_line() {
    assert_eq!(
        Table::parse("# nothing\n").unwrap_err(),
        TableError::Line { line: 1 }
    );
    let broken = "releases 1.22.1\n\nruntime.g\n  . 1.18:8\n  goid 1.18:x/8\n";
    let table = Table::parse(broken).unwrap();
    assert_eq!(
        table.layouts(22, Architecture::X86_64).unwrap_err(),
        TableError::Line { line: 5 }
    );
}

#[test]
fn runs_end_where_the_next_begins_and_arches_are_told_apart() {
    let text = "releases 1.20.1 1.21.2 1.22.3\n\nruntime.g\n  . 1.20:64\n  goid@amd64 1.20:8/8 \
                1.22:16/8\n  goid@arm64 1.20:24/8\n  old 1.20:0/8 1.21:-\n  new 1.22:32/4\n\
                runtime.late\n  . 1.22:8\n";
    let table = Table::parse(text).unwrap();
    let fields = |minor, arch| {
        table.layouts(minor, arch).unwrap().unwrap()["runtime.g"]
            .fields
            .clone()
    };
    assert_eq!(fields(21, Architecture::X86_64)["goid"].offset, 8);
    assert_eq!(fields(22, Architecture::X86_64)["goid"].offset, 16);
    assert_eq!(fields(22, Architecture::Aarch64)["goid"].offset, 24);
    assert!(fields(20, Architecture::X86_64).contains_key("old"));
    assert!(!fields(21, Architecture::X86_64).contains_key("old"));
    assert!(!fields(21, Architecture::X86_64).contains_key("new"));
    let structs = |minor| table.layouts(minor, Architecture::X86_64).unwrap().unwrap();
    assert!(!structs(21).contains_key("runtime.late"));
    assert!(structs(22).contains_key("runtime.late"));
    assert!(table.layouts(19, Architecture::X86_64).unwrap().is_none());
}

/// The table against the debug information of binaries built now.
#[test]
fn dwarf_of_fresh_binaries_equals_the_table() {
    let Some(roots) = std::env::var_os("GOSTRAY_GO_ROOTS") else {
        // Not eprintln!, whose output the test harness swallows.
        let _ = writeln!(
            std::io::stderr(),
            "skipped dwarf_of_fresh_binaries_equals_the_table: GOSTRAY_GO_ROOTS names no Go toolchains"
        );
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/targets/layouts");
    for root in std::env::split_paths(&roots) {
        let version = std::fs::read_to_string(root.join("VERSION")).unwrap();
        let release = version.lines().next().unwrap().trim_start_matches("go");
        let minor = minor_of(release).unwrap();
        for arch in Architecture::ALL {
            let file = work.path().join(format!("{release}-{arch}"));
            let built = std::process::Command::new(root.join("bin/go"))
                .args(["build", "-o"])
                .arg(&file)
                .arg(".")
                .current_dir(&source)
                .env("GOROOT", &root)
                .env("GOTOOLCHAIN", "local")
                .env("GOFLAGS", "-buildvcs=false")
                .env("GOMODCACHE", work.path().join("modules"))
                .env("GOARCH", arch.name())
                .env("CGO_ENABLED", "0")
                .status()
                .unwrap();
            assert!(built.success(), "Go {release} {arch}");
            let found = Layouts::for_binary(&std::fs::read(&file).unwrap(), minor, arch).unwrap();
            assert_eq!(found.source(), Source::Dwarf);
            assert_eq!(
                found.structs(),
                from_table(minor, arch).structs(),
                "Go {release} {arch}"
            );
        }
    }
}
