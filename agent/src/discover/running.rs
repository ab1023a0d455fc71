//! A process for tests, known to run its program.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

/// `cat`, with this environment and no other; ended with the test.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn start(environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new("cat");
        command.env_clear().envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        // `spawn` returns before the new program has its environment; what answers has it.
        let stdin = child.stdin.as_mut().expect("a pipe");
        stdin.write_all(b"hello\n").expect("written");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("read");
        assert_eq!(line, "hello\n");
        Self(child)
    }

    pub(super) fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).expect("a pid")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
