//! `cargo xtask`: set-up, demo, tests, lint and benches, one command each.
mod layouts;

use std::path::PathBuf;

use clap::Parser;

/// Development tasks of gostray.
#[derive(Parser)]
enum Task {
    /// Regenerate the table of runtime layouts.
    Layouts {
        /// Fail on a difference instead of writing.
        #[arg(long)]
        check: bool,
        /// Toolchains, each as RELEASE=GOROOT, for example `1.22=/usr/local/go1.22`.
        #[arg(required = true, value_parser = goroot)]
        goroots: Vec<(String, PathBuf)>,
    },
}

fn goroot(text: &str) -> Result<(String, PathBuf), String> {
    text.split_once('=')
        .map(|(release, path)| (release.to_owned(), path.into()))
        .ok_or_else(|| format!("expected RELEASE=GOROOT, not {text}"))
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Layouts { check, goroots } => layouts::run(&goroots, check),
    }
}
