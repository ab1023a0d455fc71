//! What whole core files hold.

use super::*;

#[test]
fn memory_is_read_across_segments() {
    let core = sample().open();
    assert_eq!(core.architecture(), Architecture::X86_64);
    assert_eq!(core.shortfall(), None);
    let both = read(&core, 0x50f0, 0x20).expect("two segments");
    assert_eq!(both, [vec![7; 0x10], content()[..0x10].to_vec()].concat());
    assert_eq!(read(&core, 0x51ff, 1).unwrap(), [255]);
    assert_eq!(read(&core, 0x9000, 0).unwrap(), [0; 0]);
    let starts: Vec<u64> = core.starts().map(|start| start.0).collect();
    assert_eq!(starts, [0x5000, 0x5100]);
}

#[test]
fn what_was_not_dumped_is_an_error_and_not_zeros() {
    let core = sample().open();
    for (address, length) in [(0x51ff, 2), (0x5200, 1), (0x9000, 1), (0x90ff, 1)] {
        let found = read(&core, address, length);
        let Err(MemoryError::NotInCore {
            address: at,
            length: of,
        }) = found
        else {
            panic!("{address:#x}: {found:?}");
        };
        assert_eq!((at.0, of), (address, length), "what was asked for");
    }
    for (address, length) in [(0x4fff, 2), (0x5300, 1), (0x9100, 1), (0, 8), (u64::MAX, 8)] {
        let found = read(&core, address, length);
        assert!(
            matches!(found, Err(MemoryError::Unmapped { .. })),
            "{address:#x}: {found:?}"
        );
    }
    // gcore leaves out whole mappings; only the list of files knows of this one.
    assert!(matches!(
        read(&core, 0xa000, 1),
        Err(MemoryError::NotInCore { .. })
    ));
}

#[test]
fn what_was_not_dumped_is_read_from_the_executable() {
    let mut core = sample().open();
    let file = MappedFile::from_bytes(&content()).unwrap();
    let range = |address, offset, size| ReadOnly {
        address: RuntimeAddress(address),
        offset: FileOffset(offset),
        size,
    };
    core.set_executable(
        file,
        vec![
            range(0x9000, 0x10, 0x80),
            range(0x5000, 0, 0x100),
            range(0xa000, 0, 0x1000),
            range(0xc000, u64::MAX, 8),
        ],
    );
    assert_eq!(read(&core, 0x9000, 2).unwrap(), [0x10, 0x11]);
    assert_eq!(read(&core, 0x9070, 0x10).unwrap(), content()[0x80..0x90]);
    assert_eq!(
        read(&core, 0x5000, 2).unwrap(),
        [7, 7],
        "the core file comes first"
    );
    assert!(matches!(
        read(&core, 0x9070, 0x11),
        Err(MemoryError::NotInCore { .. })
    ));
    assert!(matches!(
        read(&core, 0x5200, 1),
        Err(MemoryError::NotInCore { .. })
    ));
    // The executable is shorter than its own headers say.
    assert_eq!(read(&core, 0xa0ff, 1).unwrap(), [0xff]);
    assert!(matches!(
        read(&core, 0xa0ff, 2),
        Err(MemoryError::NotInCore { .. })
    ));
    assert!(matches!(
        read(&core, 0xc000, 1),
        Err(MemoryError::Unmapped { .. })
    ));
}

/// A page that was written to is in the core file, amid others that are not.
#[test]
fn bytes_of_the_executable_end_where_the_core_file_has_its_own() {
    let core = Core::default().segment(0x1000, 0x100, &[]);
    let mut core = core.segment(0x1100, 0x10, &[7; 0x10]).open();
    let file = MappedFile::from_bytes(&[1; 0x200]).unwrap();
    let all = ReadOnly {
        address: RuntimeAddress(0x1000),
        offset: FileOffset(0),
        size: 0x200,
    };
    core.set_executable(file, vec![all]);
    let expected = [[1; 0x10], [7; 0x10], [1; 0x10]].concat();
    assert_eq!(read(&core, 0x10f0, 0x30).unwrap(), expected);
}

/// A damaged file: the answer does not depend on where a read begins.
#[test]
fn of_segments_that_overlap_the_later_is_believed() {
    let core = Core::default().segment(0x1000, 0x20, &[1; 0x20]);
    let core = core.segment(0x1010, 0x20, &[2; 8]).open();
    let expected = [&[1; 0x10][..], &[2; 8]].concat();
    assert_eq!(read(&core, 0x1000, 0x18).unwrap(), expected);
    for (address, length) in [(0x1000, 0x19), (0x101f, 1)] {
        let found = read(&core, address, length);
        assert!(matches!(found, Err(MemoryError::NotInCore { .. })));
    }
}

#[test]
fn the_notes_tell_of_the_process() {
    let core = sample().open();
    let process = core.process();
    assert_eq!(process.pid, Some(4711));
    assert_eq!(process.entry, Some(RuntimeAddress(0x40_1234)));
    let [app, _] = &process.files[..] else {
        panic!("{:?}", process.files);
    };
    assert_eq!(app.path, Path::new("/srv/app"));
    assert_eq!(app.offset, FileOffset(0x2000), "counted in pages");
    assert_eq!(process.file_at(RuntimeAddress(0x90ff)), Some(app));
    assert_eq!(process.file_at(RuntimeAddress(0x9100)), None);
    assert_eq!(process.file_at(RuntimeAddress(0)), None);
    // gcore counts in bytes.
    let files = nt_file(1, &[(0, 1, 2, "/x")]);
    let core = Core::default().note(NT_FILE, files).open();
    assert_eq!(core.process().files[0].offset, FileOffset(2));
    // A thread's id is not the process's.
    let core = Core::default().note(NT_PRSTATUS, vec![1; 336]).open();
    assert_eq!(core.process(), &Process::default());
}
