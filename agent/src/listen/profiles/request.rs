//! What is asked for.

use axum::http::StatusCode;
use serde::Deserialize;

use super::super::ProfileKind;
use crate::report::{
    harmless,
    node::{NodeSample, TargetSample},
};

/// The parameters that count; others are ignored, as Go ignores them.
#[derive(Debug, Default, Deserialize)]
pub(in crate::listen) struct Parameters {
    pub(super) pid: Option<String>,
    pub(super) debug: Option<String>,
    pub(super) seconds: Option<String>,
}

/// A profile, and how it is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) pid: i32,
    pub(super) kind: ProfileKind,
    pub(super) form: Form,
}

/// `debug=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// 0: a gzipped protocol buffer.
    Protobuf,
    /// 1: text, counted by stacks.
    Counted,
    /// 2: text, each goroutine for itself.
    Each,
}

/// A refusal and its reason.
pub(super) type Refused = (StatusCode, String);

/// More goroutines are not written one by one: a line of text for each frame of each of them.
const EACH: u64 = 100_000;

/// What `parameters` ask for of those that are watched. `leaks` is whether the profile is the one of leaks.
pub(super) fn wanted(
    parameters: &Parameters,
    leaks: bool,
    node: &NodeSample,
) -> Result<Wanted, Refused> {
    let bad = |why: String| Err((StatusCode::BAD_REQUEST, why));
    if parameters.seconds.is_some() {
        return bad(
            "seconds: a profile over time is not taken; take two, and let `go tool pprof -diff_base` \
             compare them"
                .into(),
        );
    }
    let form = match parameters.debug.as_deref() {
        None | Some("" | "0") => Form::Protobuf,
        Some("1") => Form::Counted,
        Some(number) if number.parse::<u32>().is_ok() => Form::Each,
        Some(_) => return bad("debug: 0 for pprof, 1 for text, 2 for each goroutine".into()),
    };
    let target = target(parameters.pid.as_deref(), node)?;
    let kind = match (leaks, form) {
        (true, _) => ProfileKind::GoroutineLeak,
        (false, Form::Each) => ProfileKind::EachGoroutine,
        (false, _) => ProfileKind::Goroutine,
    };
    if kind == ProfileKind::EachGoroutine
        && let Some(many) = target.status.goroutines.filter(|count| *count > EACH)
    {
        let why = format!(
            "{many} goroutines are too many to be written one by one; debug=1 counts them by stacks"
        );
        return Err((StatusCode::NOT_IMPLEMENTED, why));
    }
    let pid = target.target.pid;
    Ok(Wanted { pid, kind, form })
}

fn target<'a>(pid: Option<&str>, node: &'a NodeSample) -> Result<&'a TargetSample, Refused> {
    let Some(text) = pid else {
        return match &node.targets[..] {
            [one] => Ok(one),
            [] => Err((StatusCode::NOT_FOUND, "no process is watched".into())),
            many => {
                let pids = list(many);
                let why = format!("say which process, with pid=N; watched are {pids}");
                Err((StatusCode::BAD_REQUEST, why))
            }
        };
    };
    let Ok(pid) = text.parse::<i32>() else {
        return Err((
            StatusCode::BAD_REQUEST,
            "pid: a process id is a number".into(),
        ));
    };
    let mut targets = node.targets.iter().map(|target| &**target);
    let found = targets.find(|target| target.target.pid == pid);
    found.ok_or_else(|| {
        let why = format!("process {pid} is not watched; /debug/pprof/ lists those that are");
        (StatusCode::NOT_FOUND, why)
    })
}

/// Processes that are named where there are many.
const LISTED: usize = 20;

fn list(targets: &[std::sync::Arc<TargetSample>]) -> String {
    let shown = targets.iter().take(LISTED);
    let mut pids: Vec<_> = shown
        .map(|target| format!("{} ({})", target.target.pid, harmless(&target.target.name)))
        .collect();
    if let Some(more) = targets.len().checked_sub(LISTED).filter(|more| *more > 0) {
        pids.push(format!("and {more} more"));
    }
    pids.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::report::node::samples;

    fn parameters(pid: Option<&str>, debug: Option<&str>) -> Parameters {
        Parameters {
            pid: pid.map(str::to_owned),
            debug: debug.map(str::to_owned),
            seconds: None,
        }
    }

    #[test]
    fn the_only_process_needs_no_pid() {
        let node = samples::node();
        for pid in [None, Some("4321")] {
            let wanted = wanted(&parameters(pid, None), false, &node).unwrap();
            assert_eq!(
                wanted,
                Wanted {
                    pid: 4321,
                    kind: ProfileKind::Goroutine,
                    form: Form::Protobuf
                }
            );
        }
    }

    #[test]
    fn of_several_one_is_to_be_named() {
        let mut node = samples::node();
        for n in 0..30 {
            let mut other = samples::target();
            let mut identity = (*other.target).clone();
            identity.pid = 5000 + n;
            identity.name = "a\nb".into();
            other.target = identity.into();
            node.targets.push(other.into());
        }
        let (status, why) = wanted(&parameters(None, None), false, &node).unwrap_err();
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(
            why.contains("watched are 4321 (server), 5000 (a\\nb), "),
            "{why}"
        );
        assert!(why.ends_with("and 11 more"), "{why}");
        assert!(wanted(&parameters(Some("5003"), None), true, &node).is_ok());
        node.targets.clear();
        let (status, _) = wanted(&parameters(None, None), false, &node).unwrap_err();
        assert_eq!(status, StatusCode::NOT_FOUND);
    }

    #[test]
    fn forms() {
        let mut node = samples::node();
        let form = |debug, leaks, node: &_| wanted(&parameters(None, Some(debug)), leaks, node);
        for (debug, expected) in [
            ("0", Form::Protobuf),
            ("", Form::Protobuf),
            ("1", Form::Counted),
            ("2", Form::Each),
            ("7", Form::Each),
        ] {
            assert_eq!(form(debug, false, &node).unwrap().form, expected, "{debug}");
        }
        let each = |leaks, node: &_| form("2", leaks, node).map(|wanted| wanted.kind);
        assert_eq!(each(false, &node), Ok(ProfileKind::EachGoroutine));
        assert_eq!(each(true, &node), Ok(ProfileKind::GoroutineLeak));
        Arc::make_mut(&mut node.targets[0]).status.goroutines = Some(100_001);
        assert_eq!(
            each(false, &node).unwrap_err().0,
            StatusCode::NOT_IMPLEMENTED
        );
        assert_eq!(each(true, &node), Ok(ProfileKind::GoroutineLeak));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let node = samples::node();
        let refused = |parameters: &Parameters| wanted(parameters, false, &node).unwrap_err();
        assert_eq!(
            refused(&parameters(Some("4322"), None)).0,
            StatusCode::NOT_FOUND
        );
        for bad in ["", "x", "-", "99999999999", "4321 "] {
            let status = refused(&parameters(Some(bad), None)).0;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
        }
        assert_eq!(
            refused(&parameters(None, Some("yes"))).0,
            StatusCode::BAD_REQUEST
        );
        let delta = Parameters {
            seconds: Some("5".into()),
            ..Parameters::default()
        };
        assert_eq!(refused(&delta).0, StatusCode::BAD_REQUEST);
    }
}
