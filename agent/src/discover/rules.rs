//! Which Go programs are watched: what a node's configuration says of them.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

use crate::report::node::Identity;

/// `[[watch]]` and `[[ignore]]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RulesConfig {
    /// `[[watch]]`: without any, every Go program is watched.
    pub watch: RuleList,
    /// `[[ignore]]`: has the last word.
    pub ignore: RuleList,
}

impl RulesConfig {
    /// The tables with all their keys.
    pub const EXAMPLE: &str = r#"# Which Go programs are watched: those that one of these tables fits. Without any [[watch]], all are.
# All keys of a table have to fit. Values are patterns: * stands for anything but a slash, ** for
# anything, ? for one character, [a-z] for one of several, {a,b} for one or the other.
#[[watch]]
# The command name (as ps shows it, at most 15 bytes), or the last part of the executable's path.
#name = "server*"
# The executable's path, as the process itself names it.
#exe = "/usr/local/bin/**"
# The path of the main module.
#module = "example.com/shop/**"
# The path of the cgroup.
#cgroup = "/system.slice/**"
# The container's id, or its name where Kubernetes tells it.
#container = "search"
# The container's image, where Kubernetes tells it.
#image = "registry.example.com/shop/**"
# The pod's namespace, where it is known.
#namespace = "shop"
# A label of the pod where Kubernetes tells it, or an attribute of the service (OTEL_RESOURCE_ATTRIBUTES,
# and service.name); only the value is a pattern.
#label = "app=search"

# Which are left alone all the same; the same keys.
#[[ignore]]
#name = "kubelet"
"#;
}

/// Rules of one kind, in the order of the file. At most 256.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<Rule>")]
pub struct RuleList(Vec<Rule>);

impl TryFrom<Vec<Rule>> for RuleList {
    type Error = &'static str;

    fn try_from(rules: Vec<Rule>) -> Result<Self, Self::Error> {
        match rules.len() {
            0..=256 => Ok(Self(rules)),
            _ => {
                Err("there are more than 256 of these tables; patterns like {a,b} say more in one")
            }
        }
    }
}

/// One table: all that is given has to fit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Table")]
pub struct Rule(Table);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Table {
    name: Option<Pattern>,
    exe: Option<Pattern>,
    module: Option<Pattern>,
    cgroup: Option<Pattern>,
    container: Option<Pattern>,
    image: Option<Pattern>,
    namespace: Option<Pattern>,
    label: Option<Label>,
}

impl TryFrom<Table> for Rule {
    type Error = &'static str;

    fn try_from(table: Table) -> Result<Self, Self::Error> {
        if table.keys().next().is_none() {
            return Err(
                "say which programs it is about: name, exe, module, cgroup, container, image, \
                 namespace or label (name = \"*\" is all)",
            );
        }
        Ok(Self(table))
    }
}

impl Table {
    fn patterns(&self) -> [(&'static str, Option<&Pattern>); 7] {
        [
            ("name", self.name.as_ref()),
            ("exe", self.exe.as_ref()),
            ("module", self.module.as_ref()),
            ("cgroup", self.cgroup.as_ref()),
            ("container", self.container.as_ref()),
            ("image", self.image.as_ref()),
            ("namespace", self.namespace.as_ref()),
        ]
    }

    /// What is given, as in the file.
    fn keys(&self) -> impl Iterator<Item = (&'static str, String)> {
        let patterns = self.patterns().into_iter();
        let patterns =
            patterns.filter_map(|(key, pattern)| Some((key, pattern?.text().to_owned())));
        let label = self.label.iter().map(|label| {
            let text = format!("{}={}", label.name, label.value.text());
            ("label", text)
        });
        patterns.chain(label).collect::<Vec<_>>().into_iter()
    }
}

impl Rule {
    fn fits(&self, identity: &Identity) -> bool {
        let table = &self.0;
        let patterns = table.patterns().into_iter();
        let mut given = patterns.filter_map(|(key, pattern)| Some((key, pattern?)));
        given.all(|(key, pattern)| values(key, identity).any(|value| pattern.fits(value)))
            && table
                .label
                .as_ref()
                .is_none_or(|label| label.fits(identity))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, text)) in self.0.keys().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            // From the configuration, but who reads it may be at a terminal all the same.
            write!(f, "{comma}{key} = {text:?}")?;
        }
        Ok(())
    }
}

