//! Thirty processes in containers that come, go and change, under one daemon.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use gostray_tests::containers::{Container, Hierarchy, Member, SPELLINGS};
use gostray_tests::go::{self, Mode};
use gostray_tests::need_root_and_releases;
use gostray_tests::node::{Node, container_of};
use gostray_tests::random::Random;
use serde_json::Value;

const PROCESSES: usize = 30;
const CONTAINERS: usize = 9;
/// Changes between two comparisons.
const CHANGES: usize = 6;
const BUDGET: f64 = 0.02;
/// What starting to watch a process may take in one go, beyond the budget of that moment: seconds.
const EACH_START: f64 = 0.1;

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// A process, and what it should be known as.
struct Lodger {
    member: Member,
    /// The program; `None` where it is none of Go's.
    program: Option<String>,
    container: usize,
    leaks: bool,
}

/// All there are.
struct House<'a> {
    hierarchy: &'a Hierarchy,
    programs: &'a Path,
    names: Vec<String>,
    random: Random,
    containers: Vec<Container>,
    lodgers: Vec<Lodger>,
    started: usize,
    /// What was done how often.
    done: BTreeMap<&'static str, usize>,
}

impl House<'_> {
    fn container(&mut self) -> Result<Container> {
        let spelling = self.random.one_of(&SPELLINGS);
        let digits = [(); 4].map(|()| format!("{:016x}", self.random.any()));
        Container::start(self.hierarchy, spelling, &digits.concat(), self.programs)
    }

    fn name(&mut self) -> String {
        let index = self.random.below(self.names.len());
        self.names[index].clone()
    }

    fn start_in(&mut self, container: usize) -> Result<()> {
        let program = self.name();
        let mut member = self.containers[container].run(&program)?;
        member.target.ask("idle 20")?;
        if self.random.percent(20) {
            member.target.ask("create 200")?;
        }
        self.started += 1;
        self.lodgers.push(Lodger {
            member,
            program: Some(program),
            container,
            leaks: false,
        });
        Ok(())
    }

    fn note(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    /// One change of any kind; all is known again when it returns.
    fn change(&mut self) -> Result<()> {
        if self.lodgers.len() < PROCESSES && self.random.percent(60) {
            self.note("started");
            let container = self.random.below(self.containers.len());
            return self.start_in(container);
        }
        if self.random.percent(8) {
            return self.replace_container();
        }
        let index = self.random.below(self.lodgers.len());
        if self.lodgers[index].leaks {
            return Ok(());
        }
        match self.random.below(4) {
            0 => {
                self.note("killed");
                self.lodgers.swap_remove(index).member.kill()
            }
            // Who does not read commands any more does not obey.
            1 if self.lodgers[index].program.is_some() => {
                self.note("exited");
                let mut lodger = self.lodgers.swap_remove(index);
                lodger.member.target.tell("exit")?;
                lodger.member.target.wait()?;
                Ok(())
            }
            2 if self.lodgers[index].program.is_some() => {
                self.note("became another Go program");
                let program = self.name();
                self.started += 1;
                let lodger = &mut self.lodgers[index];
                let path = Container::inside(&program);
                let said = lodger.member.target.ask(&format!("exec {path}"))?;
                ensure!(said.starts_with("READY"), "{said}");
                lodger.program = Some(program);
                Ok(())
            }
            _ if self.lodgers[index].program.is_some() => {
                self.note("became another program");
                let lodger = &mut self.lodgers[index];
                lodger.member.target.tell("exec /bin/cat")?;
                let said = lodger.member.target.ask("hello")?;
                ensure!(said == "hello", "{said}");
                lodger.program = None;
                Ok(())
            }
            _ => {
                self.note("killed");
                self.lodgers.swap_remove(index).member.kill()
            }
        }
    }

    /// A rolling deployment: the new one comes up, then the old one is gone with all in it.
    fn replace_container(&mut self) -> Result<()> {
        let index = self.random.below(self.containers.len());
        if self
            .lodgers
            .iter()
            .any(|it| it.leaks && it.container == index)
        {
            return Ok(());
        }
        self.note("container replaced");
        let new = self.container()?;
        let old = std::mem::replace(&mut self.containers[index], new);
        drop(old);
        let mut ended = Vec::new();
        let (gone, left) = std::mem::take(&mut self.lodgers)
            .into_iter()
            .partition(|lodger: &Lodger| lodger.container == index);
        self.lodgers = left;
        ended.extend(gone);
        for mut lodger in ended {
            lodger.member.target.wait()?;
            self.start_in(index)?;
        }
        Ok(())
    }

    /// What the daemon says against what is true.
    fn compare(&self, watched: &BTreeMap<u32, Value>) -> Result<()> {
        let mut known = 0;
        for lodger in &self.lodgers {
            let pid = lodger.member.pid;
            let target = watched.get(&pid);
            let Some(program) = &lodger.program else {
                ensure!(target.is_none(), "{pid} runs no Go program any more: stale");
                continue;
            };
            known += 1;
            let target = target.with_context(|| format!("{program}, {pid}, is lost"))?;
            let exe = target["identity"]["process"]["exe"].as_str();
            let path = Container::inside(program);
            ensure!(exe == Some(&path), "{pid} runs {path}, not {exe:?}");
            let container = &self.containers[lodger.container];
            let id = container_of(target);
            ensure!(
                id == Some(&container.id),
                "{pid} is in {}, not {id:?}",
                container.id
            );
            let engine = target["identity"]["container"]["engine"].as_str();
            let expected = container.spelling.engine;
            ensure!(
                engine == expected,
                "{engine:?} runs {pid}, not {expected:?}"
            );
            let pod = target["identity"]["pod"]["uid"].as_str();
            ensure!(pod == container.pod().as_deref(), "{pid} is in pod {pod:?}");
        }
        if watched.len() != known {
            let pids: Vec<u32> = self.lodgers.iter().map(|it| it.member.pid).collect();
            let stale: Vec<_> = watched.keys().filter(|pid| !pids.contains(pid)).collect();
            bail!("processes that have ended are watched: {stale:?}");
        }
        Ok(())
    }
}

