use insta::assert_snapshot;

use super::*;

fn reason(text: &str) -> String {
    Config::parse(text).expect_err("it is wrong")
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(Config::parse("# nothing yet\n"), Ok(Config::default()));
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
    line 1: unknown field `nod`, expected `suppress` or `node`
    ");
}

#[test]
fn a_file_that_is_not_there_is_an_error_only_if_it_was_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("gostray.toml");
    let error = Config::read(&missing).expect_err("it is not there");
    assert!(error.to_string().contains("gostray.toml"), "{error}");
}
