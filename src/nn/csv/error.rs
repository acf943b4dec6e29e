//! Why a file is not the data set that was asked for.

use crate::error::Error;
use std::fmt;
use std::io;

/// Characters of a cell that a message quotes at most.
const QUOTED: usize = 40;

/// Why a CSV file was refused. Rows are records, counted from 1, the header among them, blank lines not; columns count from 1.
#[derive(Debug)]
#[non_exhaustive]
pub enum CsvError {
    /// The reader failed.
    Io(io::Error),
    /// There is no record at all.
    Empty,
    /// There is a header only.
    NoRows,
    /// There is one column only: a label, but no input.
    NoInputs,
    /// A cell is not what its column holds.
    Cell {
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
        /// What the header calls the column.
        name: Option<String>,
        /// Its text.
        cell: String,
        /// What is wrong with it: "is not a number".
        problem: &'static str,
    },
    /// A row has more or fewer cells than the first.
    Ragged {
        /// Which row.
        row: usize,
        /// Cells of the first row.
        expected: usize,
        /// Cells of this one.
        found: usize,
    },
    /// One of the [`Limits`](super::Limits) is passed.
    TooLarge {
        /// Of what there is too much.
        what: &'static str,
        /// The row that it begins in.
        row: usize,
        /// What is allowed.
        limit: usize,
    },
    /// There is no memory for another row.
    AllocationFailed {
        /// Which row.
        row: usize,
    },
    /// The file has no such column for the label.
    NoColumn {
        /// Which column was asked for.
        label: String,
        /// Number of columns of the file.
        columns: usize,
    },
    /// Two columns have the name of the label.
    TwoColumns {
        /// That name.
        name: String,
    },
    /// An option, or the data set as a whole, is refused.
    Data(Error),
}

/// The text in quotes, without what a terminal might obey, and cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read CSV file: {error}"),
            Self::Empty => write!(f, "the CSV file is empty"),
            Self::NoRows => write!(f, "the CSV file has a header, but no rows"),
            Self::NoInputs => write!(f, "the CSV file has one column: a label, but no inputs"),
            Self::Cell { row, column, name, cell, problem } => {
                write!(f, "row {row}, column {column}")?;
                if let Some(name) = name {
                    write!(f, " ({})", quoted(name))?;
                }
                write!(f, ": {} {problem}", quoted(cell))
            }
            Self::Ragged { row, expected, found } => {
                write!(f, "row {row} has {found} cells, the first row has {expected}")
            }
            Self::TooLarge { what, row, limit } => write!(f, "row {row}: more {what} than the limit of {limit}"),
            Self::AllocationFailed { row } => write!(f, "no memory for row {row} of the CSV file"),
            Self::NoColumn { label, columns } => {
                write!(f, "no column for the label: none {label} among the {columns} of the CSV file")
            }
            Self::TwoColumns { name } => write!(f, "two columns are called {}", quoted(name)),
            Self::Data(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CsvError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Data(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Error> for CsvError {
    fn from(error: Error) -> Self {
        Self::Data(error)
    }
}
