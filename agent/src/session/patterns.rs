//! What is known of a leak's goroutines, put together for the recognition of patterns.

use std::{collections::HashMap, time::Duration};

use super::{Program, evidence::Evidence, names::Names};
use crate::{
    binary::RuntimeAddress,
    detect::pattern::{Call, Facts, Waiting},
    report::{Place, SiteName},
    track::{DISTANCES, POINTS, Point, Site},
};

/// The distances whose points lie closest together, and the farthest back.
const SHORTEST: usize = 0;
const LONGEST: usize = DISTANCES.len() - 1;
/// Where a request of an HTTP client asks for a connection.
const ASKS: &str = "net/http.(*Transport).getConn";

/// Creation stacks by site.
pub(super) type CreationStacks = HashMap<u64, Vec<Vec<RuntimeAddress>>>;

/// All that patterns are recognised by. `seen_at` is when the oldest of the site was looked at.
pub(super) fn waiting(
    site: &Site,
    name: &SiteName,
    evidence: &Evidence,
    created_by: Option<&[Place]>,
    seen_at: Duration,
    program: &Program,
) -> Waiting {
    let main_module = program.binary.build_info().main_module.as_ref();
    Waiting {
        reason: evidence.wait_reason.clone(),
        stack: calls(evidence.stack.as_deref().unwrap_or_default()),
        created_at: call(&name.created_at),
        start: call(&name.start),
        created_by: calls(created_by.unwrap_or_default()),
        requested_by: None,
        readers_reason: None,
        things: evidence.things.clone(),
        main_module: main_module.map(|module| module.path.clone()),
        facts: facts(site, evidence, seen_at),
    }
}

fn facts(site: &Site, evidence: &Evidence, seen_at: Duration) -> Facts {
    // As long as none of its points was dropped, the first is from when the site came.
    let mut points = site.series.points(LONGEST);
    let began = match points.len() {
        POINTS => Duration::ZERO,
        _ => points.next().map_or(Duration::ZERO, |first| first.at),
    };
    Facts {
        created: site.counts.created,
        ended: site.counts.exited + site.counts.exited_older,
        live: site.counts.live,
        watched_seconds: seen_at.saturating_sub(began).as_secs_f64(),
        ended_lately: ended_lately(site),
        oldest_seconds: site.oldest.map(|age| age.as_secs_f64()),
        looked_at: evidence.looked_at,
        sharing: evidence.sharing,
    }
}

/// Of the goroutines that came to an age of three seconds within the last windows, the share that did
/// not live to be counted there.
fn ended_lately(site: &Site) -> Option<f64> {
    const FEW: u64 = 10;
    let points: Vec<&Point> = site.series.points(SHORTEST).collect();
    let [first, second, .., before, last] = points[..] else {
        return None;
    };
    // Who was created up to one point is older than a window at the next.
    let aged = before.created.saturating_sub(first.created);
    let risen = last.survivors[0].saturating_sub(second.survivors[0]);
    (aged >= FEW).then(|| 1.0 - (risen as f64 / aged as f64).min(1.0))
}

/// Who most often asked for a connection of `net/http`: goroutines that dial are created on the stack
/// of a request, those of the connection are not.
pub(super) fn requested_by(
    stacks: &CreationStacks,
    names: &mut Names,
    main_module: Option<&str>,
) -> Option<Call> {
    let mut requests: HashMap<(String, Option<u32>), (usize, Call)> = HashMap::new();
    for pcs in stacks.values().flatten() {
        let calls = calls(&names.stack(pcs));
        let request = calls.iter().position(|call| call.function == ASKS);
        let user = request.and_then(|at| Call::own(&calls[at..], main_module));
        if let Some(user) = user {
            let key = (user.function.clone(), user.line);
            requests.entry(key).or_insert((0, user.clone())).0 += 1;
        }
    }
    let most = requests
        .into_values()
        .max_by_key(|(count, call)| (*count, std::cmp::Reverse(call.line)));
    most.map(|(_, call)| call)
}

