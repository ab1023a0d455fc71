//! Findings that somebody has decided to live with.

use std::collections::BTreeMap;

/// What is known of a finding that a suppression can go by.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The function with the `go` statement.
    pub created_in: &'a str,
    /// The function that was started.
    pub started: &'a str,
    /// The file and line of the `go` statement, where known.
    pub file: Option<&'a str>,
    /// See `file`.
    pub line: Option<u32>,
    /// The pprof labels that most of the goroutines have.
    pub labels: &'a BTreeMap<String, String>,
}

/// A site, a package or a label of which nothing shall be said, and why. All that is given has to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suppression {
    /// A function, with the `go` statement or started by it, or `file:line`; of the file as many
    /// last parts as are given.
    pub site: Option<String>,
    /// A package by its import path; with `/...` all below it too.
    pub package: Option<String>,
    /// A label's name and value.
    pub label: Option<(String, String)>,
    /// Why; shown with what is suppressed.
    pub reason: String,
}

impl Suppression {
    /// Whether it is about `subject`. Without a condition it is about nothing.
    #[must_use]
    pub fn covers(&self, subject: &Subject<'_>) -> bool {
        let functions = [subject.created_in, subject.started];
        let site = |site: &String| functions.contains(&&**site) || is_at(site, subject);
        let package = |package: &String| functions.iter().any(|f| is_in(package, f));
        let label = |(name, value): &(String, String)| subject.labels.get(name) == Some(value);
        let conditions = [
            self.site.as_ref().map(site),
            self.package.as_ref().map(package),
            self.label.as_ref().map(label),
        ];
        let mut given = conditions.into_iter().flatten().peekable();
        given.peek().is_some() && given.all(|fits| fits)
    }
}

/// `file:line`, where the file may leave out its first folders.
fn is_at(place: &str, subject: &Subject<'_>) -> bool {
    let Some((file, line)) = place.rsplit_once(':') else {
        return false;
    };
    let (Some(known), Some(at)) = (subject.file, subject.line) else {
        return false;
    };
    let ends = known.strip_suffix(file);
    let is_whole = ends.is_some_and(|folders| folders.is_empty() || folders.ends_with('/'));
    is_whole && line.parse() == Ok(at)
}

/// Whether `function` belongs to `package`, or with `/...` to one below it.
fn is_in(package: &str, function: &str) -> bool {
    let of = package_of(function);
    match package.strip_suffix("/...") {
        Some(above) => of
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        None => of == package,
    }
}

/// The import path in a function's name as Go writes it, where dots of its last part are escaped.
fn package_of(function: &str) -> String {
    let last = function.rfind('/').map_or(0, |slash| slash + 1);
    let end = function[last..]
        .find('.')
        .map_or(function.len(), |dot| last + dot);
    function[..end].replace("%2e", ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(suppression: &Suppression) -> bool {
        suppression.covers(&Subject {
            created_in: "github.com/acme/shop/cart%2ev2.(*Cart).Watch",
            started: "github.com/acme/shop/cart%2ev2.(*Cart).Watch.func1",
            file: Some("/src/shop/cart.v2/watch.go"),
            line: Some(40),
            labels: &[("job".to_owned(), "report".to_owned())].into(),
        })
    }

    fn site(site: &str) -> Suppression {
        Suppression {
            site: Some(site.into()),
            ..Suppression::default()
        }
    }

    fn package(package: &str) -> Suppression {
        Suppression {
            package: Some(package.into()),
            ..Suppression::default()
        }
    }

    fn label(value: &str) -> Suppression {
        Suppression {
            label: Some(("job".into(), value.into())),
            ..Suppression::default()
        }
    }

    #[test]
    fn a_site_is_a_function_or_a_line() {
        assert!(covers(&site(
            "github.com/acme/shop/cart%2ev2.(*Cart).Watch"
        )));
        assert!(covers(&site("cart.v2/watch.go:40")));
        assert!(covers(&site("/src/shop/cart.v2/watch.go:40")));
        assert!(!covers(&site("v2/watch.go:40")), "part of a folder's name");
        assert!(!covers(&site("watch.go:41")));
        assert!(!covers(&site("(*Cart).Watch")));
    }

    #[test]
    fn a_package_is_one_or_all_below() {
        assert!(covers(&package("github.com/acme/shop/cart.v2")));
        assert!(covers(&package("github.com/acme/...")));
        assert!(!covers(&package("github.com/acme/shop")));
        assert!(!covers(&package("github.com/ac/...")));
    }

    #[test]
    fn all_that_is_given_has_to_fit_and_nothing_fits_nothing() {
        assert!(covers(&label("report")));
        assert!(!covers(&label("import")));
        let both = |value| Suppression {
            package: Some("github.com/acme/...".into()),
            ..label(value)
        };
        assert!(covers(&both("report")) && !covers(&both("import")));
        assert!(!covers(&Suppression::default()));
    }
}
