//! Running other programs, in the open: every command is printed before it runs.

use crate::paths;
use anyhow::{Context as _, Result, bail};
use std::{ffi::OsStr, path::Path, process::Command};

/// Announces a step.
pub(crate) fn step(what: &str) {
    println!("==> {what}");
}

/// `cargo`, in the workspace, as the user's shell would start it.
pub(crate) fn cargo<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(paths::cargo());
    command.current_dir(paths::root()).args(arguments);
    clean(&mut command);
    command
}

/// Takes away what our own cargo told us about ourselves. A build that sees it would think its
/// environment changed since the user last ran cargo by hand, and compile everything again.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

/// Prints and runs a command; its failure is ours.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = display(command);
    println!("    {line}");
    let status = command
        .status()
        .with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// What a command printed, trimmed; `None` if it is missing or failed.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then_some(())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The command as one would type it.
pub(crate) fn display(command: &Command) -> String {
    let changed = command.get_envs().filter_map(|(name, value)| {
        let value = value?.to_string_lossy().into_owned();
        // A list of ten directories helps nobody.
        let value = if value.len() > 80 {
            "…".to_owned()
        } else {
            quote(&value)
        };
        Some(format!("{}={value}", name.to_string_lossy()))
    });
    let program = Path::new(command.get_program());
    let program = if program == Path::new(&paths::cargo()) {
        "cargo".into()
    } else {
        program.to_string_lossy()
    };
    let arguments = command.get_args().map(|a| quote(&a.to_string_lossy()));
    changed
        .chain([program.into_owned()])
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("go");
        command
            .args(["build", "-ldflags", "-s -w", "it's"])
            .env("CGO_ENABLED", "0");
        assert_eq!(
            display(&command),
            r"CGO_ENABLED=0 go build -ldflags '-s -w' 'it'\''s'"
        );
    }
}
