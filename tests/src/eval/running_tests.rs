use std::process::Command;

use super::*;

/// Says it is ready, and ends with its input.
const PROGRAM: &str = "echo READY x; exec cat >/dev/null";
/// Says something all the time until it is interrupted.
const AGENT: &str = r#"trap 'exit 0' INT; while :; do echo '{"event":"status"}'; sleep 0.05; done"#;
const LEAK: &str = r#"{"event":"leak","verdict":"likely","pattern":"mutex","site":{"created_at":{"function":"f","file":"zoo/a.go","line":7}}}"#;

/// What comes of a program and an agent that are shell scripts.
fn record_scripts(program: &str, agent: &str) -> Recording {
    let scenario = Scenario {
        name: "some".to_owned(),
        about: String::new(),
        leaks: Vec::new(),
        trouble: None,
    };
    let plan = Plan {
        healthy: Duration::from_millis(500),
        leaking: Duration::from_millis(500),
        events: None,
        budget: "1%",
    };
    let mut target = Target::start(Path::new("/bin/sh"), &["-c", program], &[]).unwrap();
    // A shell cannot trap what is ignored when it starts, as in the background of another one.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", "/bin/sh", "-c", agent]);
    let agent = Agent::spawn(command).unwrap();
    let mut recording = Recording::without(Ending::Complete);
    let heard = listen(&agent, &scenario, &plan, &mut recording.sightings);
    recording.ending = ending(heard, agent, &mut target, &mut recording.sightings);
    recording
}

#[test]
fn an_agent_that_speaks_until_it_is_stopped_makes_a_whole_recording() {
    let whole = record_scripts(PROGRAM, &format!("echo '{LEAK}'; {AGENT}"));
    assert_eq!(whole.ending, Ending::Complete);
    assert_eq!(whole.sightings.len(), 1);
}

#[test]
fn what_is_said_while_it_is_being_stopped_counts() {
    let late = AGENT.replace(
        "exit 0",
        &format!("echo {}; exit 0", LEAK.replace('"', "\\\"")),
    );
    let whole = record_scripts(PROGRAM, &late);
    assert_eq!(whole.ending, Ending::Complete);
    assert_eq!(whole.sightings.len(), 1);
}

#[test]
fn an_agent_that_ends_by_itself_is_told_with_what_it_said() {
    let ended = record_scripts(
        PROGRAM,
        "echo '{\"event\":\"attached\"}'; echo no room >&2; exit 1",
    );
    let Ending::AgentEnded(how) = ended.ending else {
        panic!("{ended:?}");
    };
    assert!(how.contains("Some(1)") && how.contains("no room"), "{how}");
    // Even where it says that all is well.
    let content = record_scripts(PROGRAM, "exit 0");
    assert!(
        matches!(content.ending, Ending::AgentEnded(_)),
        "{content:?}"
    );
}

#[test]
fn an_agent_that_fails_when_it_is_stopped_is_told() {
    let failed = record_scripts(PROGRAM, &AGENT.replace("exit 0", "exit 1"));
    assert!(matches!(failed.ending, Ending::AgentEnded(_)), "{failed:?}");
}

#[test]
fn a_program_that_died_is_told_whatever_the_agent_does_then() {
    for agent in [AGENT, "sleep 0.2"] {
        let died = record_scripts("echo READY x; exit 3", agent);
        let Ending::ProgramDied(how) = &died.ending else {
            panic!("{died:?}");
        };
        assert!(how.contains('3'), "{how}");
    }
}

#[test]
fn what_is_not_understood_is_told() {
    for line in ["panicked at", r#"{"event":"leak"}"#] {
        let unclear = record_scripts(PROGRAM, &format!("echo '{line}'; {AGENT}"));
        assert!(
            matches!(unclear.ending, Ending::AgentUnclear(_)),
            "{unclear:?}"
        );
    }
}
