//! Ctrl-C.

#![cfg(unix)]

use super::files::Folder;
use super::run::{example, json, objects, timeless};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// Starts an example and waits for its first line.
fn start(name: &str, arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>, String) {
    let mut child = Command::new(example(name))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = String::new();
    out.read_line(&mut first).expect("text");
    (child, out, first)
}

/// Sends SIGINT; gives the exit code, the rest of stdout, and stderr.
fn interrupt(mut child: Child, mut out: impl Read) -> (Option<i32>, String, String) {
    let id = libc::pid_t::try_from(child.id()).expect("an id");
    // SAFETY: kill takes two numbers; the child is ours and was not waited for, so the id is its.
    assert_eq!(unsafe { libc::kill(id, libc::SIGINT) }, 0);
    let (mut rest, mut errors) = (String::new(), String::new());
    out.read_to_string(&mut rest).expect("text");
    child.stderr.take().expect("a pipe").read_to_string(&mut errors).expect("text");
    (child.wait().expect("an end").code(), rest, errors)
}

#[test]
fn train_writes_a_checkpoint_that_goes_on_with_the_same_bits() {
    let folder = Folder::new();
    let path = folder.path("model.safetensors");
    let options = ["--layers", "16", "--keep-prob", "0.9", "--regime", "stochastic", "--json"];
    let (child, out, first) = start("train", &[&options[..], &["--epochs", "1000", "--checkpoint", &path]].concat());
    let (code, rest, errors) = interrupt(child, out);
    assert_eq!(code, Some(130), "{errors}");
    assert!(errors.contains("the checkpoint is written: go on with --resume"), "{errors}");

    let saved = roofline::nn::checkpoint::Checkpoint::<f32>::load(&path).expect("a checkpoint");
    let position = saved.position.expect("a place");
    assert_eq!(saved.steps(), (position.epoch - 1) * 1437 + position.batch as u64);
    let before = timeless(objects(&(first + &rest)));
    assert_eq!(before.len() as u64, position.epoch - 1);

    // Two epochs more, against a run without a stop.
    let epochs = (position.epoch + 1).to_string();
    let rest = timeless(json("train", &["--resume", &path, "--epochs", &epochs]));
    let whole = timeless(json("train", &[&options[..6], &["--epochs", &epochs]].concat()));
    let known = before.len();
    assert_eq!(before[..], whole[..known]);
    assert_eq!(rest[..2], whole[known..known + 2]);
}

#[test]
fn tune_finishes_the_trials_that_run() {
    let folder = Folder::new();
    let path = folder.path("trials.csv");
    let options = ["--epochs", "3", "--trials", "3000", "--strategy", "random", "--json", "--results", &path];
    let (child, out, _) = start("tune", &options);
    let (code, rest, errors) = interrupt(child, out);
    assert_eq!(code, Some(130), "{errors}");
    assert!(errors.contains("of 3000 trials; the same command goes on from"), "{errors}");
    let summary = objects(&rest).pop().expect("a summary");
    let rows = std::fs::read_to_string(&path).expect("a file").lines().count() as u64 - 1;
    assert_eq!(summary["trials"].as_u64(), Some(rows));
    assert!((1..3000).contains(&rows), "{rows}");
}

#[test]
fn sweep_prints_what_it_has() {
    let (child, out, first) = start("sweep", &["--json", "--budget", "2", "--target-error", "0", "--rounds", "1"]);
    let (code, rest, errors) = interrupt(child, out);
    assert_eq!(code, Some(130), "{errors}");
    assert_eq!(objects(&first)[0]["batch_size"], 1);
    assert!(objects(&rest).pop().expect("a summary")["advice"].is_u64(), "{rest}");
    assert!(errors.contains("of 12 sizes are complete"), "{errors}");
}
