//! Who may ask, and how.
//!
//! Whoever reaches the port may read; what has to be kept out is a page in somebody's browser.
//! Such a page can send requests here, and reads the answers where it gives this address a name of
//! its own (DNS rebinding). So the name by which this is asked counts.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header},
    middleware::Next,
    response::Response,
};

use super::{
    HostName,
    answers::{for_nobody_else, refusal},
    server::Shared,
};

/// Lets through what may be asked, and gives every answer the headers it has to have.
pub(super) async fn guarded(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let allowed = allowed(
        request.method(),
        request.version(),
        request.uri(),
        request.headers(),
        &shared.hosts,
    );
    let mut response = match allowed {
        Ok(()) => next.run(request).await,
        Err(response) => *response,
    };
    for_nobody_else(response.headers_mut());
    shared.served.answered(response.status());
    response
}

type Allowed = Result<(), Box<Response>>;

/// Whether this may be asked in this way.
pub(super) fn allowed(
    method: &Method,
    version: Version,
    uri: &Uri,
    headers: &HeaderMap,
    hosts: &[HostName],
) -> Allowed {
    self::method(method)
        .and_then(|()| host(version, uri, headers, hosts))
        .and_then(|()| site(headers))
}

fn method(method: &Method) -> Allowed {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let why = "only GET and HEAD: nothing can be changed here";
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, why);
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(header::ALLOW, allowed);
    Err(Box::new(response))
}

/// The name by which this is asked: an address, or a name that is known to be ours.
fn host(version: Version, uri: &Uri, headers: &HeaderMap, hosts: &[HostName]) -> Allowed {
    let mut named = headers.get_all(header::HOST).iter();
    let authority = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok(),
        // Programs of old; no browser.
        (None, None) if version < Version::HTTP_11 => Some("localhost"),
        _ => None,
    };
    let Some(authority) = authority else {
        let why = "a request names the host it is for, once, in a Host header";
        return Err(Box::new(refusal(StatusCode::BAD_REQUEST, why)));
    };
    let asked = uri.authority().map(axum::http::uri::Authority::as_str);
    if [Some(authority), asked]
        .into_iter()
        .flatten()
        .all(|authority| is_ours(authority, hosts))
    {
        return Ok(());
    }
    let why = "asked by a name that is not known here; use an IP address or localhost, or add the \
               name to `hosts` in [listen]";
    Err(Box::new(refusal(StatusCode::FORBIDDEN, why)))
}

fn is_ours(authority: &str, hosts: &[HostName]) -> bool {
    let port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((address, rest)) = bracketed.split_once(']') else {
            return false;
        };
        let rest_is_port = rest.is_empty() || rest.strip_prefix(':').is_some_and(port);
        return rest_is_port && address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let name = match authority.split_once(':') {
        Some((name, number)) if port(number) => name,
        Some(_) => return false,
        None => authority,
    };
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts
            .iter()
            .any(|host| name.eq_ignore_ascii_case(host.as_str()))
}

/// Browsers say when another site's page asks. It would not get to read the answer, but a profile is
/// work.
fn site(headers: &HeaderMap) -> Allowed {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"none" | b"same-origin") => Ok(()),
        Some(_) => {
            let why = "asked by a page of another site";
            Err(Box::new(refusal(StatusCode::FORBIDDEN, why)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(version: Version, uri: &str, hosts: &[&str]) -> u16 {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(
                header::HOST,
                HeaderValue::from_bytes(host.as_bytes()).unwrap(),
            );
        }
        let ours = [HostName::try_from("node-1.example.com".to_owned()).unwrap()];
        match host(version, &uri.parse().unwrap(), &headers, &ours) {
            Ok(()) => 200,
            Err(response) => response.status().as_u16(),
        }
    }

    #[test]
    fn a_name_of_somebody_else_is_refused() {
        let one = |host: &str| status(Version::HTTP_11, "/metrics", &[host]);
        for host in [
            "127.0.0.1",
            "127.0.0.1:9464",
            "10.1.2.3:9464",
            "[::1]",
            "[::1]:9464",
            "localhost",
            "LocalHost:9464",
            "node-1.example.com:9464",
            "NODE-1.example.com",
        ] {
            assert_eq!(one(host), 200, "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9464",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "example.com",
            "localhost:9464@evil.example",
            "user@127.0.0.1",
            "[::1].evil.example",
            "[::1",
            "::1",
            "[127.0.0.1]",
            "127.0.0.1:80:80",
            "0x7f000001",
            "2130706433",
        ] {
            assert_eq!(one(host), 403, "{host}");
        }
    }

    #[test]
    fn a_request_names_its_host_once() {
        assert_eq!(status(Version::HTTP_11, "/", &[]), 400);
        assert_eq!(
            status(Version::HTTP_11, "/", &["localhost", "localhost"]),
            400
        );
        assert_eq!(status(Version::HTTP_11, "/", &["loc\u{e4}lhost"]), 400);
        assert_eq!(status(Version::HTTP_10, "/", &[]), 200);
        assert_eq!(status(Version::HTTP_10, "/", &["evil.example"]), 403);
        // What stands in the request line counts too.
        assert_eq!(
            status(Version::HTTP_11, "http://evil.example/", &["localhost"]),
            403
        );
        assert_eq!(
            status(Version::HTTP_11, "http://127.0.0.1/", &["localhost"]),
            200
        );
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        for (value, allowed) in [
            (None, true),
            (Some("none"), true),
            (Some("same-origin"), true),
            (Some("cross-site"), false),
            (Some("same-site"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert("sec-fetch-site", HeaderValue::from_static(value));
            }
            assert_eq!(site(&headers).is_ok(), allowed, "{value:?}");
        }
    }

    #[test]
    fn nothing_can_be_changed() {
        assert!(method(&Method::GET).is_ok() && method(&Method::HEAD).is_ok());
        for other in [Method::POST, Method::PUT, Method::OPTIONS, Method::TRACE] {
            let refused = method(&other).unwrap_err();
            assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(refused.headers()[header::ALLOW], "GET, HEAD");
        }
    }
}