/// The line a person has to look at, of those that wait: the program's own, or at least none of
/// the library that waits.
pub(super) fn blocked_at(waiting: &Waiting) -> Option<Place> {
    blocked_in_calls(&waiting.stack, waiting.main_module.as_deref())
}

/// As [`blocked_at`], of goroutines with this stack.
pub(super) fn blocked_in(stack: &[Place], main_module: Option<&str>) -> Option<Place> {
    blocked_in_calls(&calls(stack), main_module)
}

fn blocked_in_calls(stack: &[Call], main_module: Option<&str>) -> Option<Place> {
    const WAITING_ROOMS: [&str; 5] = ["sync.", "internal/", "time.", "runtime.", "context."];
    let outside = |call: &&Call| {
        !WAITING_ROOMS
            .iter()
            .any(|package| call.function.starts_with(package))
    };
    let line = Call::own(stack, main_module);
    line.or_else(|| stack.iter().find(outside)).map(place)
}

fn place(call: &Call) -> Place {
    Place {
        function: call.function.clone(),
        file: call.file.clone(),
        line: call.line,
    }
}

fn call(place: &Place) -> Call {
    Call {
        function: place.function.clone(),
        file: place.file.clone(),
        line: place.line,
    }
}

fn calls(places: &[Place]) -> Vec<Call> {
    places.iter().map(call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::{Accuracy, Counts};

    fn site(points: &[(u64, u64, u64)]) -> Site {
        let counts = Counts {
            created: 0,
            exited: 0,
            live: 0,
            exited_older: 0,
            accuracy: Accuracy::Exact,
        };
        let mut site = Site::new(0x10, counts);
        for (seconds, created, survivors) in points {
            let at = Duration::from_secs(*seconds);
            site.series.push(at, *created, [*survivors, 0, 0, 0, 0]);
        }
        site
    }

    #[test]
    fn who_does_not_grow_old_has_ended() {
        // Ten a second, of which none ends; then of which six do; then too few to tell.
        let none = site(&[
            (0, 0, 0),
            (4, 30, 0),
            (8, 60, 30),
            (12, 90, 60),
            (16, 120, 90),
        ]);
        assert_eq!(ended_lately(&none), Some(0.0));
        let most = site(&[
            (0, 0, 0),
            (4, 30, 0),
            (8, 60, 12),
            (12, 90, 24),
            (16, 120, 36),
        ]);
        assert_eq!(ended_lately(&most), Some(0.6));
        let few = site(&[(0, 0, 0), (4, 1, 0), (8, 2, 1), (12, 3, 2), (16, 4, 3)]);
        assert_eq!(ended_lately(&few), None);
        assert_eq!(ended_lately(&site(&[(0, 0, 0), (4, 30, 0)])), None);
    }

    #[test]
    fn the_line_to_look_at_is_not_in_the_library_that_waits() {
        let blocked_at = |functions: &[&str]| {
            let call = |function: &&str| Call {
                function: (*function).into(),
                file: None,
                line: None,
            };
            let stack: Vec<Call> = functions.iter().map(call).collect();
            let waiting = Waiting {
                reason: None,
                created_at: stack[0].clone(),
                start: stack[0].clone(),
                stack,
                created_by: Vec::new(),
                requested_by: None,
                readers_reason: None,
                things: Vec::new(),
                main_module: Some("example.com/app".into()),
                facts: Facts::default(),
            };
            blocked_at(&waiting).map(|place| place.function)
        };
        let own = blocked_at(&[
            "sync.(*WaitGroup).Wait",
            "example.com/x.F",
            "example.com/app.G",
        ]);
        assert_eq!(own.as_deref(), Some("example.com/app.G"));
        assert_eq!(blocked_at(&["internal/poll.(*FD).Read"]), None);
        // Of a goroutine that is all Go's own, what is at least not where it waits.
        let foreign = blocked_at(&["internal/poll.(*FD).Read", "net/http.(*conn).serve"]);
        assert_eq!(foreign.as_deref(), Some("net/http.(*conn).serve"));
    }
}
