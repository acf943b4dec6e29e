//! `predict`.

use super::files::{Folder, flowers};
use super::run::{json, refuses, stdout};

#[test]
fn digits_have_a_class_a_probability_and_an_accuracy() {
    let folder = Folder::new();
    let model = folder.path("model.safetensors");
    json("train", &["--epochs", "8", "--layers", "32", "--normalize", "--checkpoint", &model]);
    let text = stdout("predict", &["--model", &model]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (1 + 1797 + 1, "row     class  probability  label"));
    let objects = json("predict", &["--model", &model]);
    let right = objects[..1797].iter().filter(|object| object["class"] == object["label"]).count();
    let accuracy = right as f64 / 1797.0;
    assert_eq!(objects[1797]["accuracy"].as_f64(), Some(accuracy));
    assert!(accuracy > 0.8, "{accuracy}");
    let summary = format!("accuracy {:.1} % of 1797 examples\n", 100.0 * accuracy);
    assert!(text.ends_with(&summary), "{text}");
    assert_eq!(stdout("predict", &["--model", &model, "--summary"]), summary);
}

#[test]
fn a_csv_file_is_predicted_with_and_without_labels() {
    let folder = Folder::new();
    let (model, csv) = (folder.path("model"), folder.write("flowers.csv", &flowers(true)));
    let options = ["--csv", &csv, "--layers", "16", "--learning-rate", "0.03", "--regime", "batch", "--epochs", "60"];
    json("train", &[&options[..], &["--checkpoint", &model]].concat());
    let labelled = json("predict", &["--model", &model, "--csv", &csv]);
    assert!(labelled[80]["accuracy"].as_f64() > Some(0.9), "{}", labelled[80]);
    assert!(labelled[..80].iter().all(|row| row["class"] == "rose" || row["class"] == "aster"));

    let plain = json("predict", &["--model", &model, "--csv", &folder.write("plain.csv", &flowers(false))]);
    assert!(plain[80]["accuracy"].is_null() && plain[0]["label"].is_null());
    for (a, b) in labelled[..80].iter().zip(&plain) {
        assert_eq!((&a["class"], &a["probability"]), (&b["class"], &b["probability"]));
    }
    refuses("predict", &["--model", &model], "the network has 2 inputs, the examples have 64");
    let unknown = folder.write("unknown.csv", "length,width,kind\n1.5,120,tulip\n");
    refuses("predict", &["--model", &model, "--csv", &unknown], "tulip");
}

#[test]
fn bad_models_are_named() {
    let folder = Folder::new();
    refuses("predict", &["--model", "/nonexistent"], "/nonexistent");
    let foreign = folder.write("foreign", "PK");
    refuses("predict", &["--model", &foreign], "foreign: not a whole safetensors file");
}
