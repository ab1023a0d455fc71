//! One object of JSON for what happened to a process, and for how it is: as `attach` writes them, with the
//! process and where it runs under `target`.

use serde::Serialize;

use super::{Identity, TargetEvent, TargetSample};
use crate::report::{Event, Status, timestamp};

#[derive(Serialize)]
struct EventLine<'a> {
    #[serde(flatten)]
    event: &'a Event,
    target: &'a Identity,
}

#[derive(Serialize)]
struct StatusLine<'a> {
    time: String,
    pid: i32,
    event: &'static str,
    #[serde(flatten)]
    status: &'a Status,
    target: &'a Identity,
}

impl TargetEvent {
    /// As one object of JSON, without the line's end.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        bytes(&EventLine {
            event: &self.event,
            target: &self.target,
        })
    }
}

impl TargetSample {
    /// Its `status` event as one object of JSON, without the line's end.
    #[must_use]
    pub fn status_json(&self) -> Vec<u8> {
        bytes(&StatusLine {
            time: timestamp(self.taken),
            pid: self.target.pid,
            event: "status",
            status: &self.status,
            target: &self.target,
        })
    }
}

fn bytes(line: &impl Serialize) -> Vec<u8> {
    // Plain data with text for keys: there is nothing in it that JSON cannot hold.
    serde_json::to_vec(line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::samples;
    use super::*;
    use crate::report::{EventKind, samples as events};

    #[test]
    fn an_event_is_attachs_with_its_target() {
        let event = events::event(EventKind::Leak(Box::new(events::leak())));
        let plain: Value = serde_json::to_value(&event).expect("plain data");
        let target = samples::identity();
        let line = TargetEvent { target, event }.to_json();
        let mut line: Value = serde_json::from_slice(&line).expect("JSON");
        let target = line.as_object_mut().and_then(|line| line.remove("target"));
        assert_eq!(line, plain);
        let target = target.expect("there is one");
        assert_eq!(target["pod"]["name"], "search-5d4f");
        assert_eq!(target["service"]["name"], "search");
    }

    #[test]
    fn a_status_is_attachs_with_its_target() {
        let sample = samples::target();
        let mut line: Value = serde_json::from_slice(&sample.status_json()).expect("JSON");
        let target = line.as_object_mut().and_then(|line| line.remove("target"));
        assert_eq!(target.expect("there is one")["pid"], 4321);
        let event = Event {
            time: timestamp(sample.taken),
            pid: 4321,
            kind: EventKind::Status(sample.status),
        };
        assert_eq!(line, serde_json::to_value(&event).expect("plain data"));
    }
}
