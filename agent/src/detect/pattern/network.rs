//! Waits for a peer, and what `net/http` does for its user meanwhile.

use super::{Pattern, Recognised, Thing, Waiting};

/// What each connection of an HTTP client has a goroutine for: it reads from it,
pub const READ_LOOP: &str = "net/http.(*persistConn).readLoop";
/// and another that writes to it. That one always waits in a select.
pub const WRITE_LOOP: &str = "net/http.(*persistConn).writeLoop";
/// Where a request waits for its answer, or for a connection.
const REQUESTS: [&str; 4] = [
    "net/http.(*persistConn).roundTrip",
    "net/http.(*Transport).getConn",
    "net/http.(*http2ClientConn).roundTrip",
    "golang.org/x/net/http2.(*ClientConn).roundTrip",
];
const SERVE: &str = "net/http.(*conn).serve";

/// A connection of an HTTP client, a request of one, or anything that waits in the poller.
pub(super) fn recognise(waiting: &Waiting) -> Option<Recognised> {
    let is_client = serves_client(waiting);
    match waiting.reason() {
        "select" if is_client && waiting.readers_reason.as_deref() == Some("IO wait") => {
            Some(idle(waiting))
        }
        // It waits for the body to be read, or for the next request of one whose body was not.
        "select" if is_client => Some(body(waiting)),
        "select" if REQUESTS.iter().any(|call| waiting.calls(call)) => Some(request(waiting)),
        "IO wait" if waiting.calls(READ_LOOP) => Some(idle(waiting)),
        "IO wait" if has_deadline(waiting) || reads_ahead(waiting) => None,
        "IO wait" if waiting.starts_in(SERVE) && waiting.own_wait().is_none() => {
            Some(served(waiting))
        }
        "IO wait" => Some(plain(waiting)),
        _ => None,
    }
}

/// Whether it is one of the two goroutines of a connection of an HTTP client.
#[must_use]
pub fn serves_client(waiting: &Waiting) -> bool {
    waiting.starts_in(READ_LOOP) || waiting.starts_in(WRITE_LOOP)
}

/// What a server does beside each handler, to notice when its client goes: the handler's goroutine is
/// the one that is lost.
pub(super) fn reads_ahead(waiting: &Waiting) -> bool {
    waiting.starts_in("net/http.(*connReader).backgroundRead")
}

fn has_deadline(waiting: &Waiting) -> bool {
    let of = |thing: &Thing| {
        matches!(
            thing,
            Thing::Network {
                has_deadline: Some(true),
                ..
            }
        )
    };
    waiting.things.iter().any(of)
}

/// ` 10.0.0.7:5432`, or what else is known of the peer.
fn peer(waiting: &Waiting) -> String {
    let remote = waiting.things.iter().find_map(|thing| match thing {
        Thing::Network { remote, .. } => remote.as_deref(),
        _ => None,
    });
    remote.map_or_else(|| "the peer".into(), |remote| format!("the peer {remote}"))
}

/// Whoever uses an HTTP client, and how sure that is.
fn user(waiting: &Waiting) -> (&super::Call, &'static str) {
    match &waiting.requested_by {
        Some(call) => (
            call,
            "is the line that most often asks for new connections, and",
        ),
        None => (
            waiting.own_creator(),
            "is where the connection is opened; whoever uses that client",
        ),
    }
}

fn body(waiting: &Waiting) -> Recognised {
    let (place, is) = user(waiting);
    Recognised {
        pattern: Pattern::HttpBodyNotClosed,
        place: place.clone(),
        because:
            "connections of an HTTP client are kept open by a response that nobody has read to \
                  its end or closed"
                .into(),
        advice: format!(
            "{} {is} does not close the body of the response on every way out. Close it, also where \
             only the status matters and where it returns early.",
            place.shown(),
        ),
        example: format!(
            "response, err := client.Do(request) // in {}\n\
             if err != nil {{\n\
             \treturn err\n\
             }}\n\
             defer response.Body.Close() // at once, before anything can return",
            place.function,
        ),
    }
}

