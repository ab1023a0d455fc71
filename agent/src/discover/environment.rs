//! As which service a process wants to be known, from its environment.
//!
//! Environments hold passwords. Only two variables are looked at, and nothing else of the copy outlives
//! the function that made it; no error here repeats what it is about.

use std::{collections::BTreeMap, io, thread, time::Duration};

use thiserror::Error;

use super::proc_files::{self, Contents};
use crate::report::node::Service;

/// Linux allows a process's arguments and environment a quarter of its stack's limit, 2 MiB mostly.
const MAX_BYTES: u64 = 1 << 20;
/// Of `OTEL_RESOURCE_ATTRIBUTES`: they are part of all that is exported about the process.
const MAX_ATTRIBUTES: usize = 128;
const MAX_ATTRIBUTES_BYTES: usize = 16 << 10;
const MAX_NAME_BYTES: usize = 1024;
/// How often an empty one is read again, and after how long. Some programs have none at all.
const RETRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(2);

/// What of a process's environment cannot be used. Never with a word of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// Not readable.
    #[error("its environment cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Longer than is believed; of what is behind nothing is known.
    #[error("its environment is longer than {MAX_BYTES} bytes, of which the rest was not read")]
    TooLong,
    /// Not as OpenTelemetry wants it: all of it is left out.
    #[error(
        "its OTEL_RESOURCE_ATTRIBUTES is left out: {0}; as `key=value,key=value`, with other characters \
         percent-encoded, it would count"
    )]
    Attributes(AttributesError),
    /// Longer than a name is.
    #[error("its OTEL_SERVICE_NAME is left out: it is longer than {MAX_NAME_BYTES} bytes")]
    NameTooLong,
}

/// What is wrong with `OTEL_RESOURCE_ATTRIBUTES`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributesError {
    /// A part without `=`.
    #[error("a part of it has no `=`")]
    NoValue,
    /// Nothing before the `=`.
    #[error("a key is empty")]
    NoKey,
    /// A `%` with something else behind it than two hexadecimal digits.
    #[error("a `%` is not followed by two hexadecimal digits")]
    Escape,
    /// More or longer than is passed on with every export.
    #[error("it has more than {MAX_ATTRIBUTES} attributes or {MAX_ATTRIBUTES_BYTES} bytes")]
    TooMany,
}

/// What an environment says, and what of it cannot be used.
#[derive(Debug, Default)]
pub struct Environment {
    /// The service; empty where nothing is said.
    pub service: Service,
    /// What was left out.
    pub problems: Vec<EnvironmentError>,
}

impl Environment {
    /// Of process `pid`, as it was started: what a program sets later is not seen.
    #[must_use]
    pub fn of_process(pid: i32) -> Self {
        // While an `execve` is going on there is none for a moment.
        let mut contents = proc_files::read(pid, "environ", MAX_BYTES);
        for _ in 0..RETRIES {
            if contents.as_ref().is_ok_and(|read| read.bytes.is_empty()) {
                thread::sleep(PAUSE);
                contents = proc_files::read(pid, "environ", MAX_BYTES);
            }
        }
        match contents {
            Ok(Contents { bytes, is_cut }) => {
                let mut environment = Self::of_block(&bytes);
                if is_cut {
                    environment.problems.push(EnvironmentError::TooLong);
                }
                environment
            }
            Err(error) => Self {
                problems: vec![error.into()],
                ..Self::default()
            },
        }
    }

