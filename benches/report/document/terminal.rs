//! What the terminal shows at the end: a line for each family, then what is worth knowing.

use super::compare::Verdict;
use super::plot::text::{number, percent, threads};
use super::schema::{Kernel, Report};
use super::sections::key_figures;
use std::fmt::Write;

/// Lines of a comparison, at most.
const CHANGES: usize = 12;

/// The summary of a report.
pub(crate) fn summary(report: &Report) -> String {
    let mut text = String::new();
    // Writing into text does not fail, here and below.
    let _ = writeln!(text, "{}, {}, {}", report.host.cpu, report.isa(), threads(report.host.threads));
    for key in key_figures(report) {
        let _ = writeln!(text, "  {:20} {:>8} {:12} {}", key.name, key.value, key.unit, key.note);
    }
    let head = "cases   of the limit: median      best  worst";
    let _ = writeln!(text, "\n{:12} {:5} {:8} {:7} {head}", "family", "type", "isa", "threads");
    for group in groups(report) {
        text += &line(&group);
    }
    for warning in &report.noise.warnings {
        let _ = writeln!(text, "\nNoisy: {warning}");
    }
    text + &changes(report)
}

/// Kernels of one family, type, instruction set and number of threads.
fn groups(report: &Report) -> Vec<Vec<&Kernel>> {
    let key = |kernel: &Kernel| (kernel.family.clone(), kernel.threads, kernel.isa.clone(), kernel.element.clone());
    let mut groups: Vec<Vec<&Kernel>> = Vec::new();
    for kernel in &report.kernels {
        match groups.iter_mut().find(|group| key(group[0]) == key(kernel)) {
            Some(group) => group.push(kernel),
            None => groups.push(vec![kernel]),
        }
    }
    groups
}

fn line(group: &[&Kernel]) -> String {
    let mut sorted = group.to_vec();
    sorted.sort_by(|a, b| a.share().total_cmp(&b.share()));
    let (middle, first) = (sorted[sorted.len() / 2], group[0]);
    let [worst, best] = [sorted[0], sorted[sorted.len() - 1]].map(|kernel| percent(kernel.share()));
    let name = |kernel: &Kernel| format!("{} {}", kernel.kernel, kernel.size());
    let (family, element, isa) = (&first.family, &first.element, &first.isa);
    format!(
        "{family:12} {element:5} {isa:8} {:7} {:5} {:>22} {best:>9} {worst:>6}  {}\n",
        first.threads,
        group.len(),
        percent(middle.share()),
        name(sorted[0])
    )
}

fn changes(report: &Report) -> String {
    let Some(comparison) = &report.comparison else { return String::new() };
    let [better, same, worse] = comparison.counts();
    let mut text = format!("\nagainst {}: {better} better, {same} same, {worse} worse", comparison.baseline_date);
    let _ = writeln!(text, " (beyond {} and the noise)", percent(comparison.threshold));
    if !comparison.same_cpu {
        let _ = writeln!(text, "  the baseline is of another machine, {}: no verdict counts", comparison.baseline_cpu);
    }
    let changed = comparison.of(Verdict::Worse).chain(comparison.of(Verdict::Better)).take(CHANGES);
    for change in changed {
        let (ratio, noise) = (100.0 * (change.ratio - 1.0), 100.0 * change.noise);
        let _ = writeln!(text, "  {:6} {ratio:+6.1} %  (noise {} %)  {}", change.verdict, number(noise), change.id);
    }
    text
}
