use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::report::{ProcessInfo, node::samples};

/// What is decided of the sample's program: `server` of the module of the samples, container `search`
/// of image `example.com/search:1.4` in namespace `shop`, label `app=search`.
fn decided(text: &str) -> String {
    let config: RulesConfig = toml::from_str(text).expect("it is right");
    match Rules::new(config).decide(&samples::identity()) {
        Decision::Watch => "watched".to_owned(),
        Decision::LeaveAlone { rule } => rule,
    }
}

fn watches(rule: &str) -> bool {
    decided(&format!("[[watch]]\n{rule}\n")) == "watched"
}

#[test]
fn without_rules_everything_is_watched() {
    assert_eq!(decided(""), "watched");
}

#[test]
fn each_key_fits_what_it_is_about() {
    let identity = samples::identity();
    let exe = identity.process.exe.clone();
    let module = identity.process.main_module.clone().expect("it has one");
    for rule in [
        "name = 'server'".to_owned(),
        "name = 's?rv[a-e]*'".to_owned(),
        "name = '{client,server}'".to_owned(),
        format!("name = '{}'", exe.rsplit('/').next().expect("a name")),
        format!("exe = '{exe}'"),
        "exe = '/**'".to_owned(),
        format!("module = '{module}'"),
        "cgroup = '/kubepods.slice/**'".to_owned(),
        "cgroup = '**/cri-containerd-*.scope'".to_owned(),
        "container = 'search'".to_owned(),
        "container = '0123456789abcdef*'".to_owned(),
        "image = 'example.com/search:*'".to_owned(),
        "namespace = 'shop'".to_owned(),
        "label = 'app=search'".to_owned(),
        "label = 'app=*'".to_owned(),
        "label = 'service.name=search'".to_owned(),
        "label = 'deployment.environment.name=prod'".to_owned(),
        "name = 'server'\nnamespace = 'shop'\nlabel = 'app=search'".to_owned(),
    ] {
        assert!(watches(&rule), "{rule}");
    }
    for rule in [
        "name = 'serv'",
        "name = 'Server'",
        "exe = '/*'",
        "exe = 'server'",
        "module = 'nothing'",
        "cgroup = '/kubepods.slice/*'",
        "container = 'sear'",
        "image = '*'",
        "namespace = 'sho'",
        "label = 'app=other'",
        "label = 'App=search'",
        "label = 'tier=*'",
        "name = 'server'\nnamespace = 'other'",
        "name = 'server'\nlabel = 'app=other'",
    ] {
        assert!(!watches(rule), "{rule}");
    }
}

#[test]
fn what_is_not_known_fits_no_pattern() {
    let mut identity = (*samples::identity()).clone();
    identity.container = None;
    identity.pod = None;
    identity.cgroup = None;
    for rule in [
        "container = '**'",
        "image = '**'",
        "namespace = '**'",
        "cgroup = '**'",
        "label = 'app=**'",
    ] {
        let text = format!("[[watch]]\n{rule}\n");
        let rules = Rules::new(toml::from_str(&text).expect("it is right"));
        assert_ne!(rules.decide(&identity), Decision::Watch, "{rule}");
    }
}

#[test]
fn a_deleted_executable_has_its_old_name() {
    let mut identity = (*samples::identity()).clone();
    identity.process.exe = "/opt/app/daemon (deleted)".into();
    for rule in ["exe = '/opt/app/daemon'", "name = 'daemon'"] {
        let text = format!("[[watch]]\n{rule}\n");
        let rules = Rules::new(toml::from_str(&text).expect("it is right"));
        assert_eq!(rules.decide(&identity), Decision::Watch, "{rule}");
    }
}

