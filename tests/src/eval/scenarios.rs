//! The programs of the zoo, and the lines at which they leak.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::recording::Place;
use crate::go;

/// One program, and what has to be said of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Scenario {
    /// What it is called by.
    pub name: String,
    /// What it is like.
    pub about: String,
    /// The `go` statements that lose goroutines; none in a healthy program.
    pub leaks: Vec<Leak>,
    /// Why it cannot be judged, such as a marker that is nowhere: such a program never passes.
    #[serde(skip)]
    pub trouble: Option<String>,
}

/// A leak that has to be found.
#[derive(Clone, Debug, Deserialize)]
pub struct Leak {
    /// The name in the comment at the `go` statement.
    pub marker: String,
    /// The pattern that has to be recognised.
    pub pattern: String,
    /// By when, counted from when it begins or the agent is started, whichever is later.
    pub within_seconds: f64,
    /// How long after the program is ready it begins.
    #[serde(default)]
    pub starts_after_seconds: f64,
    /// It does not grow any more: suspect is enough.
    #[serde(default)]
    pub stopped: bool,
    /// The beginning of the name of the function with the `go` statement, where that is not the
    /// program's own: then the line is no matter.
    #[serde(default, rename = "in")]
    pub function: Option<String>,
    /// The beginnings of functions of libraries whose `go` statements lose goroutines with it:
    /// whether that is said or not, it is neither due nor wrong.
    #[serde(default)]
    pub also: Vec<String>,
    /// File and line with the marker.
    #[serde(skip)]
    pub line: Option<(String, u64)>,
}

impl Leak {
    /// Whether a site is the one that leaks.
    #[must_use]
    pub fn is_at(&self, place: &Place) -> bool {
        if let Some(function) = &self.function {
            return place.function.starts_with(function);
        }
        self.line.as_ref().is_some_and(|(file, line)| {
            Some(*line) == place.line
                && Path::new(place.file.as_deref().unwrap_or_default()).ends_with(file)
        })
    }
}

impl Scenario {
    /// Whether a site loses goroutines, be it due to say so or not.
    #[must_use]
    pub fn loses_at(&self, place: &Place) -> bool {
        self.leaks.iter().any(|leak| {
            leak.is_at(place) || leak.also.iter().any(|f| place.function.starts_with(f))
        })
    }

    /// Whether nothing of it leaks.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.leaks.is_empty()
    }
}

/// The scenarios of these names, or all, as the built program lists them.
///
/// # Errors
/// The program or its sources cannot be read, or a name is not known.
pub fn chosen(zoo: &Path, names: &[String]) -> Result<Vec<Scenario>> {
    let output = Command::new(zoo)
        .arg("list")
        .output()
        .with_context(|| format!("starting {}", zoo.display()))?;
    ensure!(
        output.status.success(),
        "`zoo list` failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let all = parse(&String::from_utf8(output.stdout)?, &sources()?)?;
    select(all, names)
}

fn select(mut all: Vec<Scenario>, names: &[String]) -> Result<Vec<Scenario>> {
    for name in names {
        if !all.iter().any(|s| s.name == *name) {
            let known: Vec<_> = all.iter().map(|s| s.name.as_str()).collect();
            bail!(
                "there is no program {name} in the zoo; there are: {}",
                known.join(", ")
            );
        }
    }
    all.retain(|s| names.is_empty() || names.contains(&s.name));
    ensure!(!all.is_empty(), "the zoo is empty");
    Ok(all)
}

/// Names and texts of the zoo's Go files.
fn sources() -> Result<Vec<(String, String)>> {
    let directory = go::sources().join("zoo");
    let mut files = Vec::new();
    for entry in
        fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "go") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // With its directory: a file of the library may have the same name.
            files.push((format!("zoo/{name}"), fs::read_to_string(&path)?));
        }
    }
    Ok(files)
}

fn parse(list: &str, sources: &[(String, String)]) -> Result<Vec<Scenario>> {
    let mut all = Vec::new();
    for line in list.lines() {
        let mut scenario: Scenario =
            serde_json::from_str(line).with_context(|| format!("not a scenario: {line}"))?;
        for leak in &mut scenario.leaks {
            if leak.function.is_some() {
                continue;
            }
            match marked(&leak.marker, sources) {
                Ok(found) => leak.line = Some(found),
                Err(trouble) => scenario.trouble = Some(trouble.to_string()),
            }
        }
        all.push(scenario);
    }
    Ok(all)
}

