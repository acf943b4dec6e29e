//! `sweep`.

use super::files::Folder;
use super::run::{json, refuses, stdout};

/// Short, so that speeds say little: what is tested does not depend on them.
const SHORT: [&str; 10] =
    ["--layers", "16", "--rounds", "1", "--round-time", "1", "--budget", "0.3", "--target-error", "0.5"];

#[test]
fn every_size_has_a_line_and_one_is_advised() {
    let folder = Folder::new();
    let csv = folder.path("sweep.csv");
    let objects = json("sweep", &[&SHORT[..], &["--csv-out", &csv]].concat());
    let sizes: Vec<_> = objects.iter().filter_map(|object| object["batch_size"].as_u64()).collect();
    assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1437]);
    for line in &objects[..12] {
        for number in ["samples_per_second", "share_of_model", "read_bandwidth_gb_per_second", "seconds"] {
            assert!(line[number].as_f64() > Some(0.0), "{number} of {line}");
        }
        // 64-16-10: products of 64·16 and 16·10; the first has no dX.
        let size = line["batch_size"].as_f64().expect("a number");
        assert_eq!(line["flops_per_step"].as_f64(), Some(size * (6.0 * (1024.0 + 160.0) - 2.0 * 1024.0)));
        // P = 1024 + 16 + 160 + 10, two moments.
        let bytes = 4.0 * (1210.0 * 10.0 - 1024.0 + size * (4.0 * 64.0 + 6.0 * 26.0));
        assert_eq!(line["bytes_per_step"].as_f64(), Some(bytes));
        let rate = 0.001 * (size / 64.0).sqrt();
        assert_eq!(line["learning_rate"].as_f64(), Some(rate));
    }
    let summary = &objects[12];
    assert_eq!((&summary["rule_of_the_notes"], &summary["reached_target"]), (&1437.into(), &true.into()));
    let advised = objects.iter().find(|line| line["batch_size"] == summary["advice"]).expect("one of the sizes");
    let reached = objects[..12].iter().filter(|line| line["reached_target"] == true);
    assert!(reached.clone().all(|line| line["seconds"].as_f64() >= advised["seconds"].as_f64()));

    let table = std::fs::read_to_string(csv).expect("a file");
    let columns: Vec<_> = table.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(columns, [8; 13]);
}

#[test]
fn the_table_says_which_size_and_names_the_rule() {
    let options = ["--largest", "8", "--batch-norm", "--scale-learning-rate", "fixed"];
    let text = stdout("sweep", &[&SHORT[..], &options].concat());
    // With batch norm a mini-batch has at least two examples.
    let sizes: Vec<_> = text.lines().filter_map(|line| line.get(..10)?.trim().parse::<usize>().ok()).collect();
    assert_eq!(sizes, [2, 4, 8], "{text}");
    assert!(text.contains("flops/peak + bytes/bandwidth"), "{text}");
    assert!(text.contains("Take mini-batches of "), "{text}");
    assert!(text.contains("The notes' rule says 1437, which was not measured."), "{text}");

    let never = ["--target-error", "0", "--largest", "2"];
    let text = stdout("sweep", &[&SHORT[..8], &never].concat());
    assert!(text.contains("No size reached 0 %: the closest is "), "{text}");
}

#[test]
fn bad_options_are_named_and_fail() {
    for (arguments, message) in [
        (&["--target-error", "4"][..], "0.02 for 2 %"),
        (&["--budget", "0"], "positive and finite"),
        (&["--rounds", "0"], "at least 1"),
        (&["--largest", "0"], "at least 1"),
        (&["--scale-learning-rate", "cubic"], "cubic"),
    ] {
        refuses("sweep", arguments, message);
    }
}