#[test]
fn to_be_left_alone_has_the_last_word() {
    assert_snapshot!(
        decided("[[watch]]\nname = '*'\n[[ignore]]\nname = 'other'\n[[ignore]]\nnamespace = 'shop'\nlabel = 'app=s*'"),
        @r#"[[ignore]] with namespace = "shop", label = "app=s*""#
    );
    assert_snapshot!(decided("[[ignore]]\nname = 'server'"), @r#"[[ignore]] with name = "server""#);
    assert_snapshot!(decided("[[watch]]\nname = 'x'\n[[watch]]\nname = 'y'"), @"no [[watch]] fits");
    assert_eq!(
        decided("[[watch]]\nname = 'x'\n[[watch]]\nname = 'server'"),
        "watched"
    );
}

/// What is decided of a program that nobody has looked into.
fn decided_unexamined(text: &str) -> Option<Decision> {
    let config: RulesConfig = toml::from_str(text).expect("rules");
    let known = samples::identity();
    let exe = known.process.exe.clone();
    let identity = Identity {
        process: ProcessInfo::unexamined(exe, None),
        ..(*known).clone()
    };
    Rules::new(config).decide_unexamined(&identity)
}

#[test]
fn only_for_its_module_a_program_has_to_be_looked_into() {
    let other = "[[watch]]\nname = \"none-of-these\"\n";
    let left_alone = decided_unexamined(other);
    assert!(matches!(left_alone, Some(Decision::LeaveAlone { .. })));
    assert!(matches!(decided_unexamined(""), Some(Decision::Watch)));
    for table in ["watch", "ignore"] {
        let module = format!("{other}[[{table}]]\nmodule = \"example.com/**\"\n");
        assert!(decided_unexamined(&module).is_none());
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let wrong = [
        "[[watch]]\n",
        "[[watch]]\nname = ''\n",
        "\n[[ignore]]\nname = 'a'\nexe = 7\n",
        "[[watch]]\nname = 'a'\nnmae = 'b'\n",
        "[[watch]]\nname = '[a'\n",
        "[[watch]]\nname = '{a'\n",
        "[[watch]]\nlabel = 'app'\n",
        "[[watch]]\nlabel = '=x'\n",
        "[watch]\nname = 'a'\n",
    ];
    let said = wrong.map(|text| {
        let error = toml::from_str::<RulesConfig>(text).expect_err("it is wrong");
        let span = error.span().expect("a place");
        let line = text[..span.start].matches('\n').count() + 1;
        format!("line {line}: {}", error.message())
    });
    assert_snapshot!(said.join("\n"), @r#"
    line 1: say which programs it is about: name, exe, module, cgroup, container, image, namespace or label (name = "*" is all)
    line 2: an empty pattern fits nothing
    line 4: invalid type: integer `7`, expected a string
    line 3: unknown field `nmae`, expected one of `name`, `exe`, `module`, `cgroup`, `container`, `image`, `namespace`, `label`
    line 2: "[a" is no pattern: unclosed character class; missing ']'
    line 2: "{a" is no pattern: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
    line 2: write it as "key=value"
    line 2: write it as "key=value"
    line 1: invalid type: map, expected a sequence
    "#);
    let long = format!("[[watch]]\nname = '{}'\n", "x".repeat(1025));
    assert!(toml::from_str::<RulesConfig>(&long).is_err());
    let many = "[[watch]]\nname = 'a'\n".repeat(257);
    assert!(toml::from_str::<RulesConfig>(&many).is_err());
}

#[test]
fn the_example_without_its_marks_is_right() {
    let is_key =
        |line: &&str| line.starts_with("#[") || line.starts_with('#') && !line.starts_with("# ");
    let keys = RulesConfig::EXAMPLE.lines().filter(is_key);
    let text: String = keys.map(|line| format!("{}\n", &line[1..])).collect();
    let config: RulesConfig = toml::from_str(&text).expect("it is right");
    assert_eq!((config.watch.0.len(), config.ignore.0.len()), (1, 1));
    let rule = &config.watch.0[0].0;
    assert!(rule.patterns().iter().all(|(_, pattern)| pattern.is_some()) && rule.label.is_some());
    // As it stands it is the default.
    let config: RulesConfig = toml::from_str(RulesConfig::EXAMPLE).expect("only comments");
    assert!(config.watch.0.is_empty() && config.ignore.0.is_empty());
}

proptest! {
    #[test]
    fn no_pattern_makes_it_panic(pattern in "\\PC{0,40}", value in "\\PC{0,40}") {
        if let Ok(pattern) = Pattern::new(&pattern) {
            let _ = pattern.fits(&value);
        }
    }
}
