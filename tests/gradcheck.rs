//! The example `gradcheck` as a user runs it, as a process.

use std::path::PathBuf;
use std::process::{Command, Output};

/// `cargo test` builds the examples beside the tests (`cargo test --test gradcheck` alone runs what was built last).
fn gradcheck(arguments: &[&str]) -> Output {
    let tests = std::env::current_exe().expect("the path of this test");
    let target: PathBuf = tests.ancestors().nth(2).expect("target/<profile>/deps/test").into();
    let example = target.join("examples").join(format!("gradcheck{}", std::env::consts::EXE_SUFFIX));
    Command::new(&example).args(arguments).output().unwrap_or_else(|error| panic!("{}: {error}", example.display()))
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn every_combination_is_great() {
    for keep_prob in ["1", "0.75"] {
        let output = gradcheck(&["--keep-prob", keep_prob]);
        let text = stdout(&output);
        assert!(output.status.success(), "{text}");
        // Ten activations, two norms, three penalties, three outputs.
        assert_eq!(text.lines().filter(|line| line.ends_with("  great")).count(), 10 * 2 * 3 * 3, "{text}");
        assert!(text.ends_with("180 of 180 networks are great: at most 1e-7 in every layer\n"), "{text}");
    }
}

#[test]
fn a_choice_is_checked_layer_by_layer() {
    let options =
        ["--activation", "gelu,tanh", "--norm", "batch", "--penalty", "l2", "--output", "linear", "--verbose"];
    let output = gradcheck(&options);
    let text = stdout(&output);
    assert!(output.status.success() && text.contains("2 of 2 networks"), "{text}");
    assert!(text.contains("2: 7 → 5 batch_norm tanh ") && text.contains("3: 5 → 2 linear "), "{text}");
}

/// Through six layers of sigmoids so little of the gradient is left that difference quotients see the rounding of the cost.
#[test]
fn it_fails_where_a_gradient_is_not_great() {
    let options = ["--activation", "sigmoid", "--norm", "none", "--penalty", "none", "--layers", "4,4,4,4,4,4"];
    let output = gradcheck(&options);
    let text = stdout(&output);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("of 3 networks are great") && !text.contains("3 of 3"), "{text}");
}

#[test]
fn bad_options_are_named_and_fail() {
    for (arguments, message) in [
        (&["--activation", "swish"][..], "there are identity, relu"),
        (&["--norm", "layer"], "layer"),
        (&["--keep-prob", "0"], "keep_prob is 0"),
        (&["--lambda", "-1"], "lambda is -1"),
        (&["--batch-size", "1"], "at least 2"),
        (&["--layers", "4,0"], "at least 1"),
        (&["--isa", "avx9"], "no instruction set is called `avx9`"),
    ] {
        let output = gradcheck(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        assert!(text.contains(message), "{arguments:?}: no `{message}` in\n{text}");
    }
}