    /// From the `NAME=value` strings of a process, a zero byte behind each. A name's first one
    /// counts, as it does for C and Go.
    #[must_use]
    pub fn of_block(block: &[u8]) -> Self {
        let mut problems = Vec::new();
        // Empty is the same as not set, says OpenTelemetry.
        let value = |name: &[u8]| value(block, name).filter(|value| !value.is_empty());
        let mut attributes = BTreeMap::new();
        if let Some(text) = value(b"OTEL_RESOURCE_ATTRIBUTES") {
            match parse_attributes(text) {
                Ok(parsed) => attributes = parsed,
                Err(error) => problems.push(EnvironmentError::Attributes(error)),
            }
        }
        let mut name = attributes
            .remove("service.name")
            .filter(|name| !name.is_empty());
        match value(b"OTEL_SERVICE_NAME") {
            Some(text) if text.len() > MAX_NAME_BYTES => {
                problems.push(EnvironmentError::NameTooLong);
            }
            Some(text) => name = Some(String::from_utf8_lossy(text).into_owned()),
            None => {}
        }
        Self {
            service: Service { name, attributes },
            problems,
        }
    }
}

fn value<'a>(block: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    block
        .split(|&byte| byte == 0)
        .find_map(|variable| variable.strip_prefix(name)?.strip_prefix(b"="))
}

/// `key=value,key=value`: the W3C's Baggage header without its metadata, keys and values
/// percent-encoded. "In case of any error … the entire environment variable value SHOULD be discarded"
/// (<https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable>).
/// A part with nothing in it, as a comma at the end leaves one, is no error: libraries take it too.
fn parse_attributes(text: &[u8]) -> Result<BTreeMap<String, String>, AttributesError> {
    if text.len() > MAX_ATTRIBUTES_BYTES {
        return Err(AttributesError::TooMany);
    }
    let mut attributes = BTreeMap::new();
    for part in text.split(|&byte| byte == b',') {
        if part.trim_ascii().is_empty() {
            continue;
        }
        let equals = part.iter().position(|&byte| byte == b'=');
        let (key, value) = part.split_at(equals.ok_or(AttributesError::NoValue)?);
        let key = decoded(key.trim_ascii())?;
        if key.is_empty() {
            return Err(AttributesError::NoKey);
        }
        attributes.insert(key, decoded(value.get(1..).unwrap_or(&[]).trim_ascii())?);
        if attributes.len() > MAX_ATTRIBUTES {
            return Err(AttributesError::TooMany);
        }
    }
    Ok(attributes)
}

