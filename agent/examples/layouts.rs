//! Developer's tool behind `cargo xtask layouts`: brings `table.txt` up to date from the DWARF of
//! binaries built with the releases it is to hold.
//!
//! `layouts [--check] TABLE (RELEASE ARCH FILE)…`, for example
//! `layouts agent/src/runtime/layout/table.txt 1.22.12 amd64 /tmp/layouts-1.22-amd64`.
//! Releases that are not named stay as they are. With `--check` nothing is written, and a
//! difference is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::{env, fs};

use anyhow::{Context as _, bail, ensure};
use gostray::binary::Architecture;
use gostray::binary::dwarf::{StructLayout, StructLayouts, struct_layouts};
use gostray::runtime::layout::{Table, WANTED, minor_of};

const HEADER: &str = "\
# Where the fields of the Go runtime's structs are: since:offset/size in bytes, `.` for the whole
# struct, `-` for absent. Written by `cargo xtask layouts`; agent/src/runtime/layout/table.rs reads it.
";

/// Everything the table says, in the shape in which it is easiest to change.
#[derive(Default)]
struct Content {
    /// Minor → name of the release measured.
    releases: BTreeMap<u32, String>,
    layouts: BTreeMap<(u32, Architecture), StructLayouts>,
}

fn main() -> anyhow::Result<()> {
    let mut args: Vec<String> = env::args().skip(1).collect();
    let check = args.first().is_some_and(|arg| arg == "--check");
    if check {
        args.remove(0);
    }
    let Some((path, binaries)) = args.split_first() else {
        bail!("usage: layouts [--check] TABLE (RELEASE ARCH FILE)…");
    };
    ensure!(
        binaries.len() % 3 == 0,
        "RELEASE, ARCH and FILE come in threes"
    );

    let old = fs::read_to_string(path).unwrap_or_default();
    let mut content = read(&old).with_context(|| format!("cannot read {path}"))?;
    for binary in binaries.chunks_exact(3) {
        let [release, arch, file] = binary else {
            continue;
        };
        let minor = minor_of(release).with_context(|| format!("{release} is no release"))?;
        let arch = *Architecture::ALL
            .iter()
            .find(|it| it.name() == arch)
            .with_context(|| format!("{arch} is no supported architecture"))?;
        let bytes = fs::read(file).with_context(|| format!("cannot read {file}"))?;
        let layouts = struct_layouts(&bytes, WANTED).with_context(|| file.clone())?;
        content.releases.insert(minor, release.clone());
        content.layouts.insert((minor, arch), layouts);
    }
    for (minor, arch) in content
        .releases
        .keys()
        .flat_map(|minor| Architecture::ALL.map(|arch| (*minor, arch)))
    {
        ensure!(
            content.layouts.contains_key(&(minor, arch)),
            "Go 1.{minor} is there, but not for {arch}"
        );
    }

    let new = write(&content);
    if new == old {
        return Ok(());
    }
    if check {
        report(&old, &new);
        bail!("{path} is out of date; run `cargo xtask layouts`");
    }
    fs::write(path, new).with_context(|| format!("cannot write {path}"))
}

fn read(text: &str) -> anyhow::Result<Content> {
    let mut content = Content::default();
    if text.is_empty() {
        return Ok(content);
    }
    let table = Table::parse(text)?;
    for release in table.releases() {
        content
            .releases
            .insert(release.minor, release.name.to_owned());
        for arch in Architecture::ALL {
            if let Some(layouts) = table.layouts(release.minor, arch)? {
                content.layouts.insert((release.minor, arch), layouts);
            }
        }
    }
    Ok(content)
}

fn write(content: &Content) -> String {
    let mut text = HEADER.to_owned();
    let names: Vec<&str> = content.releases.values().map(String::as_str).collect();
    let _ = writeln!(text, "releases {}", names.join(" "));
    for (name, _) in WANTED {
        let known: Vec<_> = content
            .layouts
            .iter()
            .filter_map(|(key, structs)| Some((*key, structs.get(*name)?)))
            .collect();
        if known.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{name}");
        write_runs(&mut text, content, ".", |layouts| {
            Some(layouts.get(*name)?.size.to_string())
        });
        for field in field_order(known.iter().map(|(_, layout)| *layout)) {
            write_runs(&mut text, content, field, |layouts| {
                let place = layouts.get(*name)?.fields.get(field)?;
                Some(format!("{}/{}", place.offset, place.size))
            });
        }
    }
    text
}

/// All fields any release has, in the order of the newest, so that the table reads like the source.
fn field_order<'a>(layouts: impl DoubleEndedIterator<Item = &'a StructLayout>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let mut order = Vec::new();
    for layout in layouts.rev() {
        let mut fields: Vec<_> = layout.fields.iter().collect();
        fields.sort_by_key(|(name, place)| (place.offset, place.size, name.as_str()));
        order.extend(
            fields
                .into_iter()
                .map(|(name, _)| name.as_str())
                .filter(|name| seen.insert(*name)),
        );
    }
    order
}

fn write_runs(
    text: &mut String,
    content: &Content,
    label: &str,
    value: impl Fn(&StructLayouts) -> Option<String>,
) {
    let lines = Architecture::ALL.map(|arch| {
        let mut line = String::new();
        let mut last = None;
        for minor in content.releases.keys() {
            let now = content.layouts.get(&(*minor, arch)).and_then(&value);
            if now != last {
                let _ = write!(line, " 1.{minor}:{}", now.as_deref().unwrap_or("-"));
            }
            last = now;
        }
        line
    });
    if lines.iter().all(|line| *line == lines[0]) {
        let _ = writeln!(text, "  {label}{}", lines[0]);
        return;
    }
    for (arch, line) in Architecture::ALL.iter().zip(&lines) {
        if !line.is_empty() {
            let _ = writeln!(text, "  {label}@{arch}{line}");
        }
    }
}

fn report(old: &str, new: &str) {
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) =
        (old.lines().collect(), new.lines().collect());
    for line in old.difference(&new) {
        eprintln!("- {line}");
    }
    for line in new.difference(&old) {
        eprintln!("+ {line}");
    }
}
