//! Bias and variance: the course's cases, the thresholds, the remedies.

use crate::common::assert_mentions;
use roofline::nn::{Diagnosis, Finding};

fn finding(train: f64, dev: f64, target: f64) -> Finding {
    Diagnosis::new(train, dev, target).unwrap().finding()
}

#[test]
fn the_cases_of_the_course() {
    use Finding::{Fine, HighBias, HighBiasAndVariance, HighVariance};
    for (train, dev, target, expected) in [
        // People err in about 0 %.
        (0.01, 0.11, 0.0, HighVariance),
        (0.15, 0.16, 0.0, HighBias),
        (0.15, 0.30, 0.0, HighBiasAndVariance),
        (0.005, 0.01, 0.0, Fine),
        // The same errors where nobody can do better than 15 %, and where people err in 7.5 %.
        (0.15, 0.16, 0.15, Fine),
        (0.08, 0.10, 0.075, HighVariance),
        // Better on the dev set, and better than asked for.
        (0.05, 0.01, 0.05, Fine),
        (0.0, 0.0, 1.0, Fine),
        (1.0, 1.0, 0.0, HighBias),
    ] {
        assert_eq!(finding(train, dev, target), expected, "train {train}, dev {dev}, target {target}");
    }
}

/// A gap counts above a point and above a fifth of where it starts.
#[test]
fn gaps_count_above_both_thresholds() {
    for start in [0.0, 0.01, 0.04, 0.06, 0.2, 0.5] {
        let least = Diagnosis::ABSOLUTE.max(Diagnosis::RELATIVE * start);
        for (factor, counts) in [(0.99, false), (1.01, true)] {
            let end = start + factor * least;
            assert_eq!(finding(end, end, start) == Finding::HighBias, counts, "bias of {end} over {start}");
            assert_eq!(finding(start, end, start) == Finding::HighVariance, counts, "variance of {end} over {start}");
        }
    }
    let gaps = Diagnosis::new(0.25, 0.125, 0.5).unwrap();
    assert_eq!((gaps.avoidable_bias(), gaps.variance()), (-0.25, -0.125));
}

#[test]
fn remedies_are_the_notes() {
    for (found, needed, out_of_place) in [
        (Finding::HighBias, &["bigger network", "longer", "optimizer", "architecture"][..], &["data", "dropout"][..]),
        (
            Finding::HighVariance,
            &["more data", "L2", "dropout", "augmentation", "early stopping", "architecture"],
            &["bigger", "longer"],
        ),
    ] {
        let text = found.remedies().join("; ");
        assert!(needed.iter().all(|remedy| text.contains(remedy)), "{found}: {text}");
        assert!(!out_of_place.iter().any(|remedy| text.contains(remedy)), "{found}: {text}");
        for remedy in found.remedies() {
            assert!(Finding::HighBiasAndVariance.remedies().contains(remedy), "{remedy}");
        }
    }
    assert!(Finding::Fine.remedies().is_empty());
}

#[test]
fn a_diagnosis_is_one_line_or_two() {
    let fine = Diagnosis::new(0.006, 0.0123, 0.002).unwrap().to_string();
    assert_eq!(fine, "fine: avoidable bias 0.4 % (train 0.6 %, target 0.2 %), variance 0.6 % (dev 1.2 %)");
    let both = Diagnosis::new(0.15, 0.30, 0.0).unwrap().to_string();
    let mut lines = both.lines();
    assert!(lines.next().unwrap().starts_with("high bias and variance: avoidable bias 15.0 %"), "{both}");
    assert!(lines.next().unwrap().starts_with("try a bigger network, "), "{both}");
    assert_eq!(lines.next(), None);
}

#[test]
fn errors_that_are_no_shares_are_refused() {
    for bad in [f64::NAN, -0.01, 1.01, f64::INFINITY] {
        let message = |result: Result<Diagnosis, roofline::Error>, what: &str| {
            assert_mentions(&result.unwrap_err(), &[&format!("{what} is {bad}, it must be in [0, 1]")]);
        };
        message(Diagnosis::new(bad, 0.1, 0.1), "train error");
        message(Diagnosis::new(0.1, bad, 0.1), "dev error");
        message(Diagnosis::new(0.1, 0.1, bad), "target error");
    }
}
