//! `gostray doctor`: what works here, what does not, how to mend it.

mod cost;
mod kernel;
mod privileges;
mod target;

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use super::{Exit, Format, arguments::DoctorArguments};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// Works.
    Ok,
    /// Works, with a limit worth knowing.
    Warn,
    /// Does not work.
    Fail,
}

/// One thing looked at.
#[derive(Clone, Debug, Serialize)]
struct Check {
    area: &'static str,
    name: &'static str,
    outcome: Outcome,
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl Check {
    fn ok(area: &'static str, name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            area,
            name,
            outcome: Outcome::Ok,
            detail: detail.into(),
            mend: None,
        }
    }

    fn warn(
        area: &'static str,
        name: &'static str,
        detail: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            outcome: Outcome::Warn,
            mend: Some(mend.into()),
            ..Self::ok(area, name, detail)
        }
    }

    fn fail(
        area: &'static str,
        name: &'static str,
        detail: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            outcome: Outcome::Fail,
            ..Self::warn(area, name, detail, mend)
        }
    }
}

/// Runs the command. Fails when attaching would.
pub(super) fn run(arguments: &DoctorArguments) -> anyhow::Result<Exit> {
    let mut checks = kernel::checks();
    checks.extend(privileges::checks());
    checks.push(cost::check());
    checks.extend(arguments.pid.into_iter().flat_map(target::checks));
    let output = io::stdout();
    match arguments.format {
        Format::Json => {
            serde_json::to_writer_pretty(&output, &checks)?;
            writeln!(&output)?;
        }
        Format::Text => {
            let colours = output.is_terminal() && std::env::var_os("NO_COLOR").is_none();
            text(&mut output.lock(), &checks, colours)?;
        }
    }
    let failed = checks.iter().any(|check| check.outcome == Outcome::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn text(output: &mut impl Write, checks: &[Check], colours: bool) -> io::Result<()> {
    let mut area = "";
    for check in checks {
        if check.area != area {
            area = check.area;
            writeln!(output, "{area}")?;
        }
        let (mark, colour) = match check.outcome {
            Outcome::Ok => ("ok  ", "\x1b[32m"),
            Outcome::Warn => ("warn", "\x1b[33m"),
            Outcome::Fail => ("FAIL", "\x1b[1;31m"),
        };
        let (on, off) = if colours {
            (colour, "\x1b[0m")
        } else {
            ("", "")
        };
        writeln!(
            output,
            "  {on}{mark}{off} {:<16} {}",
            check.name, check.detail
        )?;
        if let Some(mend) = &check.mend {
            writeln!(output, "       {:<16} -> {mend}", "")?;
        }
    }
    let count = |outcome| checks.iter().filter(|c| c.outcome == outcome).count();
    match (count(Outcome::Fail), count(Outcome::Warn)) {
        (0, 0) => writeln!(output, "all is well"),
        (0, warnings) => writeln!(output, "attaching works; {warnings} to know about"),
        (failures, _) => writeln!(output, "attaching does not work: {failures} to mend"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_says_what_to_do() {
        let checks = [
            Check::ok("kernel", "uprobes", "available"),
            Check::warn("kernel", "JIT", "off", "set net.core.bpf_jit_enable to 1"),
            Check::fail("privileges", "CAP_SYS_ADMIN", "missing", "run as root"),
        ];
        let mut output = Vec::new();
        text(&mut output, &checks, false).expect("writes to memory");
        insta::assert_snapshot!(String::from_utf8(output).expect("text"), @r"
        kernel
          ok   uprobes          available
          warn JIT              off
                                -> set net.core.bpf_jit_enable to 1
        privileges
          FAIL CAP_SYS_ADMIN    missing
                                -> run as root
        attaching does not work: 1 to mend
        ");
    }
}
