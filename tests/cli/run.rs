//! Runs an example, which is built first: `cargo test --test cli` alone does not do it.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;

/// Those that are built already.
static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Where an example is, after it was built with the profile and the target of this test.
pub fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("the path of this test");
    let profile = tests.ancestors().nth(2).expect("target/<profile>/deps/test");
    let path = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let mut built = BUILT.lock().expect("no test panics while it builds");
    if built.insert(name.into()) {
        let folder = profile.file_name().and_then(|name| name.to_str()).expect("a profile");
        let profile_name = if folder == "debug" { "dev" } else { folder };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--example", name, "--profile", profile_name]);
        let status = cargo
            .arg("--manifest-path")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .arg("--target-dir")
            .arg(profile.parent().expect("target"))
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{cargo:?} failed");
    }
    assert!(path.exists(), "{} is not there: cargo build --example {name}", path.display());
    path
}

/// Runs it to its end.
pub fn output(name: &str, arguments: &[&str]) -> Output {
    let path = example(name);
    Command::new(&path).args(arguments).output().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What it prints, where it succeeds.
pub fn stdout(name: &str, arguments: &[&str]) -> String {
    let output = output(name, arguments);
    assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// One object a line, and nothing else; not a word on stderr either, which is no terminal here.
pub fn json(name: &str, arguments: &[&str]) -> Vec<Value> {
    let mut all = arguments.to_vec();
    all.push("--json");
    let output = output(name, &all);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{name} {arguments:?}: {stderr}");
    objects(&String::from_utf8(output.stdout).expect("text"))
}

/// The lines as objects.
pub fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Without the fields that are times.
pub fn timeless(mut objects: Vec<Value>) -> Vec<Value> {
    for object in &mut objects {
        let fields = object.as_object_mut().expect("an object");
        for time in ["seconds", "samples_per_second", "share_of_fma_peak", "machine"] {
            fields.remove(time);
        }
    }
    objects
}

/// It fails and says why.
pub fn refuses(name: &str, arguments: &[&str], message: &str) {
    let output = output(name, arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{name} {arguments:?} succeeded");
    assert!(text.contains(message), "{name} {arguments:?}: no `{message}` in\n{text}");
}
