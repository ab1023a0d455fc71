use insta::assert_snapshot;

use super::*;

fn reason(text: &str) -> String {
    Config::parse(text).expect_err("it is wrong")
}

#[test]
fn an_empty_file_is_the_default() {
    let config = Config::parse("# nothing yet\n").expect("right");
    assert_eq!(config.suppressions, []);
    assert_eq!(config.node, NodeConfig::default());
    assert_eq!(config.listen, ListenConfig::default());
    assert_eq!(config.exports, ExportConfig::default());
}

#[test]
fn the_example_says_what_the_defaults_are() {
    let example = Config::example();
    let config = Config::parse(&example).expect("right");
    assert_eq!(config.node, NodeConfig::default());
    assert_eq!(config.listen, ListenConfig::default());
    assert_eq!(config.suppressions, []);
    // Each key of each section, without the marks, is right too.
    let keys = without_marks(&example);
    let all = Config::parse(&keys).unwrap_or_else(|error| panic!("{error}\n{keys}"));
    assert_eq!(all.node, NodeConfig::default());
    assert_eq!(all.suppressions.len(), 1);
    assert_eq!(all.exports.webhooks.len(), 1);
}

/// Keys and tables that are commented out are not any more.
fn without_marks(example: &str) -> String {
    let is_marked = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let lines = example.lines().map(|line| match is_marked(line) {
        true => &line[1..],
        false => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn suppressions_are_read() {
    let text = r#"
        [[suppress]]
        site = "main.poll"
        reason = "ends with the process"

        [[suppress]]
        package = "github.com/acme/legacy/..."
        label = "job=report=daily"
        reason = "goes away in spring"
    "#;
    let config = Config::parse(text).expect("right");
    let [poll, legacy] = &config.suppressions[..] else {
        panic!("two");
    };
    assert_eq!(poll.site.as_deref(), Some("main.poll"));
    assert_eq!(legacy.label, Some(("job".into(), "report=daily".into())));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let wrong = [
        "[[suppress]]\nsite = 7\nreason = \"r\"\n",
        "[[suppress]]\nsiet = \"a\"\nreason = \"r\"\n",
        "[[suppress]]\nsite = \"a\"\n",
        "[[suppress]]\nreason = \"r\"\n",
        "[[suppress]]\nsite = \"a\"\nreason = \" \"\n",
        "[[suppress]]\nsite = \"\"\nreason = \"r\"\n",
        "[[suppress]]\nlabel = \"a\"\nreason = \"r\"\n",
        "\nsuppress = [\n",
        "[node]\nbudget = \"2\"\n",
        "[node]\nprobes = true\nmemory = \"1MB\"\n",
        "[node]\ninterval = 5\n",
        "[nod]\n",
    ];
    assert_snapshot!(wrong.map(reason).join("\n"), @r"
    line 2: suppress.site: invalid type: integer `7`, expected a string
    line 2: suppress.siet: unknown field `siet`, expected one of `site`, `package`, `label`, `reason`
    line 1: missing field `reason`
    line 1: suppress: say what to suppress: site, package or label
    line 1: suppress: reason: say why, it is shown with what is suppressed
    line 1: suppress: an empty name fits nothing
    line 1: suppress: label: write NAME=VALUE
    line 2: suppress: unclosed array, expected `]`
    line 2: node.budget: a share of one core is wanted, such as 2%, or `unlimited`
    line 3: node.memory: 64MB is the least
    line 2: node.interval: invalid type: integer `5`, expected a string
    line 1: unknown field `nod`, expected one of `suppress`, `node`, `watch`, `ignore`, `kubernetes`, `otlp`, `webhook`, `stdout`, `listen`
    ");
}

#[test]
fn a_file_that_is_not_there_is_an_error_only_if_it_was_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("gostray.toml");
    let error = Config::read(&missing).expect_err("it is not there");
    assert!(error.to_string().contains("gostray.toml"), "{error}");
}