/// What of a program a key is about; nothing where it is not known.
fn values<'a>(key: &str, identity: &'a Identity) -> impl Iterator<Item = &'a str> {
    let exe = identity.process.exe.as_str();
    let exe = exe.strip_suffix(" (deleted)").unwrap_or(exe);
    let container = identity.container.as_ref();
    let pod = identity.pod.as_ref();
    let two: [Option<&str>; 2] = match key {
        "name" => [Some(&identity.name), exe.rsplit('/').next()],
        "exe" => [Some(exe), None],
        "module" => [identity.process.main_module.as_deref(), None],
        "cgroup" => [identity.cgroup.as_deref(), None],
        "container" => [
            container.map(|container| container.id.as_str()),
            container.and_then(|container| container.name.as_deref()),
        ],
        "image" => [
            container.and_then(|container| container.image.as_deref()),
            None,
        ],
        "namespace" => [pod.and_then(|pod| pod.namespace.as_deref()), None],
        _ => [None, None],
    };
    two.into_iter().flatten()
}

/// `key=value`, of which the value is a pattern.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Label {
    name: String,
    value: Pattern,
}

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                value: Pattern::new(value)?,
            }),
            _ => Err("write it as \"key=value\"".to_owned()),
        }
    }
}

impl Label {
    fn fits(&self, identity: &Identity) -> bool {
        let of_pod = identity
            .pod
            .as_ref()
            .and_then(|pod| pod.labels.get(&self.name));
        let of_service = match self.name.as_str() {
            "service.name" => identity.service.name.as_ref(),
            name => identity.service.attributes.get(name),
        };
        let mut values = [of_pod, of_service].into_iter().flatten();
        values.any(|value| self.value.fits(value))
    }
}

/// A glob, compiled.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Pattern(GlobMatcher);

impl Pattern {
    /// Longer ones are a mistake, and take long to compile.
    const MAX_BYTES: usize = 1024;

    fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty pattern fits nothing".to_owned());
        }
        if text.len() > Self::MAX_BYTES {
            return Err(format!("a pattern has at most {} bytes", Self::MAX_BYTES));
        }
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        let glob = glob.map_err(|error| format!("{text:?} is no pattern: {}", error.kind()))?;
        Ok(Self(glob.compile_matcher()))
    }

    fn text(&self) -> &str {
        self.0.glob().glob()
    }

    fn fits(&self, value: &str) -> bool {
        self.0.is_match(value)
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

/// What becomes of a Go program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is watched.
    Watch,
    /// It is not.
    LeaveAlone {
        /// Because of which rule, in words.
        rule: String,
    },
}

/// Which programs are watched.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    watch: Vec<Rule>,
    ignore: Vec<Rule>,
}

impl Rules {
    /// As configured.
    #[must_use]
    pub fn new(config: RulesConfig) -> Self {
        Self {
            watch: config.watch.0,
            ignore: config.ignore.0,
        }
    }

    /// Whether this program is watched. Another answer may come out once more is known of it: names
    /// and labels of pods may come late.
    #[must_use]
    pub fn decide(&self, identity: &Identity) -> Decision {
        let mut ignore = self.ignore.iter();
        if let Some(rule) = ignore.find(|rule| rule.fits(identity)) {
            return Decision::LeaveAlone {
                rule: format!("[[ignore]] with {rule}"),
            };
        }
        if self.watch.is_empty() || self.watch.iter().any(|rule| rule.fits(identity)) {
            return Decision::Watch;
        }
        Decision::LeaveAlone {
            rule: "no [[watch]] fits".to_owned(),
        }
    }

    /// The same of a program whose executable nobody has looked into, which is most of the work; `None` where that
    /// has to be done first, because a rule asks for the module.
    #[must_use]
    pub fn decide_unexamined(&self, identity: &Identity) -> Option<Decision> {
        let mut all = self.watch.iter().chain(&self.ignore);
        let asks = all.any(|rule| rule.0.module.is_some());
        (!asks).then(|| self.decide(identity))
    }
}

#[cfg(test)]
mod tests;
