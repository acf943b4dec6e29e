//! [`Results`] as a table.

use super::results::Results;
use super::space::{Scale, significant};
use super::trial::Row;
use core::fmt;

/// Trials by score, the best on top, failed ones with their errors at the end; numbers in four significant digits.
impl fmt::Display for Results<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let search = self.search();
        writeln!(
            f,
            "{}, seed {}: {} of {} trials",
            search.strategy(),
            search.seed(),
            self.rows().len(),
            search.trials()
        )?;
        let mut rows: Vec<&Row<'_>> = self.rows().iter().collect();
        rows.sort_by(|a, b| a.rank(b));
        let table: Vec<Vec<String>> =
            core::iter::once(self.heading()).chain(rows.iter().map(|row| cells(row))).collect();
        let columns = table[0].len();
        let width = |column: usize| table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (index, cells) in table.iter().enumerate() {
            for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                // Numbers end in one column, names begin in one.
                if self.is_text(column) { write!(f, "{gap}{cell:width$}")? } else { write!(f, "{gap}{cell:>width$}")? }
            }
            let error = index.checked_sub(1).and_then(|index| rows[index].error());
            writeln!(f, "{}{}", if error.is_some() { "  " } else { "" }, error.unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Results<'_> {
    fn heading(&self) -> Vec<String> {
        let axes = self.search().space().axes().iter().map(|axis| match &axis.unit {
            Some(unit) => format!("{} [{unit}]", axis.name),
            None => axis.name.clone(),
        });
        ["trial".into()].into_iter().chain(axes).chain([self.search().score_name().into()]).collect()
    }

    fn is_text(&self, column: usize) -> bool {
        let axis = column.checked_sub(1).and_then(|index| self.search().space().axes().get(index));
        axis.is_some_and(|axis| matches!(axis.scale, Scale::Choice(_)))
    }
}

/// `round.index`, the values, the score.
fn cells(row: &Row<'_>) -> Vec<String> {
    let (round, index) = row.trial().key();
    let values = row.trial().values().map(|(axis, coordinate)| axis.scale.short(coordinate));
    let score = row.score().map_or("failed".into(), significant);
    [format!("{round}.{index}")].into_iter().chain(values).chain([score]).collect()
}