/// Without percent-encoding. What is not UTF-8 then becomes U+FFFD, as Baggage wants it
/// (<https://www.w3.org/TR/baggage/#value>).
fn decoded(text: &[u8]) -> Result<String, AttributesError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2).ok_or(AttributesError::Escape)?;
        // `from_str_radix` takes a sign too.
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(AttributesError::Escape);
        }
        let digits = std::str::from_utf8(digits).map_err(|_| AttributesError::Escape)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| AttributesError::Escape)?);
        rest = tail;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::running::Running;
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, String)>, AttributesError> {
        Ok(parse_attributes(text.as_bytes())?.into_iter().collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>, AttributesError> {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Ok(pairs.collect())
    }

    #[test]
    fn attributes() {
        assert_eq!(
            parsed("deployment.environment.name=prod,service.version=1.4"),
            pairs(&[
                ("deployment.environment.name", "prod"),
                ("service.version", "1.4")
            ])
        );
        assert_eq!(
            parsed(" a = b , c = d e "),
            pairs(&[("a", "b"), ("c", "d e")])
        );
        assert_eq!(
            parsed("k%2Cey=a%2cb%3Dc%20d%C3%A9"),
            pairs(&[("k,ey", "a,b=c d\u{e9}")])
        );
        assert_eq!(parsed("a=b=c"), pairs(&[("a", "b=c")]));
        assert_eq!(parsed("a=,"), pairs(&[("a", "")]));
        assert_eq!(parsed("a=1,a=2"), pairs(&[("a", "2")]));
        assert_eq!(parsed("a=%FF"), pairs(&[("a", "\u{fffd}")]));
        assert_eq!(parsed(",,"), pairs(&[]));
    }

    #[test]
    fn one_mistake_drops_all_of_them() {
        assert_eq!(parsed("a=b,c"), Err(AttributesError::NoValue));
        assert_eq!(parsed("a=b,=c"), Err(AttributesError::NoKey));
        for text in ["a=b,c=%", "a=%4", "a=%4g", "a=%+1", "%zz=1"] {
            assert_eq!(parsed(text), Err(AttributesError::Escape), "{text}");
        }
        let many: Vec<_> = (0..=MAX_ATTRIBUTES).map(|n| format!("k{n}=v")).collect();
        assert_eq!(parsed(&many.join(",")), Err(AttributesError::TooMany));
        let long = format!("a={}", "x".repeat(MAX_ATTRIBUTES_BYTES));
        assert_eq!(parsed(&long), Err(AttributesError::TooMany));
    }

    fn service(block: &[u8]) -> (Service, String) {
        let environment = Environment::of_block(block);
        let problems = environment.problems.iter().map(ToString::to_string);
        (environment.service, problems.collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn the_service() {
        let (found, _) = service(b"PATH=/bin\0OTEL_SERVICE_NAME=search\0HOME=/\0");
        assert_eq!(found.name.as_deref(), Some("search"));
        let both = b"OTEL_RESOURCE_ATTRIBUTES=service.name=a,x=y\0OTEL_SERVICE_NAME=b\0";
        let (found, _) = service(both);
        assert_eq!(found.name.as_deref(), Some("b"));
        assert_eq!(found.attributes, BTreeMap::from([("x".into(), "y".into())]));
        let (found, _) = service(b"OTEL_RESOURCE_ATTRIBUTES=service.name=a\0OTEL_SERVICE_NAME=\0");
        assert_eq!(found.name.as_deref(), Some("a"));
        // The first counts, and only a whole name.
        let (found, _) = service(b"XOTEL_SERVICE_NAME=x\0OTEL_SERVICE_NAME=a\0OTEL_SERVICE_NAME=b");
        assert_eq!(found.name.as_deref(), Some("a"));
        assert_eq!(service(b""), (Service::default(), String::new()));
    }

    #[test]
    fn problems_repeat_nothing_of_the_environment() {
        let block =
            b"TOKEN=hunter2\0OTEL_RESOURCE_ATTRIBUTES=password=hunter2,x\0OTEL_SERVICE_NAME=s\0";
        let (found, problems) = service(block);
        assert_eq!(found.name.as_deref(), Some("s"));
        assert!(found.attributes.is_empty());
        insta::assert_snapshot!(problems, @"its OTEL_RESOURCE_ATTRIBUTES is left out: a part of it has no `=`; as `key=value,key=value`, with other characters percent-encoded, it would count");
        let mut long = b"OTEL_SERVICE_NAME=".to_vec();
        long.extend([b'x'; MAX_NAME_BYTES + 1]);
        let (found, problems) = service(&long);
        assert_eq!(found.name, None);
        assert!(problems.contains("longer"), "{problems}");
    }

    #[test]
    fn of_a_running_process() {
        let process = Running::start(&[("OTEL_SERVICE_NAME", "sleeper")]);
        let pid = process.pid();
        let environment = Environment::of_process(pid);
        drop(process);
        assert_eq!(environment.service.name.as_deref(), Some("sleeper"));
        assert!(environment.problems.is_empty());
        let gone = Environment::of_process(pid);
        assert!(matches!(gone.problems[..], [EnvironmentError::Read(_)]));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(block in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Environment::of_block(&block);
            let mut attributes = b"OTEL_RESOURCE_ATTRIBUTES=".to_vec();
            attributes.extend(block);
            let _ = Environment::of_block(&attributes);
        }

        #[test]
        fn what_is_encoded_comes_back(key in "\\PC{1,20}", value in "\\PC{0,20}") {
            let encode = |text: &str| -> String {
                text.bytes().map(|byte| format!("%{byte:02X}")).collect()
            };
            let text = format!("{}={}", encode(&key), encode(&value));
            prop_assert_eq!(parsed(&text), Ok(vec![(key, value)]));
        }
    }
}
