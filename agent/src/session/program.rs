//! A Go program in memory, whether it runs or lies in a core file.

use std::sync::Arc;

use crate::{
    binary::{GoBinary, LoadBias},
    memory::MemoryReader,
    report::ProcessInfo,
    runtime::{
        WaitReasonError, WaitReasons,
        layout::{GoroutineLayout, LayoutError, Layouts},
    },
};

/// A program's file, where it is loaded, and how its runtime lays things out.
#[derive(Debug)]
pub struct Program {
    /// The executable.
    pub binary: Arc<GoBinary>,
    /// Where it is loaded.
    pub bias: LoadBias,
    /// Where the fields of the runtime's structs are.
    pub layouts: Layouts,
    /// Those of `runtime.g`, looked up.
    pub layout: GoroutineLayout,
    /// What wait reasons mean.
    pub wait_reasons: Result<WaitReasons, WaitReasonError>,
}

impl Program {
    /// Looks at the program that runs `binary`, loaded with `bias`, in `memory`.
    ///
    /// # Errors
    /// The structs of its runtime are not known.
    pub fn new(
        binary: Arc<GoBinary>,
        bias: LoadBias,
        memory: &impl MemoryReader,
    ) -> Result<Self, LayoutError> {
        let (_, minor) = binary.build_info().go_version.release();
        let layouts = Layouts::for_binary(binary.bytes(), minor.into(), binary.architecture())?;
        Ok(Self {
            layout: GoroutineLayout::new(&layouts)?,
            wait_reasons: WaitReasons::find(&binary, memory, bias),
            layouts,
            bias,
            binary,
        })
    }

    /// What reports say of it; `exe` and `container_id` are known of the process only.
    #[must_use]
    pub fn info(&self, exe: String, container_id: Option<String>) -> ProcessInfo {
        let build = self.binary.build_info();
        ProcessInfo {
            exe,
            build_id: self.binary.build_id().map(str::to_owned),
            go_version: build.go_version.to_string(),
            main_module: build.main_module.as_ref().map(|module| module.path.clone()),
            vcs_revision: build.vcs_revision().map(str::to_owned),
            container_id,
            architecture: self.binary.architecture().name().into(),
            layout: self.layouts.source().to_string(),
        }
    }
}