/// Its connection waits to be read from: for an answer, or for nothing, between two requests.
fn idle(waiting: &Waiting) -> Recognised {
    let (place, is) = user(waiting);
    let peer = peer(waiting);
    Recognised {
        pattern: Pattern::NetworkWithoutDeadline,
        place: place.clone(),
        because: format!(
            "connections of an HTTP client wait for {peer}, for an answer or between two requests"
        ),
        advice: format!(
            "{} {is} makes a client for each request, or one without a limit. Use one client for all \
             requests, with a Timeout.",
            place.shown(),
        ),
        example: client(),
    }
}

fn request(waiting: &Waiting) -> Recognised {
    let place = waiting.own_place();
    Recognised {
        pattern: Pattern::NetworkWithoutDeadline,
        place: place.clone(),
        because: "they wait for the answer to an HTTP request, without a limit".into(),
        advice: format!(
            "{} sends an HTTP request and waits for an answer that does not come ({}). Give the \
             client a Timeout, or the request a context with one: http.DefaultClient has none.",
            place.shown(),
            waiting.started(),
        ),
        example: client(),
    }
}

fn client() -> String {
    "var client = &http.Client{Timeout: 30 * time.Second} // once, for all requests\n\
     \n\
     request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)\n\
     response, err := client.Do(request)"
        .to_owned()
}

fn served(waiting: &Waiting) -> Recognised {
    let place = waiting.own_creator();
    let peer = peer(waiting);
    Recognised {
        pattern: Pattern::NetworkWithoutDeadline,
        place: place.clone(),
        because: format!("connections of an HTTP server wait for {peer}, without a limit"),
        advice: format!(
            "The server that {} runs keeps connections for as long as its clients like. Give it an \
             IdleTimeout and a ReadHeaderTimeout.",
            place.shown(),
        ),
        example: format!(
            "server := &http.Server{{ // in {}\n\
             \tHandler:           handler,\n\
             \tReadHeaderTimeout: 10 * time.Second,\n\
             \tIdleTimeout:       2 * time.Minute,\n\
             }}",
            place.function,
        ),
    }
}

fn plain(waiting: &Waiting) -> Recognised {
    let place = waiting.own_place();
    let peer = peer(waiting);
    let is_pipe = waiting.things.iter().any(|thing| {
        matches!(thing, Thing::Network { protocol: Some(protocol), .. } if protocol == "pipe")
    });
    if waiting.calls("internal/poll.(*FD).Accept") {
        return accept(waiting);
    }
    let (does, set) = if waiting.calls("internal/poll.(*FD).Write") {
        ("take", "SetWriteDeadline")
    } else {
        ("send", "SetReadDeadline")
    };
    let peer = if is_pipe {
        "the other end of a pipe"
    } else {
        &peer
    };
    let is_known = waiting.things.iter().any(|thing| {
        matches!(
            thing,
            Thing::Network {
                has_deadline: Some(false),
                ..
            }
        )
    });
    let without = if is_known {
        ", and no deadline is set"
    } else {
        ""
    };
    Recognised {
        pattern: Pattern::NetworkWithoutDeadline,
        place: place.clone(),
        because: format!("they wait for {peer} to {does} something{without}"),
        advice: format!(
            "{} waits for {peer}, for as long as that likes ({}). Set a deadline before each \
             operation, and close the connection when its work is over.",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "// in {}, before it waits\n\
             if err := conn.{set}(time.Now().Add(30 * time.Second)); err != nil {{\n\
             \treturn err\n\
             }}",
            place.shown(),
        ),
    }
}

fn accept(waiting: &Waiting) -> Recognised {
    let place = waiting.own_place();
    Recognised {
        pattern: Pattern::NetworkWithoutDeadline,
        place: place.clone(),
        because: "they wait for connections to listeners that nobody closes".into(),
        advice: format!(
            "{} accepts connections until its listener is closed, and nobody closes it ({}).",
            place.shown(),
            waiting.started(),
        ),
        example: format!(
            "listener, err := net.Listen(\"tcp\", address)\n\
             if err != nil {{\n\
             \treturn err\n\
             }}\n\
             defer listener.Close() // lets {} end with net.ErrClosed",
            place.function,
        ),
    }
}
