//! Folders made by the tests stand for a container's root; what must not be read lies beside them.

use std::{fs, os::unix::fs::symlink};

use super::*;

const SECRET: &str = "outside";

/// A folder with `root` in it, and a secret beside that.
fn folder() -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("etc")).expect("a folder");
    fs::write(folder.path().join("secret"), SECRET).expect("written");
    fs::write(root.join("etc/hostname"), "search-5d4f\n").expect("written");
    let opened = Root::at(&root).expect("it is there");
    (folder, opened)
}

fn read(root: &Root, path: &str) -> Result<String, RootError> {
    let bytes = root.read(Path::new(path), 64)?;
    Ok(String::from_utf8(bytes).expect("text"))
}

#[test]
fn files_and_links_inside() {
    let (folder, root) = folder();
    assert_eq!(
        read(&root, "etc/hostname").ok().as_deref(),
        Some("search-5d4f\n")
    );
    assert_eq!(
        read(&root, "/etc/hostname").ok().as_deref(),
        Some("search-5d4f\n")
    );
    // `/var/run` is such a link in most images.
    let inside = folder.path().join("root");
    symlink("/etc", inside.join("absolute")).expect("linked");
    symlink("etc/../etc/hostname", inside.join("relative")).expect("linked");
    assert_eq!(
        read(&root, "absolute/hostname").ok().as_deref(),
        Some("search-5d4f\n")
    );
    assert_eq!(
        read(&root, "relative").ok().as_deref(),
        Some("search-5d4f\n")
    );
}

#[test]
fn no_link_leads_out() {
    let (folder, root) = folder();
    let inside = folder.path().join("root");
    let secret = folder.path().join("secret");
    symlink(&secret, inside.join("absolute")).expect("linked");
    symlink("../secret", inside.join("above")).expect("linked");
    symlink(
        "../../../../../../../../etc/passwd",
        inside.join("far_above"),
    )
    .expect("linked");
    symlink("..", inside.join("folder_above")).expect("linked");
    symlink(folder.path(), inside.join("folder")).expect("linked");
    symlink("/proc/self/root", inside.join("magic")).expect("linked");
    symlink("absolute", inside.join("chain")).expect("linked");
    for path in [
        "absolute",
        "above",
        "far_above",
        "folder_above/secret",
        "folder/secret",
        "magic/etc/passwd",
        "chain",
        "../secret",
        "etc/../../secret",
    ] {
        let found = read(&root, path);
        let Err(RootError::Open { source, .. }) = found else {
            panic!("{path}: {found:?}");
        };
        assert_eq!(source.kind(), io::ErrorKind::NotFound, "{path}");
    }
}

#[test]
fn magic_links_are_not_followed() {
    let root = Root::at(Path::new("/")).expect("it is there");
    for path in [
        "proc/self/root/etc/passwd",
        "proc/self/exe",
        "proc/self/cwd/Cargo.toml",
    ] {
        let found = read(&root, path);
        let Err(RootError::Open { source, .. }) = found else {
            panic!("{path}: {found:?}");
        };
        assert_eq!(source.raw_os_error(), Some(libc::ELOOP), "{path}");
    }
}

#[test]
fn links_that_lead_to_each_other() {
    let (folder, root) = folder();
    let inside = folder.path().join("root");
    symlink("b", inside.join("a")).expect("linked");
    symlink("a", inside.join("b")).expect("linked");
    assert!(matches!(read(&root, "a"), Err(RootError::Open { .. })));
}

#[test]
fn only_regular_files_are_opened() {
    let (folder, root) = folder();
    let inside = folder.path().join("root");
    nix::unistd::mkfifo(&inside.join("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    let _socket = std::os::unix::net::UnixListener::bind(inside.join("socket")).expect("bound");
    for path in ["fifo", "socket", "etc"] {
        let found = read(&root, path);
        assert!(
            matches!(found, Err(RootError::NotAFile { .. })),
            "{path}: {found:?}"
        );
    }
    let machine = Root::at(Path::new("/")).expect("it is there");
    for path in ["dev/zero", "dev/null", "dev/tty"] {
        let found = read(&machine, path);
        assert!(
            matches!(found, Err(RootError::NotAFile { .. })),
            "{path}: {found:?}"
        );
    }
}

#[test]
fn a_huge_file_is_refused() {
    let (folder, root) = folder();
    let huge = fs::File::create(folder.path().join("root/huge")).expect("made");
    huge.set_len(1 << 40).expect("sparse");
    assert!(matches!(
        read(&root, "huge"),
        Err(RootError::TooLong { limit: 64, .. })
    ));
}

#[test]
fn what_is_not_there() {
    let (_folder, root) = folder();
    assert!(matches!(
        read(&root, "etc/none"),
        Err(RootError::Open { .. })
    ));
    assert!(matches!(read(&root, ""), Err(RootError::Open { .. })));
    assert!(Root::at(Path::new("/dev/null")).is_err());
}

#[test]
fn of_this_very_process() {
    let pid = i32::try_from(std::process::id()).expect("a pid");
    let root = Root::of_process(pid).expect("it is there");
    assert!(root.read(Path::new("etc/passwd"), 1 << 20).is_ok());
}
