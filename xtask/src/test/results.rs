//! What libtest printed, counted.

/// The counts of one or more runs, and why tests did not run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Results {
    /// Tests that ran and passed.
    pub(crate) passed: usize,
    /// Tests that ran and failed.
    pub(crate) failed: usize,
    /// Tests that did not run, or found that they cannot run here.
    pub(crate) skipped: usize,
    /// The names of those that failed.
    pub(crate) failures: Vec<String>,
    /// The name of a skipped test, or a whole part, and the reason.
    pub(crate) reasons: Vec<(String, String)>,
}

impl Results {
    /// Adds the counts of another run.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
        self.reasons.extend(other.reasons);
    }

    /// Counts something that failed outside libtest.
    pub(crate) fn fail(&mut self, name: impl Into<String>) {
        self.failed += 1;
        self.failures.push(name.into());
    }
}

/// Reads libtest's output line by line, as it appears, with `--show-output`.
///
/// libtest cannot skip a test that is already running, so by our convention such a test prints a
/// line `skipped: <reason>` and returns; here it is taken out of the passed ones again.
#[derive(Default)]
pub(crate) struct Reader {
    results: Results,
    section: Section,
    skipped_now: Vec<(String, String)>,
}

#[derive(Default, PartialEq, Eq)]
enum Section {
    #[default]
    Running,
    /// The output of tests that passed; holds the name of the present one.
    Successes(Option<String>),
    Failures,
}

impl Reader {
    /// Takes one line; tells whether the user should see it.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.finish(counts);
            return true;
        }
        match line {
            "successes:" => self.section = Section::Successes(None),
            "failures:" => self.section = Section::Failures,
            _ => {}
        }
        match &mut self.section {
            Section::Running => {
                self.result_line(line);
                true
            }
            Section::Failures => true,
            Section::Successes(name) => {
                let header = line.strip_prefix("---- ");
                if let Some(test) = header.and_then(|h| h.strip_suffix(" stdout ----")) {
                    *name = Some(test.to_owned());
                } else if let (Some(reason), Some(test)) = (line.strip_prefix("skipped: "), &name) {
                    // One reason a test, however often it says so.
                    if self.skipped_now.last().is_none_or(|(last, _)| last != test) {
                        self.skipped_now.push((test.clone(), reason.to_owned()));
                    }
                }
                false
            }
        }
    }

    /// All that was counted.
    pub(crate) fn results(self) -> Results {
        self.results
    }

    /// `test <name> ... FAILED` and `test <name> ... ignored, <reason>`.
    fn result_line(&mut self, line: &str) {
        let Some((name, outcome)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
        else {
            return;
        };
        if outcome == "FAILED" {
            self.results.failures.push(name.to_owned());
        } else if let Some(reason) = outcome.strip_prefix("ignored") {
            let reason = reason.trim_start_matches(", ");
            let reason = if reason.is_empty() {
                "marked #[ignore]"
            } else {
                reason
            };
            self.results
                .reasons
                .push((name.to_owned(), reason.to_owned()));
        }
    }

    /// `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s`
    fn finish(&mut self, counts: &str) {
        let count = |what: &str| -> usize {
            counts
                .split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
                .unwrap_or(0)
        };
        let skipped = self.skipped_now.len();
        self.results.passed += count("passed").saturating_sub(skipped);
        self.results.failed += count("failed");
        self.results.skipped += count("ignored") + skipped;
        self.results.reasons.append(&mut self.skipped_now);
        self.section = Section::Running;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Results, Vec<&str>) {
        let mut reader = Reader::default();
        let shown = text.lines().filter(|line| reader.line(line)).collect();
        (reader.results(), shown)
    }

    const OUTPUT: &str = "\
running 4 tests
test a::fine ... ok
test b::broken ... FAILED
test c::etcd ... ok
test d::attach ... ignored, needs root

successes:

---- c::etcd stdout ----
skipped: etcd is not installed
skipped: etcd is not installed

successes:
    a::fine
    c::etcd

failures:

---- b::broken stdout ----
skipped: this line belongs to a failure

failures:
    b::broken

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s
";

    #[test]
    fn a_test_that_says_it_skipped_has_not_passed() {
        let (results, _) = read(OUTPUT);
        assert_eq!((results.passed, results.failed, results.skipped), (1, 1, 2));
        assert_eq!(results.failures, ["b::broken"]);
        assert_eq!(
            results.reasons,
            [
                ("d::attach".to_owned(), "needs root".to_owned()),
                ("c::etcd".to_owned(), "etcd is not installed".to_owned()),
            ]
        );
    }

    #[test]
    fn output_of_passed_tests_is_hidden_and_of_failed_ones_shown() {
        let (_, shown) = read(OUTPUT);
        assert!(shown.contains(&"---- b::broken stdout ----"));
        assert!(!shown.contains(&"---- c::etcd stdout ----"));
        assert!(
            shown
                .last()
                .is_some_and(|line| line.starts_with("test result:"))
        );
    }

    #[test]
    fn several_runs_add_up() {
        let twice = OUTPUT.repeat(2);
        let (results, _) = read(&twice);
        assert_eq!((results.passed, results.failed, results.skipped), (2, 2, 4));
        assert_eq!(read("error: could not compile").0, Results::default());
    }
}
