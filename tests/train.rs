//! The main job as a user runs it: the example `train`, as a process.

use std::path::PathBuf;
use std::process::{Command, Output};

/// `cargo test` builds the examples beside the tests (`cargo test --test train` alone does not: it runs what was built last).
fn train(arguments: &[&str]) -> Output {
    let tests = std::env::current_exe().expect("the path of this test");
    let target: PathBuf = tests.ancestors().nth(2).expect("target/<profile>/deps/test").into();
    let example = target.join("examples").join(format!("train{}", std::env::consts::EXE_SUFFIX));
    Command::new(&example).args(arguments).output().unwrap_or_else(|error| panic!("{}: {error}", example.display()))
}

fn stdout(arguments: &[&str]) -> String {
    let output = train(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn it_checks_learns_measures_and_reports_the_same_costs_on_any_threads() {
    let options = |threads| stdout(&["--epochs", "6", "--layers", "24", "--threads", threads]);
    let one = options("1");
    for heading in ["machine  ", "kernels  ", "gradient check", "epoch  cost", "mini-batch   samples/s"] {
        assert!(one.contains(heading), "no `{heading}` in\n{one}");
    }
    assert!(one.lines().any(|line| line.starts_with("all ") && line.ends_with("great")), "{one}");
    let last = one.lines().last().expect("output");
    let accuracy = last.strip_prefix("dev accuracy ").and_then(|rest| rest.strip_suffix(" %")).expect(last);
    assert!(accuracy.parse::<f64>().expect(last) > 50.0, "{last}");

    // The columns after cost and errors are speeds.
    let costs = |text: &str| {
        let epochs = text.lines().skip_while(|line| !line.starts_with("epoch")).skip(1).take(6);
        epochs.map(|line| line.split('%').take(2).collect::<String>()).collect::<Vec<_>>()
    };
    assert_eq!(costs(&one), costs(&options("2")));
    assert_eq!(costs(&one).len(), 6);
}

#[test]
fn bad_options_are_named_and_fail() {
    for (arguments, message) in [
        (&["--isa", "avx9"][..], "no instruction set is called `avx9`"),
        (&["--layers", "12,0"], "at least 1"),
        (&["--learning-rate", "-1"], "positive and finite"),
        (&["--learning-rate=inf"], "positive and finite"),
        (&["--batch-size", "0"], "at least 1"),
        (&["--threads", "0"], "at least 1"),
        (&["--epochs", "x"], "invalid digit"),
        (&["--activation", "swish"], "swish"),
        (&["--data", "/nonexistent"], "/nonexistent/train-images-idx3-ubyte"),
    ] {
        let output = train(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        assert!(text.contains(message), "{arguments:?}: no `{message}` in\n{text}");
    }
}