/// Programs of several releases, stripped, under their own names in one directory.
fn programs(releases: &[go::Toolchain], directory: &Path) -> Result<Vec<String>> {
    let chosen = releases.iter().rev().step_by(3);
    chosen
        .map(|toolchain| {
            let name = format!("lodger-{}", toolchain.minor());
            let exe = go::build("lodger", toolchain, Mode::Stripped)?;
            std::fs::copy(exe, directory.join(&name))?;
            Ok(name)
        })
        .collect()
}

fn leak_is_found(target: &Value) -> Result<()> {
    let leaks = target["leaks"].as_array().context("no leaks")?;
    let found = leaks.iter().any(|leak| {
        let site = leak["site"].to_string();
        let verdict = leak["verdict"].as_str();
        site.contains("main.leak") && matches!(verdict, Some("likely" | "proven"))
    });
    ensure!(found, "the leak is not found: {leaks:?}");
    Ok(())
}

fn chaos(releases: &[go::Toolchain]) -> Result<()> {
    let length = Duration::from_secs(setting("GOSTRAY_CHAOS_SECONDS", 40));
    let seed = setting("GOSTRAY_CHAOS_SEED", 7);
    println!("seed {seed}, {length:?}");
    let directory = tempfile::tempdir()?;
    let names = programs(releases, directory.path())?;
    let hierarchy = Hierarchy::new("chaos")?;
    let mut house = House {
        hierarchy: &hierarchy,
        programs: directory.path(),
        names,
        random: Random::new(seed),
        containers: Vec::new(),
        lodgers: Vec::new(),
        started: 0,
        done: BTreeMap::new(),
    };
    let mut node = Node::start(&format!(
        "[node]\nbudget = \"{}%\"\nmemory = \"256MiB\"\ninterval = \"1s\"\nhistory = false\n\n\
         [stdout]\n\n[[watch]]\ncgroup = \"{}/**\"\n",
        BUDGET * 100.0,
        hierarchy.path()
    ))?;
    for _ in 0..CONTAINERS {
        let container = house.container()?;
        house.containers.push(container);
    }
    for n in 0..PROCESSES {
        house.start_in(n % CONTAINERS)?;
    }
    let leaking = &mut house.lodgers[0];
    leaking.leaks = true;
    leaking.member.target.ask("leak 5")?;
    let leaking = leaking.member.pid;

    let began = Instant::now();
    let mut slowest = node.until(|watched| house.compare(watched))?;
    println!("{PROCESSES} processes are watched after {slowest:.1?}");
    slowest = Duration::ZERO;
    while began.elapsed() < length {
        for _ in 0..CHANGES {
            house.change()?;
        }
        let took = node.until(|watched| house.compare(watched));
        slowest = slowest.max(took.with_context(|| format!("after {:?}", house.done))?);
    }
    node.until(|watched| leak_is_found(watched.get(&leaking).context("the leaking one is lost")?))?;
    let spent = node.spent()?;
    let agent = node.status()?["agent"].take();
    println!(
        "{:?}; {} started, right again within {slowest:.1?} each time; the agent took {:.2} % and its probes \
         {:.2} % of a core in {:.0} s, RSS {} MB, errors {}, drops {}",
        house.done,
        house.started,
        spent.agent * 100.0,
        spent.probes * 100.0,
        spent.passed,
        agent["memory_bytes"].as_u64().unwrap_or_default() / 1_000_000,
        agent["errors"],
        agent["drops"]
    );
    let allowed = BUDGET * spent.passed + EACH_START * house.started as f64;
    let used = (spent.agent + spent.probes) * spent.passed;
    ensure!(
        used <= allowed,
        "{used:.2} s of processor time, {allowed:.2} are allowed"
    );
    let memory = agent["memory_bytes"].as_u64().context("no memory_bytes")?;
    ensure!(memory < 256 << 20, "{memory} bytes of memory");
    house.lodgers.clear();
    house.containers.clear();
    node.until(|watched| {
        ensure!(watched.is_empty(), "{} are stale", watched.len());
        Ok(())
    })?;
    node.stop()?;
    Ok(())
}

