//! A program with ten thousand `go` statements, one of which leaks.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;

use crate::go;

/// How many there are.
pub const SITES: usize = 10_000;

/// Builds it with the newest release.
///
/// # Errors
/// The build fails.
pub fn build() -> Result<PathBuf> {
    go::build_text("manysites", &source(), &go::newest()?)
}

/// Each second a goroutine is created by every statement, and one at the statement that leaks never
/// ends.
fn source() -> String {
    let mut text = String::from(
        "package main

import (
	\"fmt\"
	\"io\"
	\"os\"
	\"time\"
)

func rest(d time.Duration) { time.Sleep(d) }

func forget(never chan int) { <-never }

func leak() { go forget(make(chan int)) }

func main() {
	go func() {
		for {
			for i, create := range creators {
				create()
				if i%100 == 0 {
					time.Sleep(10 * time.Millisecond)
				}
			}
			leak()
			leak()
		}
	}()
	fmt.Println(\"READY\", len(creators))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

var creators = []func(){
",
    );
    for n in 0..SITES {
        let _ = writeln!(text, "\ts{n},");
    }
    text.push_str("}\n\n");
    for n in 0..SITES {
        let _ = writeln!(
            text,
            "func s{n}() {{ go rest({} * time.Millisecond) }}",
            n % 700
        );
    }
    text
}
