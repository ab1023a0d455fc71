//! Go code that makes a graph.

use std::fmt::Write as _;

use super::Random;
use super::graph::{Does, Goroutine, Graph, Kind, Node};

/// The file with one program.
#[must_use]
pub fn program(graph: &Graph, index: usize, random: &mut Random) -> String {
    let mut text =
        String::from("package main\n\nimport (\n\t\"sync\"\n\t\"sync/atomic\"\n\t\"time\"\n)\n\n");
    text += "var (\n\t_ sync.Locker\n\t_ atomic.Value\n\t_ time.Time\n)\n\n";
    let globals: Vec<&str> = graph
        .globals
        .iter()
        .map(|_| random.one_of(&["any", "slice", "map", "func"]))
        .collect();
    for (number, how) in globals.iter().enumerate() {
        let kind = match *how {
            "slice" => "[]interface{}",
            "map" => "map[string]interface{}",
            "func" => "func()",
            _ => "interface{}",
        };
        let _ = writeln!(text, "var g{index}x{number} {kind}");
    }
    let _ = writeln!(text, "\nfunc init() {{ programs[{index}] = build{index} }}");
    let _ = writeln!(text, "\nfunc build{index}() {{");
    for (at, node) in graph.nodes.iter().enumerate() {
        declare(&mut text, graph, at, node);
    }
    for (at, node) in graph.nodes.iter().enumerate() {
        fill(&mut text, graph, at, node, random);
    }
    for (number, (to, how)) in graph.globals.iter().zip(globals).enumerate() {
        let to = reference(graph, *to);
        let value = match how {
            "slice" => format!("append([]interface{{}}{{1, nil}}, {to})"),
            "map" => format!("map[string]interface{{}}{{\"x\": {to}}}"),
            "func" => format!("func() {{ touch({to}) }}"),
            _ => to,
        };
        let _ = writeln!(text, "\tg{index}x{number} = {value}");
    }
    let leaked = graph.leaked();
    for (number, goroutine) in graph.goroutines.iter().enumerate() {
        start(
            &mut text,
            graph,
            index,
            number,
            goroutine,
            leaked[number],
            random,
        );
    }
    // What nothing refers to is used all the same.
    let names: Vec<String> = (0..graph.nodes.len()).map(|at| format!("n{at}")).collect();
    let _ = writeln!(text, "\t_ = []interface{{}}{{{}}}", names.join(", "));
    text + "}\n"
}

/// How code refers to a node.
fn reference(graph: &Graph, at: usize) -> String {
    match graph.nodes[at].kind {
        Kind::SliceMiddle => format!("n{at}[10:12:12]"),
        Kind::Interior => format!("&n{at}.n"),
        _ => format!("n{at}"),
    }
}

fn references(graph: &Graph, all: &[usize]) -> String {
    let all: Vec<String> = all.iter().map(|at| reference(graph, *at)).collect();
    all.join(", ")
}

fn declare(text: &mut String, graph: &Graph, at: usize, node: &Node) {
    let value = match node.kind {
        Kind::ToReceive | Kind::ToSend => "make(chan interface{})".into(),
        Kind::ToReceiveBuffered => "make(chan interface{}, 3)".into(),
        Kind::ToSendFull => format!("make(chan interface{{}}, {})", node.refers.len().max(1)),
        Kind::Mutex => "new(lock)".into(),
        Kind::RWMutex => "new(rwlock)".into(),
        Kind::WaitGroup => "new(waits)".into(),
        Kind::Cond => "sync.NewCond(new(sync.Mutex))".into(),
        Kind::Struct => "&box{}".into(),
        Kind::Slice => "make([]interface{}, 5)".into(),
        Kind::SliceMiddle => "make([]interface{}, 40)".into(),
        Kind::Map => "map[string]interface{}{}".into(),
        Kind::MapKeys => "map[interface{}]bool{}".into(),
        Kind::Closure => format!("func() {{ touch({}) }}", references(graph, &node.refers)),
        Kind::Buffer => "make(chan interface{}, 8)".into(),
        Kind::List => "&node{}".into(),
        Kind::Array => "new([600]interface{})".into(),
        Kind::Interior => "&interior{}".into(),
        Kind::Value => "new(atomic.Value)".into(),
        Kind::SyncMap => "new(sync.Map)".into(),
    };
    let _ = writeln!(text, "\tn{at} := {value}");
    let held = match node.kind {
        Kind::Mutex | Kind::RWMutex => "Lock()",
        Kind::WaitGroup => "Add(1)",
        _ => return,
    };
    let _ = writeln!(text, "\tn{at}.{held}");
}

