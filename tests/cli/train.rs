//! `train`.

use super::files::{Folder, flowers};
use super::run::{json, refuses, stdout, timeless};
use serde_json::Value;

#[test]
fn it_checks_learns_and_reports_the_same_costs_on_any_threads() {
    let options = |threads| stdout("train", &["--epochs", "6", "--layers", "24", "--threads", threads]);
    let one = options("1");
    for heading in
        ["machine  ", "kernels  ", "gradient check", "epoch  cost", "high bias: avoidable bias", "try a bigger"]
    {
        assert!(one.contains(heading), "no `{heading}` in\n{one}");
    }
    assert!(one.lines().any(|line| line.starts_with("all ") && line.ends_with("great")), "{one}");
    let last = one.lines().last().expect("output");
    let accuracy = last.strip_prefix("dev accuracy ").and_then(|rest| rest.strip_suffix(" %")).expect(last);
    assert!(accuracy.parse::<f64>().expect(last) > 50.0, "{last}");

    // The columns after cost, errors and finding are speeds.
    let costs = |text: &str| {
        let epochs = text.lines().skip_while(|line| !line.starts_with("epoch")).skip(1).take(6);
        epochs.map(|line| line.split('%').take(2).collect::<String>()).collect::<Vec<_>>()
    };
    assert_eq!(costs(&one), costs(&options("2")));
    assert_eq!(costs(&one).len(), 6);
}

#[test]
fn json_is_an_object_an_epoch_and_a_summary_the_same_on_any_threads() {
    let options = |threads| {
        let options = ["--epochs", "3", "--layers", "32", "--batch-norm", "--keep-prob", "0.9", "--threads", threads];
        timeless(json("train", &options))
    };
    let objects = options("1");
    assert_eq!(objects, options("2"));
    let epochs: Vec<_> = objects.iter().filter_map(|object| object["epoch"].as_u64()).collect();
    assert_eq!(epochs, [1, 2, 3]);
    let summary = objects.last().expect("a summary");
    assert_eq!((&summary["summary"], objects.len()), (&Value::Bool(true), 4));
    assert_eq!(summary["gradient_check"]["verdict"], "great");
    let error = objects[2]["dev_error"].as_f64().expect("a number");
    assert_eq!(summary["dev_accuracy"].as_f64(), Some(1.0 - error));
    assert_eq!(summary["network"], "64 → 32 batch_norm relu dropout(0.9) → 10 softmax");
}

