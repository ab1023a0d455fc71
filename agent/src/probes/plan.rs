//! Which instruction of this binary each probe goes to. Reads the file only.

pub use gostray_common::ProbeKind;

use super::{
    ProbeError,
    site::{Code, Site, SiteError, Wanted},
};
use crate::binary::{FileOffset, Function, GoBinary, LinkAddress};

/// How the instruction is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SiteChoice {
    /// One trap, value at hand.
    #[default]
    SingleTrap,
    /// The first instruction of the same function, as attaching to its symbol would. What is
    /// counted there is wrong; it exists to measure what the choice is worth.
    FunctionEntry,
}

/// One probe and its place.
#[derive(Clone, Debug)]
pub struct PlannedProbe {
    /// Which event.
    pub kind: ProbeKind,
    /// The function it lies in.
    pub function: String,
    /// The instruction.
    pub site: Site,
    /// The same instruction for the kernel.
    pub offset: FileOffset,
}

/// All probes for one binary.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In the order in which they are attached: exits first, so that no birth seen misses its end.
    pub probes: Vec<PlannedProbe>,
}

const NEWPROC: &str = "runtime.newproc";
const NEWPROC1: &str = "runtime.newproc1";
const IS_SYSTEM: &str = "runtime.isSystemGoroutine";
const GDESTROY: &str = "runtime.gdestroy";
const GOEXIT0: &str = "runtime.goexit0";
const GOPARK: &str = "runtime.gopark";

impl Plan {
    /// Finds the sites in `binary`.
    ///
    /// # Errors
    /// A function is not there, or offers no site.
    pub fn new(
        binary: &GoBinary,
        kinds: &[ProbeKind],
        choice: SiteChoice,
    ) -> Result<Self, ProbeError> {
        // Since Go 1.22 coroutines end without goexit0, but all pass gdestroy. Only names that the
        // release has are asked for: looking for one that is not there goes through all of them.
        let exit = match binary.build_info().go_version.release() {
            release if release >= (1, 22) => GDESTROY,
            _ => GOEXIT0,
        };
        let names = [NEWPROC1, IS_SYSTEM, exit, GOPARK];
        let functions = Functions {
            binary,
            exit,
            found: names
                .into_iter()
                .zip(binary.pclntab().functions_named(names))
                .collect(),
        };
        let mut kinds = kinds.to_vec();
        kinds.sort_unstable_by_key(|kind| match kind {
            ProbeKind::Exit => 0,
            ProbeKind::Creation | ProbeKind::Statement => 1,
            ProbeKind::Park => 2,
        });
        let probes = kinds
            .into_iter()
            .map(|kind| functions.plan(kind, choice))
            .collect::<Result<_, _>>()?;
        Ok(Self { probes })
    }

    /// The calls of single `go` statements, each known by the instruction behind it.
    ///
    /// # Errors
    /// There is no such call right before one of them.
    pub fn statements(binary: &GoBinary, behind: &[LinkAddress]) -> Result<Self, ProbeError> {
        let probe = ProbeKind::Statement.name();
        let [newproc] = binary.pclntab().functions_named([NEWPROC]);
        let planned = |behind: &LinkAddress| {
            let (function, site) = statement(binary, newproc, *behind)
                .map_err(|source| ProbeError::NoSite { probe, source })?;
            let offset = binary.file_offset(site.address);
            Ok(PlannedProbe {
                kind: ProbeKind::Statement,
                function,
                site,
                offset: offset.ok_or(ProbeError::NotInFile { probe })?,
            })
        };
        let probes: Result<_, ProbeError> = behind.iter().map(planned).collect();
        Ok(Self { probes: probes? })
    }

    /// The planned probe of `kind`.
    #[must_use]
    pub fn probe(&self, kind: ProbeKind) -> Option<&PlannedProbe> {
        self.probes.iter().find(|probe| probe.kind == kind)
    }
}

/// The call of `newproc` that returns to `behind`, and the function it stands in.
fn statement(
    binary: &GoBinary,
    newproc: Option<Function<'_>>,
    behind: LinkAddress,
) -> Result<(String, Site), SiteError> {
    let newproc = newproc.ok_or(SiteError::NoFunction { function: NEWPROC })?;
    // The call may be the last instruction: what is behind it is another function then.
    let call = behind.0.checked_sub(1).map(LinkAddress);
    let function = call.and_then(|call| binary.pclntab().function_at(call));
    let function = function.ok_or(SiteError::NoStatement)?;
    let code = Code {
        function: "the function of a go statement",
        entry: function.entry(),
        bytes: binary
            .function_code(&function)
            .ok_or(SiteError::NoStatement)?,
        architecture: binary.architecture(),
    };
    let site = code.call_before(behind, newproc.entry())?;
    Ok((function.name().unwrap_or("?").to_owned(), site))
}

struct Functions<'a> {
    binary: &'a GoBinary,
    exit: &'static str,
    found: Vec<(&'static str, Option<Function<'a>>)>,
}

impl<'a> Functions<'a> {
    fn plan(&self, kind: ProbeKind, choice: SiteChoice) -> Result<PlannedProbe, ProbeError> {
        let probe = kind.name();
        let no_site = |source| ProbeError::NoSite { probe, source };
        let code = match kind {
            ProbeKind::Creation => self.code(NEWPROC1),
            ProbeKind::Exit => self.code(self.exit),
            ProbeKind::Park => self.code(GOPARK),
            ProbeKind::Statement => Err(SiteError::NoStatement),
        }
        .map_err(no_site)?;
        let site = match (choice, kind) {
            (SiteChoice::FunctionEntry, _) => code.naive_site(),
            (SiteChoice::SingleTrap, ProbeKind::Creation) => self
                .function(IS_SYSTEM)
                .and_then(|callee| code.call_of(IS_SYSTEM, callee.entry())),
            (SiteChoice::SingleTrap, ProbeKind::Exit | ProbeKind::Statement) => {
                code.entry_site(Wanted::FirstArgument)
            }
            (SiteChoice::SingleTrap, ProbeKind::Park) => code.entry_site(Wanted::ThirdArgument),
        }
        .map_err(no_site)?;
        let offset = self
            .binary
            .file_offset(site.address)
            .ok_or(ProbeError::NotInFile { probe })?;
        Ok(PlannedProbe {
            kind,
            function: code.function.to_owned(),
            site,
            offset,
        })
    }

    fn function(&self, name: &'static str) -> Result<Function<'a>, SiteError> {
        self.found
            .iter()
            .find(|(found, _)| *found == name)
            .and_then(|(_, function)| *function)
            .ok_or(SiteError::NoFunction { function: name })
    }

    fn code(&self, name: &'static str) -> Result<Code<'a>, SiteError> {
        let function = self.function(name)?;
        Ok(Code {
            function: name,
            entry: function.entry(),
            bytes: self
                .binary
                .function_code(&function)
                .ok_or(SiteError::NoCode { function: name })?,
            architecture: self.binary.architecture(),
        })
    }
}
