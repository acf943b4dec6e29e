//! `report.md`: the readings and tables, for a pull request or a wiki.

use super::page::facts;
use super::schema::Report;
use super::sections::{Picture, Table, all, key_figures};

/// The text of a report. Tables that open on demand on the page are left out.
pub(crate) fn text(report: &Report) -> String {
    let mut text = format!("# roofline on {}\n\n", report.host.cpu);
    for (name, value) in facts(report) {
        text += &format!("- {name}: {value}\n");
    }
    for warning in &report.noise.warnings {
        text += &format!("\n> **Noisy.** {warning}\n");
    }
    text += "\n| | | |\n|---|---|---|\n";
    for key in key_figures(report) {
        text += &format!("| {} | **{}** {} | {} |\n", key.name, key.value, key.unit, key.note);
    }
    for section in all(report) {
        text += &format!("\n## {}\n\n{}\n", section.title, section.introduction);
        for figure in &section.figures {
            text += &format!("\n**{}.** {}\n", figure.title, figure.reading);
            if let Picture::Table(rows) = &figure.picture
                && !rows.rows.is_empty()
            {
                text += &format!("\n{}", table(rows));
            }
        }
    }
    text
}

fn table(table: &Table) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = line(&table.head);
    text += &format!("|---|{}\n", "--:|".repeat(table.head.len().saturating_sub(1)));
    table.rows.iter().for_each(|row| text += &line(row));
    text
}
