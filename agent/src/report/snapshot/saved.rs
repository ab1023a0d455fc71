//! A snapshot that was written as JSON, read back.

use serde::de::IgnoredAny;
use thiserror::Error;

use super::Snapshot;

/// Why bytes are no saved snapshot.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SavedError {
    /// Something else, or cut off.
    #[error("not JSON ({0}); `gostray snapshot PID --format json` writes what can be compared")]
    NotJson(serde_json::Error),
    /// JSON of something else.
    #[error("JSON, but no snapshot of gostray ({0})")]
    NotSnapshot(serde_json::Error),
}

impl Snapshot {
    /// Reads what was written as JSON, also by an older gostray.
    ///
    /// # Errors
    /// It is something else.
    pub fn from_json(bytes: &[u8]) -> Result<Self, SavedError> {
        serde_json::from_slice(bytes).map_err(|error| {
            // Text that begins with a number is found to be no snapshot before it is found to be
            // no JSON.
            match serde_json::from_slice::<IgnoredAny>(bytes) {
                Ok(_) => SavedError::NotSnapshot(error),
                Err(error) => SavedError::NotJson(error),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::snapshot::samples::everything;

    #[test]
    fn nothing_is_lost() {
        let mut snapshot = everything();
        let unknown = &mut snapshot.groups[0].unknown;
        unknown.insert("labels", "there are none".into());
        unknown.insert("start", "differs".into());
        let json = serde_json::to_value(&snapshot).unwrap();
        let read = Snapshot::from_json(json.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), json);
    }

    #[test]
    fn each_reason_is_read_back() {
        // All fields that can be null, as a program sees them.
        let mut snapshot = everything();
        snapshot.groups.truncate(1);
        let group = serde_json::to_value(&snapshot.groups[0]).unwrap();
        let nullable = [
            "start",
            "parent_goids",
            "wait_reason",
            "stack",
            "created_at",
        ];
        let nulls = group
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, v)| v.is_null());
        let fields: Vec<&str> = nulls.map(|(k, _)| &**k).chain(nullable).collect();
        let mut json = serde_json::to_value(&snapshot).unwrap();
        for field in &fields {
            json["groups"][0]["unknown"][field] = "a reason".into();
        }
        let read = Snapshot::from_json(json.to_string().as_bytes()).unwrap();
        for field in fields {
            assert!(read.groups[0].unknown.contains_key(field), "{field}");
        }
    }

    #[test]
    fn what_an_older_gostray_wrote() {
        let mut json = serde_json::to_value(everything()).unwrap();
        for group in json["groups"].as_array_mut().unwrap() {
            let group = group.as_object_mut().unwrap();
            for new in [
                "age_seconds",
                "waits_on",
                "locked_to_thread",
                "parent_goids",
            ] {
                group.remove(new);
            }
        }
        assert!(Snapshot::from_json(json.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn something_else() {
        for text in [
            "",
            "54 goroutines in 2 groups",
            "{\"process\":",
            "\u{1f}\u{8b}",
        ] {
            let error = Snapshot::from_json(text.as_bytes()).unwrap_err();
            assert!(matches!(error, SavedError::NotJson(_)), "{error}");
        }
        for text in ["[]", "3", "{\"event\": \"attached\"}"] {
            let error = Snapshot::from_json(text.as_bytes()).unwrap_err();
            assert!(matches!(error, SavedError::NotSnapshot(_)), "{error}");
        }
    }
}
