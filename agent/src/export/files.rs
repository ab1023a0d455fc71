//! Files that the sections name: headers, certificates, keys.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{ExportError, Secret};

/// Larger ones are a mistake.
const MAX_BYTES: u64 = 1 << 20;

/// Whom to trust, and who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tls {
    /// Certificates in PEM; the system's where there are none.
    pub(super) ca: Option<String>,
    pub(super) identity: Option<Identity>,
}

/// A certificate and its key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: Secret,
}

/// Headers with secret values, by their names in lower case.
pub(super) type Headers = BTreeMap<String, Secret>;

/// Reads what `key` of a section names.
pub(super) fn read(
    section: &'static str,
    key: &'static str,
    path: &Path,
) -> Result<String, ExportError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    let read = read.and_then(|bytes| match bytes as u64 {
        0..=MAX_BYTES => Ok(()),
        _ => Err(io::Error::other("it has more than a mebibyte")),
    });
    read.map_err(|source| ExportError::File {
        section,
        key,
        path: path.to_owned(),
        source,
    })?;
    Ok(text)
}

/// The headers of a section, those of its file first.
pub(super) fn headers(
    section: &'static str,
    stated: &Headers,
    file: Option<&PathBuf>,
) -> Result<Headers, ExportError> {
    let mut all = Headers::new();
    if let Some(path) = file {
        let text = read(section, "headers_file", path)?;
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| ExportError::Value {
                section,
                key: "headers_file".into(),
                reason: format!("line {number} is no header: write NAME: VALUE"),
            })?;
            all.insert(name.trim().to_lowercase(), Secret::new(value.trim()));
        }
    }
    for (name, value) in stated {
        all.insert(name.to_lowercase(), value.clone());
    }
    // Whether they can be sent at all is found out now, not at the first leak.
    header_map(section, &all)?;
    Ok(all)
}

/// As reqwest and tonic take them; values are marked as not to be shown.
pub(super) fn header_map(
    section: &'static str,
    headers: &Headers,
) -> Result<HeaderMap, ExportError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let wrong = |what: &str| ExportError::Value {
            section,
            key: "headers".into(),
            reason: format!("{what} of `{}`", super::words::printable(name, 60)),
        };
        let key = HeaderName::try_from(name.as_str());
        let key = key.map_err(|_| wrong("a header cannot have the name"))?;
        let value = HeaderValue::try_from(value.reveal());
        let mut value = value.map_err(|_| wrong("a header cannot have the value"))?;
        value.set_sensitive(true);
        map.insert(key, value);
    }
    Ok(map)
}

/// Certificates and key of a section.
pub(super) fn tls(
    section: &'static str,
    ca: Option<&PathBuf>,
    certificate: Option<&PathBuf>,
    key: Option<&PathBuf>,
) -> Result<Tls, ExportError> {
    let ca = ca.map(|path| read(section, "ca_file", path)).transpose()?;
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Identity {
            certificate: read(section, "certificate_file", certificate)?,
            key: Secret::new(read(section, "key_file", key)?),
        }),
        (None, None) => None,
        (certificate, _) => {
            let (key, other) = match certificate {
                Some(_) => ("certificate_file", "key_file"),
                None => ("key_file", "certificate_file"),
            };
            return Err(ExportError::Value {
                section,
                key: key.into(),
                reason: format!("it needs {other} with it"),
            });
        }
    };
    Ok(Tls { ca, identity })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_from_a_file_and_the_section_which_wins() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(
            file.path(),
            "# ours\nX-A: from file\n\nAuthorization: Bearer t:1\n",
        )
        .expect("written");
        let stated = Headers::from([("x-a".into(), Secret::new("stated"))]);
        let path = file.path().to_owned();
        let all = headers("otlp", &stated, Some(&path)).expect("right");
        let values: Vec<_> = all.iter().map(|(k, v)| (k.as_str(), v.reveal())).collect();
        assert_eq!(values, [("authorization", "Bearer t:1"), ("x-a", "stated")]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_what_is_in_it() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "hunter2\n").expect("written");
        let path = file.path().to_owned();
        let error = headers("otlp", &Headers::new(), Some(&path)).expect_err("no header");
        assert_eq!(
            error.to_string(),
            "[otlp] headers_file: line 1 is no header: write NAME: VALUE"
        );
        let stated = Headers::from([("a".into(), Secret::new("hunter2\n"))]);
        let error = headers("webhook", &stated, None).expect_err("two lines");
        assert_eq!(
            error.to_string(),
            "[webhook] headers: a header cannot have the value of `a`"
        );
        let error = tls("otlp", None, Some(&path), None).expect_err("no key");
        assert_eq!(
            error.to_string(),
            "[otlp] certificate_file: it needs key_file with it"
        );
    }
}