#[test]
#[ignore = "needs root and a kernel with uprobes; takes a minute"]
fn nobody_is_lost_and_nobody_stale() {
    let releases = need_root_and_releases!();
    chaos(&releases).unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
#[ignore = "needs root"]
fn containers_are_what_the_kernel_takes_for_some() {
    let releases = need_root_and_releases!();
    let directory = tempfile::tempdir().unwrap();
    let name = programs(&releases[releases.len() - 1..], directory.path())
        .unwrap()
        .remove(0);
    let hierarchy = Hierarchy::new("containers").unwrap();
    for (n, spelling) in SPELLINGS.into_iter().enumerate() {
        let id = format!("{n:064x}");
        let container = Container::start(&hierarchy, spelling, &id, directory.path()).unwrap();
        let mut members = [(); 2].map(|()| container.run(&name).unwrap());
        for member in &members {
            let file = |file: &str| format!("/proc/{}/{file}", member.pid);
            let cgroup = std::fs::read_to_string(file("cgroup")).unwrap();
            assert!(cgroup.contains(&id), "{cgroup}");
            let exe = std::fs::read_link(file("exe")).unwrap();
            assert_eq!(exe, Path::new(&Container::inside(&name)));
            assert!(!exe.exists(), "it is the container's alone");
            let own = std::fs::read_link("/proc/self/ns/pid").unwrap();
            assert_ne!(std::fs::read_link(file("ns/pid")).unwrap(), own);
        }
        members[0].kill().unwrap();
        members[1].target.ask("idle 1").unwrap();
        drop(container);
        members[1].target.wait().unwrap();
    }
}