/// 1437 = 4·359 + 1.
#[test]
fn a_last_mini_batch_of_one_is_left_out_with_batch_norm_and_it_says_so() {
    let options = ["--epochs", "2", "--layers", "8", "--batch-size", "4"];
    let with = [&options[..], &["--batch-norm"]].concat();
    assert_eq!(json("train", &with)[0]["skipped_examples"], 1);
    assert_eq!(json("train", &options)[0]["skipped_examples"], 0);
    let text = stdout("train", &with);
    assert_eq!(text.matches("has one example, and batch norm needs two").count(), 1, "{text}");
    refuses("train", &["--batch-norm", "--batch-size", "1"], "mini-batch with batch norm");
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one() {
    let folder = Folder::new();
    let options = ["--layers", "16", "--batch-norm", "--keep-prob", "0.8", "--schedule", "exponential", "--normalize"];
    let run = |more: &[&str]| timeless(json("train", &[&options[..], more].concat()));
    let (whole, part) = (folder.path("whole.safetensors"), folder.path("part.safetensors"));
    let all = run(&["--epochs", "5", "--seed", "7", "--checkpoint", &whole]);
    run(&["--epochs", "2", "--seed", "7", "--checkpoint", &part]);
    // Other options of the network do not count: the checkpoint's do.
    let rest = timeless(json("train", &["--resume", &part, "--epochs", "5"]));
    assert_eq!(rest[..3], all[2..5]);
    let parameters = |path: &String| {
        let saved = roofline::nn::checkpoint::Checkpoint::<f32>::load(path).expect("a checkpoint");
        saved.network(roofline::Exec::sequential()).expect("a network").parameters().to_vec()
    };
    assert_eq!(parameters(&whole), parameters(&part));

    // It is over: nothing is left but to measure.
    let over = json("train", &["--resume", &part]);
    assert_eq!((over.len(), &over[0]["dev_accuracy"]), (1, &all[5]["dev_accuracy"]));
    refuses("train", &["--resume", &part, "--dev-examples", "300"], "expected 1497 examples, found 1437 examples");
}

#[test]
fn a_csv_file_is_normalised_and_learnt() {
    let folder = Folder::new();
    let csv = folder.write("flowers.csv", &flowers(true));
    let options = ["--csv", &csv, "--label", "kind", "--layers", "16", "--learning-rate", "0.03", "--regime", "batch"];
    let text = stdout("train", &[&options[..], &["--epochs", "60"]].concat());
    assert!(text.contains("64 examples to train on, 16 dev examples, 2 inputs, normalised"), "{text}");
    let objects = json("train", &[&options[..], &["--epochs", "60"]].concat());
    assert!(objects[60]["dev_accuracy"].as_f64() > Some(0.9), "{}", objects[60]);
    refuses("train", &["--csv", &csv, "--label", "colour"], "colour");
    refuses("train", &["--csv", &csv, "--label", "9"], "flowers.csv");
    refuses("train", &["--csv", &csv, "--label", "length", "--label-kind", "values"], "\"kind\"");
}

#[test]
fn values_are_a_regression() {
    let folder = Folder::new();
    let rows = (0..50).map(|i| format!("{i},{}\n", 2 * i + 1)).collect::<String>();
    let csv = folder.write("line.csv", &rows);
    let options = ["--csv", &csv, "--label-kind", "values", "--layers", "none", "--learning-rate", "0.1"];
    let objects = json("train", &[&options[..], &["--optimizer", "sgd", "--regime", "8", "--epochs", "40"]].concat());
    let summary = objects.last().expect("a summary");
    assert!(summary["dev_loss"].as_f64() < Some(1e-4), "{summary}");
    assert!(summary["dev_accuracy"].is_null() && summary["diagnosis"].is_null(), "{summary}");
}

#[test]
fn every_rule_and_regime_trains() {
    for rule in ["sgd", "momentum:beta=0.5", "nesterov", "rmsprop:epsilon=1e-6", "adam:0.8:0.99", "adamw:beta1=0.8"] {
        let objects = json("train", &["--optimizer", rule, "--epochs", "2", "--layers", "32", "--clip-norm", "5"]);
        // A network that says the same of all examples costs ln 10.
        assert!(objects[1]["train_loss"].as_f64() < Some(10.0_f64.ln()), "{rule}: {}", objects[1]);
    }
    for (regime, steps) in [("batch", 1), ("stochastic", 1437), ("mini-batch:500", 3)] {
        let folder = Folder::new();
        let path = folder.path("model");
        json("train", &["--regime", regime, "--epochs", "1", "--layers", "4", "--checkpoint", &path]);
        let saved = roofline::nn::checkpoint::Checkpoint::<f32>::load(&path).expect("a checkpoint");
        assert_eq!(saved.steps(), steps, "{regime}");
    }
}

#[test]
fn bad_options_are_named_and_fail() {
    for (arguments, message) in [
        (&["--isa", "avx9"][..], "no instruction set is called `avx9`"),
        (&["--layers", "12,0"], "at least 1"),
        (&["--learning-rate", "-1"], "positive and finite"),
        (&["--learning-rate=inf"], "positive and finite"),
        (&["--batch-size", "0"], "at least 1"),
        (&["--regime", "mini-batch:0"], "mini-batch:SIZE"),
        (&["--regime", "batch", "--batch-size", "8"], "cannot be used with"),
        (&["--threads", "0"], "at least 1"),
        (&["--epochs", "x"], "invalid digit"),
        (&["--activation", "swish"], "there are identity, relu"),
        (&["--optimizer", "lion"], "adamw has the constants of adam"),
        (&["--optimizer", "adam:beta1=1.5"], "1.5"),
        (&["--schedule", "exponential:2"], "exponential: base is 2"),
        (&["--penalty", "l2:-1"], "λ of `l2:-1`"),
        (&["--keep-prob", "1.5"], "keep_prob is 1.5"),
        (&["--target-error", "2"], "0.02 for 2 %"),
        (&["--dev-examples", "1797"], "1797"),
        (&["--data", "/nonexistent"], "/nonexistent/train-images-idx3-ubyte"),
        (&["--csv", "/nonexistent.csv"], "/nonexistent.csv"),
        (&["--resume", "/nonexistent.safetensors"], "/nonexistent.safetensors"),
        (&["--epochs", "1", "--layers", "4", "--checkpoint", "/nonexistent/model"], "/nonexistent"),
    ] {
        refuses("train", arguments, message);
    }
}
