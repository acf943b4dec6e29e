//! What counts as better and as worse.

use crate::document::compare::{Comparison, Verdict};
use crate::document::schema::{Kernel, Report};
use crate::document::{page, terminal};
use crate::fixture;
use crate::schema::kernel;

fn report(kernels: Vec<Kernel>) -> Report {
    Report { kernels, ..fixture() }
}

/// The verdict where one kernel took `before` and takes `now`, both with quartiles `spread` apart.
fn verdict(before: f64, now: f64, spread: f64) -> Verdict {
    let [before, now] = [before, now].map(|seconds| {
        let mut kernel = kernel(seconds);
        (kernel.seconds.q1, kernel.seconds.q3) = (seconds * (1.0 - spread / 2.0), seconds * (1.0 + spread / 2.0));
        report(vec![kernel])
    });
    Comparison::new(&now, &before, 0.1).changes[0].verdict
}

#[test]
fn a_change_counts_beyond_the_threshold() {
    assert_eq!(verdict(1.0, 1.0, 0.0), Verdict::Same);
    assert_eq!(verdict(1.0, 1.09, 0.0), Verdict::Same);
    assert_eq!(verdict(1.0, 1.11, 0.0), Verdict::Worse);
    assert_eq!(verdict(1.11, 1.0, 0.0), Verdict::Better);
    assert_eq!(verdict(1.09, 1.0, 0.0), Verdict::Same);
}

#[test]
fn a_change_counts_beyond_the_noise() {
    // 3·√2·0.1/1.35 = 31 %.
    assert_eq!(verdict(1.0, 1.3, 0.1), Verdict::Same);
    assert_eq!(verdict(1.0, 1.33, 0.1), Verdict::Worse);
    assert_eq!(verdict(1.33, 1.0, 0.1), Verdict::Better);
}

#[test]
fn a_slower_clock_is_no_regression() {
    let (before, mut now) = (kernel(1.0), kernel(2.0));
    (now.guard_gflops, now.limit_seconds) = (50.0, 2e-7);
    let comparison = Comparison::new(&report(vec![now]), &report(vec![before]), 0.1);
    assert_eq!((comparison.changes[0].ratio, comparison.changes[0].verdict), (1.0, Verdict::Same));
}

/// Half of the bandwidth is gone for both, the kernel and the pass over memory that it is measured against; then for the kernel alone.
#[test]
fn a_memory_that_is_shared_is_no_regression() {
    let (before, mut now) = (kernel(1.0), kernel(2.0));
    let ratio = |now: &Kernel| {
        let reports = [now, &before].map(|kernel| report(vec![kernel.clone()]));
        Comparison::new(&reports[0], &reports[1], 0.1).changes[0].ratio
    };
    assert_eq!(ratio(&now), 2.0);
    now.limit_seconds = 1.5e-7;
    assert!((ratio(&now) - 2.0 / 1.5).abs() < 1e-12);
    now.limit_seconds = 3e-7;
    assert_eq!(ratio(&now), 1.0, "slower in cycles, but nearer to its limit");
}

#[test]
fn only_the_same_case_is_compared() {
    let (mut other, mut slow) = (kernel(1.0), kernel(3.0));
    other.threads = 2;
    slow.shape = vec![16, 16, 16];
    let mut fast = slow.clone();
    fast.seconds.median = 1.0;
    let comparison = Comparison::new(&report(vec![kernel(1.0), slow]), &report(vec![other, fast, kernel(1.0)]), 0.1);
    assert_eq!(comparison.unmatched, 1);
    let ids: Vec<(&str, Verdict)> =
        comparison.changes.iter().map(|change| (change.id.as_str(), change.verdict)).collect();
    let expected =
        [("gemm square NN 16x16x16 f32 avx2 1t", Verdict::Worse), ("gemm square NN 8x8x8 f32 avx2 1t", Verdict::Same)];
    assert_eq!(ids, expected, "the slowest change first");
    assert_eq!(comparison.counts(), [0, 1, 1]);
    assert!((comparison.mean() - 3.0_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn another_machine_is_no_measure() {
    let (mut now, before) = (report(vec![kernel(2.0)]), report(vec![kernel(1.0)]));
    assert!(Comparison::new(&now, &before, 0.1).is_worse());
    now.host.cpu = "another".into();
    let comparison = Comparison::new(&now, &before, 0.1);
    assert_eq!((comparison.counts(), comparison.is_worse()), ([0, 0, 1], false));
    now.comparison = Some(comparison);
    assert!(terminal::summary(&now).contains("no verdict counts"));
    assert!(page::html(&now).contains("is of another machine"));
}

#[test]
fn a_report_equals_itself() {
    let report = fixture();
    let comparison = Comparison::new(&report, &report, 0.0);
    assert_eq!(comparison.counts(), [0, report.kernels.len(), 0]);
    assert_eq!((comparison.mean(), comparison.unmatched, comparison.same_cpu), (1.0, 0, true));
}
