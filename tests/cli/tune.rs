//! `tune`.

use super::files::Folder;
use super::run::{json, refuses, stdout};
use std::fs;

const SHORT: [&str; 6] = ["--epochs", "2", "--layers", "16", "--trials", "6"];

#[test]
fn results_do_not_depend_on_threads_or_parallelism() {
    let run = |more: &[&str]| {
        let mut objects = json("tune", &[&SHORT[..], &["--strategy", "random"], more].concat());
        // Trials finish in any order.
        objects[..6].sort_by_key(|object| object["trial"].as_u64());
        objects
    };
    let objects = run(&["--threads", "1"]);
    assert_eq!(objects, run(&["--threads", "2"]));
    assert_eq!(objects, run(&["--threads", "2", "--parallelism", "one-after-another"]));
    assert_eq!((objects.len(), &objects[6]["trials"]), (7, &6.into()));
    let scores = objects[..6].iter().map(|object| object["score"].as_f64().expect("a score"));
    assert_eq!(objects[6]["best"]["score"].as_f64(), scores.reduce(f64::min));
    let values = objects[0]["values"].as_object().expect("an object");
    assert_eq!(values.keys().collect::<Vec<_>>(), ["batch_size", "beta", "learning_rate", "units"]);
}

#[test]
fn the_best_is_a_command_that_gives_the_same_error() {
    let options = ["--strategy", "grid", "--search", "learning_rate=1e-3:0.1,penalty,keep_prob=0.7:0.9", "--seed", "3"];
    let objects = json("tune", &[&["--epochs", "2", "--layers", "16", "--trials", "8"][..], &options].concat());
    let summary = objects.last().expect("a summary");
    let command = summary["command"].as_str().expect("a command");
    let arguments = command.strip_prefix("cargo run --release --example train -- ").expect(command);
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let trained = json("train", &arguments);
    let error = 100.0 * trained[1]["dev_error"].as_f64().expect("a number");
    assert_eq!(summary["best"]["score"].as_f64(), Some(error), "{command}");
}

#[test]
fn a_file_of_results_is_gone_on_from_and_kept_whole() {
    let folder = Folder::new();
    let path = folder.path("trials.csv");
    let options = [&SHORT[..], &["--rounds", "2", "--results", &path, "--threads", "1"]].concat();
    let first = stdout("tune", &options);
    let whole = fs::read_to_string(&path).expect("a file");
    assert_eq!(whole.lines().count(), 7);
    // As a run that was killed while it wrote.
    fs::write(&path, &whole[..whole.len() - 60]).expect("room");
    let again = stdout("tune", &options);
    assert_eq!(fs::read_to_string(&path).expect("a file"), whole);
    let table = |text: &str| text.split_once('\n').expect("lines").1.to_owned();
    assert_eq!(table(&first), table(&again));
    assert!(first.contains("0 done before") && !again.contains("0 done before"), "{again}");
    assert!(first.contains("the best: cargo run --release --example train -- "), "{first}");

    refuses("tune", &[&options[..], &["--seed", "9"]].concat(), "the seed is \"1\", in this search it is \"9\"");
    assert_eq!(fs::read_to_string(&path).expect("a file"), whole);
}

#[test]
fn bad_options_are_named_and_fail() {
    for (arguments, message) in [
        (&["--search", "momentum"][..], "there are learning_rate, beta, units, batch_size, keep_prob, penalty"),
        (&["--search", "units=9:3"], "`9:3`, they must be FROM:TO"),
        (&["--search", "units=0.5:3"], "a whole number"),
        (&["--search", "beta=0.5:1"], "in [0, 1)"),
        (&["--search", "beta", "--optimizer", "sgd"], "sgd has no β"),
        (&["--search", "units", "--layers", "none"], "there are no hidden layers"),
        (&["--search", "batch_size=33:40"], "no power of two"),
        (&["--search", "units,units"], "two hyperparameters"),
        (&["--trials", "2", "--rounds", "3"], "2 trials are too few for 3 rounds"),
        (&["--trials", "2", "--strategy", "grid"], "2 trials are too few"),
        (&["--results", "/nonexistent/trials.csv"], "/nonexistent/trials.csv"),
    ] {
        refuses("tune", arguments, message);
    }
}
