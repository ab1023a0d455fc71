//! The processes and containers, what is done to them, and what is true of them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::containers::{Container, Hierarchy, Member, SPELLINGS};
use crate::node::container_of;
use crate::random::Random;

/// How many processes there are at most.
pub(super) const PROCESSES: usize = 30;

/// A process, and what it should be known as.
pub(super) struct Lodger {
    pub(super) member: Member,
    /// The program; `None` where it is none of Go's.
    pub(super) program: Option<String>,
    pub(super) container: usize,
    pub(super) leaks: bool,
}

/// All there are.
pub(super) struct House<'a> {
    pub(super) hierarchy: &'a Hierarchy,
    pub(super) programs: &'a Path,
    pub(super) names: Vec<String>,
    pub(super) random: Random,
    pub(super) containers: Vec<Container>,
    pub(super) lodgers: Vec<Lodger>,
    pub(super) started: usize,
    /// What was done how often.
    pub(super) done: BTreeMap<&'static str, usize>,
}

impl House<'_> {
    pub(super) fn container(&mut self) -> Result<Container> {
        let spelling = self.random.one_of(&SPELLINGS);
        let digits = [(); 4].map(|()| format!("{:016x}", self.random.any()));
        Container::start(self.hierarchy, spelling, &digits.concat(), self.programs)
    }

    fn name(&mut self) -> String {
        let index = self.random.below(self.names.len());
        self.names[index].clone()
    }

    pub(super) fn start_in(&mut self, container: usize) -> Result<()> {
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
    pub(super) fn change(&mut self) -> Result<()> {
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
                lodger.member.target.ask("become /bin/cat")?;
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
    pub(super) fn compare(&self, watched: &BTreeMap<u32, Value>) -> Result<()> {
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
