//! A name may come; none may go or change.

use serde_json::{Value, to_value};

use crate::report::proof::samples::{beginnings, proof, why};

#[track_caller]
fn has(object: &Value, names: &[&str]) {
    for name in names {
        assert!(object.get(name).is_some(), "no {name} in {object}");
    }
}

#[test]
fn a_proof_has_the_contracts_names() {
    let proof = to_value(proof()).unwrap();
    has(
        &proof,
        &[
            "process",
            "pid",
            "taken_at",
            "passes",
            "found_later",
            "goroutines",
            "candidates",
            "leaked",
            "shared",
            "unproven",
            "heap",
            "precision",
            "duration_seconds",
            "agent_cpu_seconds",
            "defects",
            "unknown",
        ],
    );
    assert!(proof["passes"].is_u64() && proof["candidates"].is_u64());
    has(&proof["shared"], &["bytes", "objects", "groups"]);
    has(
        &proof["heap"],
        &[
            "bytes",
            "objects",
            "spans",
            "reached_objects",
            "reached_bytes",
        ],
    );
    has(
        &proof["precision"],
        &["precise_stacks", "conservative_stacks", "conservative"],
    );
    assert_eq!(proof["defects"]["its memory is not mapped"], 2);
}

#[test]
fn leaked_groups_have_the_contracts_names() {
    let proof = to_value(proof()).unwrap();
    for group in proof["leaked"].as_array().unwrap() {
        has(
            group,
            &[
                "count",
                "wait_reason",
                "created_at",
                "start",
                "stack",
                "blocked_at",
                "waits_on",
                "retained_bytes",
                "retained_objects",
                "shared_bytes",
                "stack_bytes",
                "oldest_seconds",
                "labels",
                "goids",
                "proof",
                "unknown",
            ],
        );
        has(&group["created_at"], &["function", "file", "line"]);
        if group["stack"].is_null() {
            assert!(group["unknown"]["stack"].is_string(), "{group}");
        }
    }
    let grounds: Vec<&str> = proof["leaked"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["proof"].as_str().unwrap())
        .collect();
    assert_eq!(grounds, ["nil_channel", "runtime", "unreachable"]);
    assert_eq!(proof["leaked"][2]["waits_on"][0]["kind"], "channel");
}

#[test]
fn unproven_groups_have_the_contracts_names() {
    let proof = to_value(proof()).unwrap();
    let reasons: Vec<&Value> = proof["unproven"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            has(
                group,
                &[
                    "count",
                    "wait_reason",
                    "created_at",
                    "start",
                    "stack",
                    "blocked_at",
                    "oldest_seconds",
                    "goids",
                    "reason",
                    "sentence",
                    "unknown",
                ],
            );
            &group["reason"]
        })
        .collect();
    assert_eq!(reasons, ["ran", "reachable"]);
}

#[test]
fn a_way_has_the_contracts_names() {
    let value = to_value(why()).unwrap();
    has(
        &value,
        &[
            "process",
            "pid",
            "taken_at",
            "goid",
            "state",
            "wait_reason",
            "created_at",
            "start",
            "stack",
            "oldest_seconds",
            "verdict",
            "sentence",
            "path",
            "unknown",
        ],
    );
    assert_eq!(value["verdict"], "reachable");
    insta::assert_snapshot!(lines(&value["path"]), @r#"
    {"address":"0x5a2c40","kind":"global","module":null,"name":"main.registry","section":"bss"}
    {"address":"0xc000040000","kind":"object","offset_bytes":24,"size_bytes":64,"type":"main.session"}
    {"address":"0xc000042000","kind":"object","offset_bytes":20,"size_bytes":1024,"type":null}
    {"address":"0xc000123abc","capacity":3,"kind":"channel","length":0}
    {"address":"0xc00005ff48","frame":{"file":"/src/session.go","function":"main.(*session).loop","line":88},"goid":34,"kind":"goroutine","state":"waiting"}
    {"address":"0xc000123456","capacity":3,"kind":"channel","length":0}
    "#);
    insta::assert_snapshot!(lines(&to_value(beginnings()).unwrap()), @r#"
    {"address":"0x7f1200004010","kind":"global","module":"/srv/app/plugin.so","name":null,"section":"data"}
    {"address":"0xc000080010","frame":null,"goid":7,"kind":"goroutine","state":"running"}
    {"address":"0xc000080010","kind":"timer"}
    {"address":"0xc000080010","kind":"finalizer"}
    {"address":"0xc000080010","kind":"runtime","what":"a defer record"}
    {"address":"0xc000080010","kind":"object","offset_bytes":null,"size_bytes":96,"type":null}
    "#);
}

/// One step a line.
fn lines(path: &Value) -> String {
    let steps = path.as_array().unwrap().iter();
    steps.map(|step| format!("{step}\n")).collect()
}
