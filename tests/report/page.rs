//! The page and the Markdown: every section, readings from the data, nothing from the network.

use crate::document::compare::Verdict;
use crate::document::schema::{Limits, Report};
use crate::document::sections::{Picture, all, key_figures};
use crate::document::{markdown, page, terminal};
use crate::fixture;

pub(crate) const SECTIONS: [&str; 9] =
    ["limits", "roofline", "gemm", "vector", "accuracy", "training", "rivals", "change", "method"];

#[test]
fn the_page_has_every_section_in_order() {
    let page = page::html(&fixture());
    let places: Vec<usize> = SECTIONS
        .iter()
        .map(|id| page.find(&format!("<section id=\"{id}\">")).unwrap_or_else(|| panic!("no section {id}")))
        .collect();
    assert!(places.is_sorted());
    for id in SECTIONS {
        assert!(page.contains(&format!("<a href=\"#{id}\">")), "{id} is not in the navigation");
    }
}

#[test]
fn the_page_needs_nothing_else() {
    let page = page::html(&fixture());
    for word in ["http://", "https://", "<script", "@import", "url(", "src="] {
        let found: Vec<_> =
            page.match_indices(word).filter(|(at, _)| !page[*at..].starts_with("http://www.w3.org/2000/svg")).collect();
        assert!(found.is_empty(), "{word} in the page");
    }
    assert!(page.len() < 3_000_000, "{}", page.len());
}

#[test]
fn every_figure_says_something() {
    for section in all(&fixture()) {
        assert!(section.introduction.len() > 40, "{}: {}", section.id, section.introduction);
        for figure in &section.figures {
            let reading = &figure.reading;
            assert!(reading.ends_with('.') && reading.len() > 20, "{}: {reading}", figure.title);
            assert!(!reading.contains("NaN") && !reading.contains("inf") && !reading.contains('–'), "{reading}");
            if let Picture::Table(table) | Picture::Folded(table) = &figure.picture {
                assert!(!table.rows.is_empty(), "{} has no rows", figure.title);
                assert!(table.rows.iter().all(|row| row.len() == table.head.len()), "{} is ragged", figure.title);
            }
        }
    }
    assert_eq!(key_figures(&fixture()).len(), 5);
}

#[test]
fn readings_follow_the_data() {
    let reading = |report: &Report, title: &str| {
        let sections = all(report);
        let figures = sections.iter().flat_map(|section| &section.figures);
        let found: Vec<String> =
            figures.filter(|figure| figure.title.contains(title)).map(|figure| figure.reading.clone()).collect();
        found.first().unwrap_or_else(|| panic!("no figure {title}")).clone()
    };
    let mut report = fixture();
    let before = reading(&report, "Time to");
    let convergence = report.convergence.as_mut().unwrap();
    let advised = convergence.advised.unwrap();
    assert!(before.contains(&format!("Take mini-batches of {advised}:")), "{before}");
    let other = convergence.runs.iter().map(|run| run.batch).find(|&batch| batch != advised).unwrap();
    convergence.runs.iter_mut().find(|run| run.batch == other).unwrap().seconds = vec![Some(1e-6)];
    convergence.advised = Some(other);
    assert!(reading(&report, "Time to").contains(&format!("Take mini-batches of {other}:")));
    for kernel in &mut report.kernels {
        kernel.limit_seconds = 0.5 * kernel.seconds.median;
    }
    let roofline = reading(&report, "Every kernel under its roof");
    assert!(roofline.starts_with("0 of ") && roofline.contains("the median is 50\u{202f}%"), "{roofline}");
}

#[test]
fn a_report_of_nothing_is_a_page_too() {
    let mut report = fixture();
    (report.kernels, report.convergence, report.limits) = (Vec::new(), None, Limits::default());
    (report.peers, report.comparison) = (None, None);
    report.noise.guard.clear();
    let page = page::html(&report);
    assert!(page.contains("<section id=\"accuracy\">") && !page.contains("<section id=\"gemm\">"));
    assert!(markdown::text(&report).starts_with("# roofline on "));
    assert!(terminal::summary(&report).contains("family"));
}

#[test]
fn what_the_host_is_called_cannot_break_the_page() {
    let mut report = fixture();
    report.host.cpu = "<script>alert(1)</script> & \"more\"".into();
    report.noise.warnings.push("<b>".into());
    let page = page::html(&report);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;"));
}

#[test]
fn tables_of_the_markdown_have_as_many_cells_in_each_row() {
    let text = markdown::text(&fixture());
    let mut columns = None;
    for line in text.lines() {
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        let count = line.replace("\\|", "").matches('|').count();
        assert_eq!(*columns.get_or_insert(count), count, "{line}");
    }
    for title in ["## The roofline", "## Matrix products", "## Rivals", "## Change"] {
        assert!(text.contains(title), "{title}");
    }
}

#[test]
fn the_terminal_shows_families_and_what_became_worse() {
    let report = fixture();
    let text = terminal::summary(&report);
    for family in ["gemm", "activation", "softmax", "norm", "reduce", "optim", "train_step"] {
        assert!(text.lines().any(|line| line.starts_with(family)), "{family} in\n{text}");
    }
    let worse = report.comparison.as_ref().unwrap().of(Verdict::Worse).next().unwrap();
    assert!(text.contains(&worse.id), "{text}");
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest <= 120), "{widest:?} in\n{text}");
}
