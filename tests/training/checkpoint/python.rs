//! Others read the file: Python, by the package `safetensors`, with the names, shapes and transposes that the documentation states.

use super::{data, small};
use roofline::nn::checkpoint::Checkpoint;
use roofline::nn::{Normalization, Rule};
use roofline::{Exec, Mat};
use std::process::Command;

/// Names the interpreter; then it must have `numpy` and `safetensors`. Without it the test takes `python3`, where that has them.
const INTERPRETER: &str = "ROOFLINE_PYTHON";

/// Largest difference between predictions of NumPy and of this crate in f64.
const MAX_DIFFERENCE: f64 = 1e-13;

#[test]
fn python_reads_the_file_and_predicts_the_same() {
    let given = std::env::var_os(INTERPRETER);
    let python = given.clone().unwrap_or_else(|| "python3".into());
    let has_packages = Command::new(&python).args(["-c", "import numpy, safetensors.numpy"]).output();
    let has_packages = has_packages.is_ok_and(|output| output.status.success());
    if !has_packages && given.is_none() {
        println!("skipped: python3 has no numpy or no safetensors; {INTERPRETER} names another interpreter");
        return;
    }
    assert!(has_packages, "{python:?} cannot import numpy and safetensors");

    let checkpoint: Checkpoint<f64> = small(Rule::adam());
    let path = std::env::temp_dir().join(format!("roofline-python-{}.safetensors", std::process::id()));
    checkpoint.save(&path).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/training/checkpoint/read.py");
    let output = Command::new(&python).arg(script).arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let normalization: &Normalization<f64> = checkpoint.normalization.as_ref().unwrap();
    let mut x: Mat<f64> = {
        let data = data::<f64>();
        Mat::from_fn(data.len(), 3, |i, j| data.x().get(i, j).unwrap())
    };
    normalization.apply_to(x.as_mut()).unwrap();
    let mut net = checkpoint.network(Exec::sequential()).unwrap();
    let predicted = net.predict(x.as_ref()).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().map(|line| line.split(' ').map(|number| number.parse().unwrap()).collect()).collect();
    assert_eq!(rows.len(), 23);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row.len(), 2);
        for (j, number) in row.iter().enumerate() {
            let difference = (predicted.get(i, j).unwrap() - number).abs();
            assert!(difference <= MAX_DIFFERENCE, "({i}, {j}): {difference:e}");
        }
    }
}