fn fill(text: &mut String, graph: &Graph, at: usize, node: &Node, random: &mut Random) {
    if node.kind == Kind::ToSendFull && node.refers.is_empty() {
        let _ = writeln!(text, "\tn{at} <- nil");
    }
    for (number, to) in node.refers.iter().enumerate() {
        let to = reference(graph, *to);
        let line = match node.kind {
            Kind::ToSendFull | Kind::Buffer => format!("n{at} <- {to}"),
            Kind::Struct => format!("n{at}.{} = {to}", ["a", "b", "c"][number]),
            Kind::Slice => format!("n{at}[{}] = {to}", number + 1),
            Kind::SliceMiddle => format!("n{at}[{}] = {to}", number * 13),
            Kind::Map => format!("n{at}[\"k{number}\"] = {to}"),
            Kind::MapKeys => format!("n{at}[{to}] = true"),
            Kind::List => format!("n{at}.next = &node{{n{at}.next, {to}}}"),
            Kind::Array => format!("n{at}[{}] = {to}", number * 100 + random.below(100)),
            Kind::Interior if number == 0 => format!("n{at}.x = {to}"),
            Kind::Interior => format!("n{at}.y[{}] = {to}", number - 1),
            Kind::Value => format!("n{at}.Store(&box{{b: {to}}})"),
            Kind::SyncMap => format!("n{at}.Store({number}, {to})"),
            _ => continue,
        };
        let _ = writeln!(text, "\t{line}");
    }
}

fn start(
    text: &mut String,
    graph: &Graph,
    index: usize,
    number: usize,
    goroutine: &Goroutine,
    leaked: bool,
    random: &mut Random,
) {
    let holds = references(graph, &goroutine.holds);
    let Does::Waits(on) = &goroutine.does else {
        if goroutine.does == Does::Timer {
            let _ = writeln!(
                text,
                "\ttime.AfterFunc(time.Hour, func() {{ touch({holds}) }})"
            );
            return;
        }
        announce(text, index, number, 2);
        let body = sleeping(&holds, random);
        let _ = writeln!(text, "\tgo func() {{\n\t\tm{number}.here()\n{body}\t}}()");
        return;
    };
    announce(text, index, number, usize::from(!leaked));
    let wait = waiting(graph, on, &goroutine.holds, random);
    // Held by what is used later, by a call that will be made at the end, or by what it was started with.
    let body = match random.below(3) {
        0 => format!("\t\tdefer func() {{ touch({holds}) }}()\n{wait}"),
        1 => format!("\t\theld := []interface{{}}{{{holds}}}\n{wait}\t\ttouch(held...)\n"),
        _ => format!("{wait}\t\ttouch({holds})\n"),
    };
    let _ = writeln!(text, "\tgo func() {{\n\t\tm{number}.here()\n{body}\t}}()");
}

fn announce(text: &mut String, index: usize, number: usize, fate: usize) {
    let _ = writeln!(text, "\tm{number} := expect(\"{index}/{number}\", {fate})");
}

fn sleeping(holds: &str, random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("\t\tsleepDeep(50, {holds})\n"),
        1 => format!("\t\tobject := [6]interface{{}}{{{holds}}}\n\t\tsleepPointing(&object)\n"),
        2 => format!("\t\tdefer touch({holds})\n\t\tsleep()\n"),
        3 => format!(
            "\t\tfor i := 0; i < 2; i++ {{\n\t\t\tdefer func() {{ touch({holds}) }}()\n\t\t}}\n\t\tsleep()\n"
        ),
        _ => format!("\t\tsleep()\n\t\ttouch({holds})\n"),
    }
    .replace(", )", ")")
}

fn waiting(graph: &Graph, on: &[usize], holds: &[usize], random: &mut Random) -> String {
    // What is sent is held until somebody takes it.
    let sent = match holds.first() {
        Some(first) => reference(graph, *first),
        None => "nil".into(),
    };
    let operation = |at: usize| match graph.nodes[at].kind {
        Kind::ToSend | Kind::ToSendFull => format!("n{at} <- {sent}"),
        _ => format!("<-n{at}"),
    };
    match on {
        [] if random.percent(50) => "\t\tselect {}\n".into(),
        [] => "\t\tvar never chan int\n\t\t<-never\n".into(),
        [one] if !graph.nodes[*one].kind.is_channel() => match graph.nodes[*one].kind {
            Kind::Mutex => format!("\t\tn{one}.Lock()\n"),
            Kind::RWMutex if random.percent(50) => format!("\t\tn{one}.Lock()\n"),
            Kind::RWMutex => format!("\t\tn{one}.RLock()\n"),
            Kind::WaitGroup => format!("\t\tn{one}.Wait()\n"),
            _ => format!("\t\tn{one}.L.Lock()\n\t\tn{one}.Wait()\n"),
        },
        [one] if random.percent(70) => format!("\t\t{}\n", operation(*one)),
        several => {
            let cases: String = several
                .iter()
                .map(|at| format!("\t\tcase {}:\n", operation(*at)))
                .collect();
            let never = "\t\tvar never chan int\n";
            let more = if random.percent(30) {
                "\t\tcase <-never:\n"
            } else {
                ""
            };
            let before = if more.is_empty() { "" } else { never };
            format!("{before}\t\tselect {{\n{cases}{more}\t\t}}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_program() {
        let write = |seed| {
            let mut random = Random::new(seed);
            program(&Graph::random(&mut random), 7, &mut random)
        };
        assert_eq!(write(5), write(5));
        assert_ne!(write(5), write(6));
    }
}