/// The one line that ends with a marker.
fn marked(marker: &str, sources: &[(String, String)]) -> Result<(String, u64)> {
    let comment = format!("// leaks: {marker}");
    let mut found = Vec::new();
    for (file, text) in sources {
        for (line, number) in text.lines().zip(1..) {
            if line.trim_end().ends_with(&comment) {
                found.push((file.clone(), number));
            }
        }
    }
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => bail!("no line of the zoo ends with {comment:?}"),
        (_, others) => bail!("{} lines of the zoo end with {comment:?}", others + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"name":"a","about":"x","leaks":[{"marker":"a","pattern":"mutex","within_seconds":60}]}
{"name":"b","about":"y","leaks":[]}
{"name":"c","about":"z","leaks":[{"marker":"","in":"net/http.(*Transport)","pattern":"http_body_not_closed","within_seconds":60,"stopped":true,"also":["context."],"starts_after_seconds":30}]}"#;

    fn files(text: &str) -> Vec<(String, String)> {
        vec![
            ("zoo/x.go".to_owned(), "package main\n".to_owned()),
            ("zoo/y.go".to_owned(), text.to_owned()),
        ]
    }

    fn place(function: &str, file: &str, line: u64) -> Place {
        Place {
            function: function.to_owned(),
            file: Some(file.to_owned()),
            line: Some(line),
        }
    }

    #[test]
    fn the_marked_line_is_the_one_that_leaks() {
        let all = parse(
            LIST,
            &files("\n\tgo f() // leaks: a\n\tgo f() // leaks: ab\n"),
        )
        .unwrap();
        assert!(all.iter().all(|s| s.trouble.is_none()));
        let leak = &all[0].leaks[0];
        assert!(leak.is_at(&place("main.f", "/src/zoo/y.go", 2)));
        assert!(!leak.is_at(&place("main.f", "/src/zoo/y.go", 3)));
        assert!(!leak.is_at(&place("main.f", "/src/zoo/x.go", 2)));
        assert!(!leak.is_at(&place("main.f", "/src/bazoo/y.go", 2)));
        assert!(all[1].is_healthy() && !all[0].is_healthy());
    }

    #[test]
    fn of_the_library_the_function_counts() {
        let all = parse(LIST, &files("go f() // leaks: a")).unwrap();
        let leak = &all[2].leaks[0];
        assert!(leak.stopped && leak.starts_after_seconds > 29.0);
        assert!(leak.is_at(&place("net/http.(*Transport).dialConn", "transport.go", 1)));
        let server = place("net/http.(*Server).Serve", "server.go", 1);
        assert!(!leak.is_at(&server) && !all[2].loses_at(&server));
        let context = place("context.propagateCancel", "context.go", 1);
        assert!(!leak.is_at(&context) && all[2].loses_at(&context));
    }

    #[test]
    fn a_marker_that_is_nowhere_or_twice_is_trouble() {
        for text in ["go f()", "go f() // leaks: a\ngo f() // leaks: a"] {
            let all = parse(LIST, &files(text)).unwrap();
            assert!(all[0].trouble.as_ref().unwrap().contains("leaks: a"));
            assert!(all[1].trouble.is_none());
        }
    }

    #[test]
    fn unknown_names_are_errors() {
        let all = parse(LIST, &files("go f() // leaks: a")).unwrap();
        let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(select(all.clone(), &names(&["c", "a"])).unwrap().len(), 2);
        assert_eq!(select(all.clone(), &[]).unwrap().len(), 3);
        assert!(select(all, &names(&["a", "d"])).is_err());
    }

    #[test]
    fn every_marker_of_the_zoo_is_there_once() {
        let mut markers: Vec<String> = sources()
            .unwrap()
            .iter()
            .flat_map(|(_, text)| text.lines())
            .filter_map(|line| {
                line.trim_start()
                    .starts_with("go ")
                    .then(|| line.split_once("// leaks: "))?
            })
            .map(|(_, marker)| marker.trim().to_owned())
            .collect();
        let all = markers.len();
        assert!(all > 0);
        markers.sort();
        markers.dedup();
        assert_eq!(markers.len(), all);
    }
}
