//! `gostray status`: what the running daemon says of itself.

use std::{io::Write as _, time::Duration};

use anyhow::Context as _;

use super::{
    Exit, Format,
    arguments::StatusArguments,
    output::{json, print},
    terminal,
};
use crate::listen::ask;

/// A daemon that works answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the command.
pub(super) fn run(arguments: &StatusArguments) -> anyhow::Result<Exit> {
    let address = arguments.address;
    match arguments.format {
        Format::Text => {
            let path = format!("/status?format=text&width={}", terminal::width());
            let text = ask(address, &path, PATIENCE)?;
            // The daemon has done so already; what answers may be anybody.
            let text = shown(&String::from_utf8_lossy(&text));
            print(|output| output.write_all(text.as_bytes()))
        }
        Format::Json => {
            let answer = ask(address, "/status", PATIENCE)?;
            let answer: serde_json::Value = serde_json::from_slice(&answer)
                .with_context(|| format!("what answers at {address} is no gostray daemon"))?;
            print(|output| json(output, &answer))
        }
    }
}

/// Lines without what a terminal would obey.
fn shown(text: &str) -> String {
    let lines = text.lines().map(crate::report::harmless);
    lines.flat_map(|line| [line, "\n".into()]).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn whoever_answers_gives_the_terminal_no_orders() {
        assert_eq!(super::shown("a\n\u{1b}[2Jb\r\nc"), "a\n\\u{1b}[2Jb\nc\n");
    }
}
