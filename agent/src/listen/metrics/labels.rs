//! Labels: who a metric is about. All text comes from targets.

use std::{borrow::Cow, collections::BTreeMap};

use crate::report::{
    Place, SiteName, harmless,
    node::{Identity, TargetSample},
};

/// A label.
pub(super) type Label<'a> = (&'static str, Cow<'a, str>);

/// Longest value, in bytes. Names that go on differ before that.
const MAX_VALUE: usize = 256;

/// `text` as a label's value: of bounded length, and without what a terminal would obey.
pub(super) fn value(text: &str) -> Cow<'_, str> {
    let text = harmless(text);
    if text.len() <= MAX_VALUE {
        return text;
    }
    let room = MAX_VALUE - '…'.len_utf8();
    let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= room;
    let kept = text.char_indices().take_while(fits).map(|(_, c)| c);
    Cow::Owned(kept.chain(['…']).collect())
}

/// Labels of all metrics of a target: enough to tell it from the others, and from who had its pid
/// before.
pub(super) fn of_target(target: &Identity) -> Vec<Label<'static>> {
    let mut labels = vec![
        ("pid", Cow::from(target.pid.to_string())),
        ("name", owned(&target.name)),
    ];
    let mut add = |name, text: Option<&String>| {
        labels.extend(text.map(|text| (name, owned(text))));
    };
    add("service", target.service.name.as_ref());
    let pod = target.pod.as_ref();
    add("namespace", pod.and_then(|pod| pod.namespace.as_ref()));
    add("pod", pod.and_then(|pod| pod.name.as_ref()));
    let container = target.container.as_ref();
    let name = container.and_then(|container| container.name.as_ref());
    add(
        "container",
        pod.and_then(|pod| pod.container.as_ref()).or(name),
    );
    labels
}

/// What else is known of who it is.
pub(super) fn identity(sample: &TargetSample) -> Vec<Label<'_>> {
    let target = &*sample.target;
    let process = &target.process;
    let mut labels = vec![
        ("exe", value(&process.exe)),
        ("go_version", value(&process.go_version)),
        ("architecture", value(&process.architecture)),
    ];
    let mut add = |name, text: Option<&'_ str>| {
        labels.extend(text.map(|text| (name, Cow::from(value(text).into_owned()))));
    };
    add("build_id", process.build_id.as_deref());
    add("main_module", process.main_module.as_deref());
    add("vcs_revision", process.vcs_revision.as_deref());
    add("cgroup", target.cgroup.as_deref());
    let container = target.container.as_ref();
    add(
        "container_id",
        container
            .map(|container| container.id.as_str())
            .or(process.container_id.as_deref()),
    );
    if let Some(container) = container {
        add("container_image", container.image.as_deref());
        add(
            "container_runtime",
            container.engine.map(|engine| engine.as_str()),
        );
    }
    if let Some(pod) = &target.pod {
        add("pod_uid", Some(&pod.uid));
        add("node", pod.node.as_deref());
    }
    let namespace_pid = target.namespace_pid.map(|pid| pid.to_string());
    add("namespace_pid", namespace_pid.as_deref());
    labels
}

/// Pod labels, by names that are allowed here.
pub(super) fn of_pod(target: &Identity) -> Vec<(String, String)> {
    let mut labels = BTreeMap::new();
    for (key, text) in target.pod.iter().flat_map(|pod| &pod.labels) {
        if labels.len() == MAX_POD_LABELS {
            break;
        }
        let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let key: String = key.chars().take(MAX_VALUE).map(allowed).collect();
        // Two that are the same by now: the first has it.
        labels
            .entry(format!("pod_label_{key}"))
            .or_insert_with(|| value(text).into_owned());
    }
    labels.into_iter().collect()
}

/// More are not told.
const MAX_POD_LABELS: usize = 32;

/// A creation site as labels: `site`, `start`, `file`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SiteLabels {
    site: String,
    start: String,
    file: Option<String>,
}

impl SiteLabels {
    pub(super) fn of(site: &SiteName) -> Self {
        let Place {
            function,
            file,
            line,
        } = &site.created_at;
        let function = value(function);
        Self {
            site: match line {
                Some(line) => format!("{function}:{line}"),
                None => function.into_owned(),
            },
            start: value(&site.start.function).into_owned(),
            file: file.as_deref().map(|file| value(file).into_owned()),
        }
    }

    /// Not one site, but the sum of some.
    pub(super) fn sum(name: &'static str) -> Self {
        Self {
            site: name.into(),
            start: String::new(),
            file: None,
        }
    }

    pub(super) fn labels(&self) -> Vec<Label<'_>> {
        let mut labels = vec![("site", Cow::from(&self.site))];
        if !self.start.is_empty() {
            labels.push(("start", Cow::from(&self.start)));
        }
        labels.extend(self.file.as_ref().map(|file| ("file", Cow::from(file))));
        labels
    }
}

fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(value(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_and_harmless() {
        assert_eq!(value("main.search"), "main.search");
        assert_eq!(value("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        let long = "ä".repeat(1000);
        let short = value(&long);
        assert!(short.len() <= MAX_VALUE && short.ends_with("ä…"), "{short}");
    }
}
