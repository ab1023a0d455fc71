//! The program `atrest`, and all that it and the agent say of it while nothing in it moves.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::agent;
use crate::go::{self, Mode, Toolchain};
use crate::goroutine_dump::{self, Dumped, Place};
use crate::target::Target;

/// What one goroutine waits on, as the program knows it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[allow(missing_docs, reason = "named as in the snapshot")]
pub struct Wait {
    /// Any of these words is true.
    pub kinds: Vec<String>,
    pub address: Option<String>,
    pub length: u64,
    pub capacity: u64,
    pub fd: u64,
    pub protocol: Option<String>,
    pub local: Option<String>,
    pub remote: Option<String>,
    pub wakes_in_seconds: f64,
}

/// One goroutine, as the program knows it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Entry {
    /// What kind of goroutine.
    pub name: String,
    /// Its number.
    pub goid: u64,
    /// That of its creator; 0 where it was the runtime.
    pub parent: u64,
    /// What it waits on; `None` where nothing is known of that.
    pub waits: Option<Vec<Wait>>,
    /// Its pprof labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// The thread it is locked to, or 0.
    pub thread: u64,
}

#[derive(Deserialize)]
struct Truth {
    main: u64,
    goroutines: Vec<Entry>,
}

/// The program at rest, all of one moment.
pub struct Rest {
    /// Release and link mode.
    pub name: String,
    /// 27 for Go 1.27.
    pub minor: u32,
    /// The goroutine that reads commands: it makes the dump, and waits while the snapshot is taken.
    pub main: u64,
    /// What the program says of its goroutines.
    pub entries: Vec<Entry>,
    /// The same, asked after the snapshot: timers have come nearer.
    pub later: Vec<Entry>,
    /// Its own dump, by number, without the goroutine that makes it.
    pub dump: BTreeMap<u64, Dumped>,
    /// The snapshot's groups of one, by number.
    pub seen: BTreeMap<u64, Value>,
    /// The whole snapshot.
    pub snapshot: Value,
}

impl Rest {
    /// Brings the program to rest with these commands, and looks at it.
    ///
    /// # Errors
    /// It does not come to rest, or the agent fails.
    pub fn new(toolchain: &Toolchain, mode: Mode, commands: &[&str]) -> Result<Self> {
        let exe = go::build("atrest", toolchain, mode)?;
        // What new modules have by default: a timer's channel leads to its timer (from Go 1.23 on).
        let mut target = Target::start(&exe, &[], &[("GODEBUG", "asynctimerchan=0")])?;
        for command in commands {
            target.ask(command)?;
        }
        let truth = truth(&mut target)?;
        // A dump on either side: what is the same in both was so in between.
        let mut dump = own_dump(&mut target, truth.main)?;
        let snapshot = snapshot(target.pid())?;
        let after = own_dump(&mut target, truth.main)?;
        ensure!(dump == after, "the program is not at rest");
        if toolchain.minor() < 21 {
            dump.values_mut().for_each(note_what_is_left_out);
        }
        Ok(Self {
            name: format!("{} {mode:?}", toolchain.version),
            minor: toolchain.minor(),
            main: truth.main,
            entries: truth.goroutines,
            later: self::truth(&mut target)?.goroutines,
            dump,
            seen: each(&snapshot)?,
            snapshot,
        })
    }

    /// What to call a goroutine in messages: the same in all releases.
    #[must_use]
    pub fn call(&self, goid: u64) -> String {
        let entry = self.entries.iter().find(|entry| entry.goid == goid);
        match (entry, self.dump.get(&goid), self.seen.get(&goid)) {
            (Some(entry), _, _) => entry.name.clone(),
            (_, Some(dumped), _) => format!("one in {:?}", dumped.stack),
            (_, _, Some(seen)) => format!("one that started with {}", seen["start"]["function"]),
            _ => "nobody".into(),
        }
    }

    /// Each goroutine of the dump beside what the snapshot has of it, and what to call it.
    pub fn pairs(&self) -> impl Iterator<Item = (String, &Dumped, &Value)> {
        self.dump.values().filter_map(|dumped| {
            let seen = self.seen.get(&dumped.goid)?;
            Some((self.call(dumped.goid), dumped, seen))
        })
    }

