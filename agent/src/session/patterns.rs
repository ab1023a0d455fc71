//! What is known of a leak's goroutines, put together for the recognition of patterns.

use std::{collections::HashMap, time::Duration};

use super::{Program, evidence::Evidence, names::Names};
use crate::{
    binary::RuntimeAddress,
    detect::pattern::{Call, Facts, Waiting},
    report::{Place, SiteName},
    track::{POINTS, Site},
};

/// The scale whose points lie the farthest back.
const LONGEST: usize = 3;
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
        oldest_seconds: site.oldest.map(|age| age.as_secs_f64()),
        looked_at: evidence.looked_at,
        sharing: evidence.sharing,
    }
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
    const WAITING_ROOMS: [&str; 5] = ["sync.", "internal/", "time.", "runtime.", "context."];
    let outside = |call: &&Call| {
        !WAITING_ROOMS
            .iter()
            .any(|package| call.function.starts_with(package))
    };
    let line = waiting.own_wait();
    line.or_else(|| waiting.stack.iter().find(outside))
        .map(place)
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
