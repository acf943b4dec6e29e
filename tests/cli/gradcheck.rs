//! `gradcheck`.

use super::run::{json, output, refuses, stdout};

#[test]
fn every_combination_is_great() {
    for keep_prob in ["1", "0.75"] {
        let text = stdout("gradcheck", &["--keep-prob", keep_prob]);
        // Ten activations, two norms, three penalties, three outputs.
        assert_eq!(text.lines().filter(|line| line.ends_with("  great")).count(), 10 * 2 * 3 * 3, "{text}");
        assert!(text.ends_with("180 of 180 networks are great: at most 1e-7 in every layer\n"), "{text}");
    }
}

#[test]
fn a_choice_is_checked_layer_by_layer() {
    let options =
        ["--activation", "gelu,tanh", "--norm", "batch", "--penalty", "l2", "--output", "linear", "--verbose"];
    let text = stdout("gradcheck", &options);
    assert!(text.contains("2 of 2 networks"), "{text}");
    assert!(text.contains("2: 7 → 5 batch_norm tanh ") && text.contains("3: 5 → 2 linear "), "{text}");
}

#[test]
fn a_penalty_may_have_its_own_lambda() {
    let options = ["--activation", "tanh", "--batch-norm", "--penalty", "none,l1,l2:0.3", "--output", "softmax"];
    let objects = json("gradcheck", &options);
    let penalties: Vec<_> = objects[..3].iter().map(|object| object["penalty"].as_str().expect("text")).collect();
    assert_eq!(penalties, ["none", "l1:0.05", "l2:0.3"]);
    assert!(objects[..3].iter().all(|object| object["norm"] == "batch" && object["verdict"] == "great"));
    assert_eq!((objects.len(), &objects[3]["great"]), (4, &3.into()));
}

/// Through six layers of sigmoids so little of the gradient is left that difference quotients see the rounding of the cost.
#[test]
fn it_fails_where_a_gradient_is_not_great() {
    let options = ["--activation", "sigmoid", "--norm", "none", "--penalty", "none", "--layers", "4,4,4,4,4,4"];
    let output = output("gradcheck", &options);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("of 3 networks are great") && !text.contains("3 of 3"), "{text}");
}

#[test]
fn bad_options_are_named_and_fail() {
    for (arguments, message) in [
        (&["--activation", "swish"][..], "there are identity, relu"),
        (&["--norm", "layer"], "layer"),
        (&["--keep-prob", "0"], "keep_prob is 0"),
        (&["--lambda", "-1"], "lambda is -1"),
        (&["--penalty", "l3"], "there are none, l1:λ and l2:λ"),
        (&["--batch-size", "1"], "at least 2"),
        (&["--layers", "4,0"], "at least 1"),
        (&["--isa", "avx9"], "no instruction set is called `avx9`"),
    ] {
        refuses("gradcheck", arguments, message);
    }
}