    /// Each goroutine that the program knows of beside what the snapshot has of it.
    pub fn known(&self) -> impl Iterator<Item = (&Entry, &Value)> {
        let seen = |entry: &Entry| self.seen.get(&entry.goid).unwrap_or(&Value::Null);
        self.entries.iter().map(move |entry| (entry, seen(entry)))
    }
}

fn truth(target: &mut Target) -> Result<Truth> {
    let text = target.ask("truth")?;
    serde_json::from_str(&text).with_context(|| format!("not the truth: {text}"))
}

/// Before Go 1.21 a dump ends after 100 frames and does not say so. Those that are not shown, as the
/// runtime's own, are among them.
fn note_what_is_left_out(dumped: &mut Dumped) {
    let shown = dumped.stack.as_ref().map_or(0, Vec::len);
    if shown > 90 {
        dumped.elided = Some((shown, None));
    }
}

fn own_dump(target: &mut Target, main: u64) -> Result<BTreeMap<u64, Dumped>> {
    let text = target.ask("dump")?;
    by_number(&text, main)
}

/// A dump as the program sends it, by number, without the goroutine that made it.
///
/// # Errors
/// It is not understood.
pub fn by_number(json: &str, main: u64) -> Result<BTreeMap<u64, Dumped>> {
    let text: String = serde_json::from_str(json)?;
    let all = goroutine_dump::parse(&text)?;
    ensure!(all.first().is_some_and(|first| first.goid == main));
    let number = all.len();
    let all: BTreeMap<u64, Dumped> = all.into_iter().map(|one| (one.goid, one)).collect();
    ensure!(all.len() == number, "a number twice in the dump");
    Ok(all.into_iter().filter(|(goid, _)| *goid != main).collect())
}

/// `gostray snapshot PID --full --format json`.
///
/// # Errors
/// It fails.
pub fn snapshot(pid: u32) -> Result<Value> {
    let arguments = ["snapshot", &pid.to_string(), "--full", "--format", "json"];
    Ok(serde_json::from_slice(&agent::answer(&arguments)?)?)
}

/// The goroutines of a full snapshot by their numbers.
///
/// # Errors
/// A group has several, or a number comes twice.
pub fn each(snapshot: &Value) -> Result<BTreeMap<u64, Value>> {
    let mut all = BTreeMap::new();
    for group in snapshot["groups"].as_array().context("no groups")? {
        let goids = group["goids"].as_array().context("no goids")?;
        ensure!(
            group["count"] == 1 && goids.len() == 1,
            "a group of several in a full snapshot: {group}"
        );
        let goid = goids[0].as_u64().context("no number")?;
        if let Some(other) = all.insert(goid, group.clone()) {
            anyhow::bail!("goroutine {goid} twice: {group} and {other}");
        }
    }
    ensure!(
        snapshot["goroutines"].as_u64() == Some(all.len() as u64),
        "{} goroutines alive, {} shown, defects: {}",
        snapshot["goroutines"],
        all.len(),
        snapshot["defects"]
    );
    Ok(all)
}

/// A place of a snapshot; what is not known of it is left empty.
#[must_use]
pub fn place(value: &Value) -> Place {
    let function = value["function"].as_str().unwrap_or_default();
    Place {
        // As Go prints it.
        function: if function == "runtime.gopanic" {
            "panic"
        } else {
            function
        }
        .to_owned(),
        file: value["file"].as_str().unwrap_or_default().to_owned(),
        line: value["line"].as_u64().unwrap_or(0),
    }
}

/// The stack of a goroutine of a snapshot.
#[must_use]
pub fn stack(goroutine: &Value) -> Option<Vec<Place>> {
    Some(goroutine["stack"].as_array()?.iter().map(place).collect())
}

/// A stack to read: a line a frame, files without their directories.
#[must_use]
pub fn show(stack: &[Place]) -> String {
    let mut text = String::new();
    for (number, frame) in stack.iter().enumerate() {
        // Of a deep recursion nobody wants to see all.
        if number == 12 && stack.len() > 20 {
            text += &format!("\n        … {} more", stack.len() - number);
            break;
        }
        let file = Path::new(&frame.file).file_name().unwrap_or_default();
        text += &format!(
            "\n        {} {}:{}",
            frame.function,
            file.display(),
            frame.line
        );
    }
    text
}
