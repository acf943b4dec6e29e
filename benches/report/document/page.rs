//! `index.html`: one file that needs nothing else. Each plot is drawn twice, for wide and for narrow screens; the style shows one of them.

use super::plot::STYLE;
use super::plot::text::{bytes, escape, number};
use super::schema::{Mode, Report};
use super::sections::{Figure, Picture, Section, Table, all, key_figures};

const PAGE_STYLE: &str = include_str!("page.css");

/// Widths of plots: across the page, in one of two columns, on a phone.
pub(crate) const WIDE: f64 = 1080.0;
pub(crate) const HALF: f64 = 520.0;
pub(crate) const NARROW: f64 = 348.0;

/// The page of a report.
pub(crate) fn html(report: &Report) -> String {
    let sections = all(report);
    let title = format!("roofline on {}", escape(&report.host.cpu));
    let mut page = String::with_capacity(1 << 20);
    page += "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    page += "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n";
    page += &format!("<title>{title}</title>\n<style>\n{STYLE}\n{PAGE_STYLE}</style>\n</head>\n<body>\n");
    page += &header(report, &sections);
    page += "<main>\n";
    sections.iter().for_each(|part| page += &section(part));
    page += "</main>\n";
    page += &footer(report);
    page += "</body>\n</html>\n";
    page
}

fn header(report: &Report, sections: &[Section]) -> String {
    let host = &report.host;
    let mut text = String::from("<header>\n<p class=\"eyebrow\">roofline · performance report</p>\n");
    text += &format!("<h1>{}</h1>\n", escape(&host.cpu));
    text += "<dl class=\"host\">\n";
    for (name, value) in facts(report) {
        text += &format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(&value));
    }
    text += "</dl>\n";
    for warning in &report.noise.warnings {
        text += &format!("<p class=\"warning\" role=\"note\"><b>Noisy.</b> {}</p>\n", escape(warning));
    }
    text += "<ul class=\"keys\">\n";
    for key in key_figures(report) {
        let (name, value, unit, note) = (escape(&key.name), escape(&key.value), escape(&key.unit), escape(&key.note));
        text += &format!(
            "<li><span class=\"name\">{name}</span><span class=\"value\">{value}<small> {unit}</small></span><span class=\"note\">{note}</span></li>\n"
        );
    }
    text += "</ul>\n<nav aria-label=\"Sections\">\n";
    for section in sections {
        text += &format!("<a href=\"#{}\">{}</a>\n", section.id, escape(&section.title));
    }
    text + "</nav>\n</header>\n"
}

/// Host and build.
pub(crate) fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let host = &report.host;
    let cache = |cache: &super::schema::Cache| {
        let shared = if cache.cores > 1 { format!(" for {} cores", cache.cores) } else { String::new() };
        format!("{} {}{shared}", cache.level, bytes(cache.bytes))
    };
    let mut facts = vec![
        ("Cores", format!("{}, {} used", host.cores, host.threads)),
        ("Caches", host.caches.iter().map(cache).collect::<Vec<_>>().join(", ")),
        ("Instruction sets", host.instruction_sets.join(", ")),
        ("System", host.system.clone()),
        ("Compiler", host.compiler.clone()),
        ("Version", format!("{} {}", report.version, host.commit)),
        ("Date", host.date.replace('T', " ").replace('Z', " UTC")),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn section(section: &Section) -> String {
    let (id, title) = (section.id, escape(&section.title));
    let mut text = format!(
        "<section id=\"{id}\">\n<h2>{title}</h2>\n<p class=\"introduction\">{}</p>\n",
        prose(&section.introduction)
    );
    text += "<div class=\"figures\">\n";
    section.figures.iter().for_each(|part| text += &figure(part));
    text + "</div>\n</section>\n"
}

fn figure(figure: &Figure) -> String {
    let class = if figure.is_wide { "wide" } else { "half" };
    let (title, reading) = (escape(&figure.title), prose(&figure.reading));
    let mut text = format!(
        "<figure class=\"{class}\">\n<figcaption><h3>{title}</h3><p class=\"reading\">{reading}</p></figcaption>\n"
    );
    for (class, width) in [("on-wide", if figure.is_wide { WIDE } else { HALF }), ("on-narrow", NARROW)] {
        if let Some(picture) = figure.picture.draw(width) {
            text += &format!("<div class=\"{class}\">{}</div>\n", picture.svg());
        }
    }
    match &figure.picture {
        Picture::Table(rows) => text += &table(rows),
        Picture::Folded(rows) => {
            text += &format!("<details><summary>{} rows</summary>\n{}</details>\n", rows.rows.len(), table(rows));
        }
        Picture::Chart(_) | Picture::Heat(_) | Picture::Bars(_) => {}
    }
    text + "</figure>\n"
}

fn table(table: &Table) -> String {
    let mut text = String::from("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
    table.head.iter().for_each(|name| text += &format!("<th scope=\"col\">{}</th>", escape(name)));
    text += "</tr></thead>\n<tbody>\n";
    for row in &table.rows {
        text += "<tr>";
        for (column, cell) in row.iter().enumerate() {
            text += &match column {
                0 => format!("<th scope=\"row\">{}</th>", escape(cell)),
                _ => format!("<td class=\"{}\">{}</td>", verdict(cell), escape(cell)),
            };
        }
        text += "</tr>\n";
    }
    text + "</tbody>\n</table></div>\n"
}

/// A class for the words that a comparison ends in.
fn verdict(cell: &str) -> &str {
    if matches!(cell, "better" | "worse") { cell } else { "" }
}

/// Text in which backticks mark code.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { escape(part) }).collect()
}

fn footer(report: &Report) -> String {
    let mode = match report.mode {
        Mode::Test => " -- --test",
        Mode::Quick => " -- --quick",
        Mode::Default => "",
        Mode::Full => " -- --full",
    };
    format!(
        "<footer><p>Made in {} s by <code>cargo bench --bench report{mode}</code>. Point at anything for its values; <code>report.json</code> beside \
         this page has them all.</p></footer>\n",
        number(report.seconds)
    )
}
