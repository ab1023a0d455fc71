//! Whose function a call is: the program's own, a library's, or Go's.

/// A function that is called, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// As Go prints it: `main.(*T).Run.func1`.
    pub function: String,
    /// The file as it was named when built.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
}

/// The first parts of the paths of Go's own packages.
const STANDARD: [&str; 51] = [
    "archive",
    "bufio",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "simd",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
    "weak",
];

/// Where others' goroutines are started and waited for, which never is what is wrong.
const WAITING_ROOMS: &str = "golang.org/x/sync/";

impl Call {
    /// The path of the package: `net/http` of `net/http.(*conn).serve`.
    #[must_use]
    pub fn package(&self) -> &str {
        // Type arguments and receivers have dots and slashes of their own.
        let end = self
            .function
            .find(['(', '['])
            .unwrap_or(self.function.len());
        let name = &self.function[..end];
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let dot = name[last..].find('.').map_or(name.len(), |dot| last + dot);
        &name[..dot]
    }

    /// Whether it is Go's own, or one of the few libraries that only wait for others.
    #[must_use]
    pub fn is_library(&self) -> bool {
        let package = self.package();
        let first = package.split('/').next().unwrap_or(package);
        let named_so = STANDARD.contains(&first);
        // A module may be called as one of Go's packages; its files lie elsewhere.
        let lies_there = self.file.as_deref().is_none_or(|file| {
            // What the runtime does for other packages is in its own files.
            let in_runtime = file.starts_with("runtime/") || file.contains("/src/runtime/");
            in_runtime
                || file.starts_with(package)
                || file.starts_with("_cgo")
                || file.contains(&format!("/src/{package}/"))
        });
        named_so && lies_there || package.starts_with(WAITING_ROOMS)
    }

    /// Whether it belongs to the program's own module.
    #[must_use]
    pub fn is_of(&self, main_module: Option<&str>) -> bool {
        let package = self.package();
        let rest = main_module.and_then(|module| package.strip_prefix(module));
        package == "main" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// `main.search.func1 (search.go:33)`.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.position() {
            Some(position) => format!("{} ({position})", self.function),
            None => self.function.clone(),
        }
    }

    /// The innermost of `calls` that is of the program's own module; where there is none, of any library
    /// that is not Go's.
    #[must_use]
    pub fn own<'a>(calls: &'a [Self], main_module: Option<&str>) -> Option<&'a Self> {
        let mut foreign = calls.iter().filter(|call| !call.is_library());
        let of_module = calls.iter().find(|call| call.is_of(main_module));
        of_module.or_else(|| foreign.next())
    }

    /// `search.go:33`.
    #[must_use]
    pub fn position(&self) -> Option<String> {
        let file = self.file.as_deref()?;
        let file = file.rsplit('/').next().unwrap_or(file);
        Some(match self.line {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(function: &str, file: &str) -> Call {
        Call {
            function: function.into(),
            file: Some(file.into()),
            line: Some(7),
        }
    }

    #[test]
    fn packages_are_what_comes_before_the_name() {
        let package = |function| call(function, "x.go").package().to_owned();
        assert_eq!(package("main.main.func1"), "main");
        assert_eq!(package("net/http.(*persistConn).readLoop"), "net/http");
        assert_eq!(
            package("example.com/a.b/c.Map[...].func2"),
            "example.com/a.b/c"
        );
        assert_eq!(package("sync.(*Pool[example.com/x.T]).Get"), "sync");
        assert_eq!(package("unknown"), "unknown");
    }

    #[test]
    fn gos_own_are_told_by_name_and_file() {
        for (function, file, is_library) in [
            (
                "sync.(*Mutex).Lock",
                "/usr/local/go/src/sync/mutex.go",
                true,
            ),
            ("sync.(*Mutex).Lock", "sync/mutex.go", true),
            (
                "internal/poll.runtime_pollWait",
                "/usr/local/go/src/runtime/netpoll.go",
                true,
            ),
            ("time.Sleep", "runtime/time.go", true),
            ("internal/poll.(*FD).Read", "internal/poll/fd_unix.go", true),
            (
                "golang.org/x/sync/errgroup.(*Group).Wait",
                "/m/errgroup.go",
                true,
            ),
            (
                "vendor/golang.org/x/net/http2.f",
                "vendor/golang.org/x/net/http2/f.go",
                true,
            ),
            ("sync/worker.Run", "/home/me/sync/worker/run.go", false),
            ("syncer.Run", "/home/me/syncer/run.go", false),
            ("main.main", "/home/me/main.go", false),
            ("golang.org/x/net/http2.f", "/m/f.go", false),
        ] {
            assert_eq!(
                call(function, file).is_library(),
                is_library,
                "{function} {file}"
            );
        }
    }

    #[test]
    fn the_programs_own_module_comes_before_its_libraries() {
        let calls = [
            call("sync.(*Mutex).Lock", "sync/mutex.go"),
            call("example.com/pool.(*Pool).Get", "/m/pool.go"),
            call("example.com/app/store.Load", "/m/load.go"),
        ];
        let function = |module| Call::own(&calls, module).map(|call| call.function.as_str());
        assert_eq!(
            function(Some("example.com/app")),
            Some("example.com/app/store.Load")
        );
        assert_eq!(
            function(Some("example.com/ap")),
            Some("example.com/pool.(*Pool).Get")
        );
        assert_eq!(function(None), Some("example.com/pool.(*Pool).Get"));
        assert_eq!(Call::own(&calls[..1], None), None);
    }

    #[test]
    fn a_place_is_short() {
        assert_eq!(call("main.f", "/a/b.go").shown(), "main.f (b.go:7)");
        let nowhere = Call {
            file: None,
            ..call("main.f", "")
        };
        assert_eq!(nowhere.shown(), "main.f");
    }
}
