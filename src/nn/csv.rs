//! Data sets from CSV files (RFC 4180), by the crate `csv`. Needs the feature `csv`.
//!
//! ```text
//! length,width,species        header: names of the columns, or none
//! 5.1,3.5,setosa              inputs are numbers; one column is the label:
//! 7.0,3.2,versicolor          a name of a class, a class index, or a value (regression)
//! ```
//!
//! A file may lie, or never end: records, columns, rows and classes have limits ([`Limits`]), and memory follows the bytes that
//! arrived. Errors name row and column and quote the cell. Rows are records, counted from 1, the
//! header among them, blank lines not; columns count from 1.
//!
//! ```
//! use roofline::nn::csv::{self, Options};
//!
//! let file = "length,width,species\n5.1,3.5,setosa\n7.0,3.2,versicolor\n4.9,3.0,setosa\n";
//! let table = csv::read::<f32>(file.as_bytes(), &Options::default())?;
//! assert_eq!((table.data.len(), table.data.inputs()), (3, 2));
//! assert_eq!(table.inputs, ["length", "width"]);
//! assert_eq!(table.classes, ["setosa", "versicolor"]);
//! assert_eq!(table.data.labels(), [0, 1, 0]);
//!
//! let damaged = "length,width,species\n5.1,3.5,setosa\n7.0,wide,versicolor\n";
//! let error = csv::read::<f32>(damaged.as_bytes(), &Options::default()).unwrap_err();
//! assert_eq!(error.to_string(), "row 3, column 2 (\"width\"): \"wide\" is not a number");
//! # Ok::<(), csv::CsvError>(())
//! ```

mod error;
mod labels;
mod records;

pub use error::CsvError;

use super::dataset::Dataset;
use crate::element::Element;
use crate::matrix::Mat;
use error::quoted;
use labels::Labels;
use records::Records;
use std::io::Read;

/// How a file is to be understood. The default: header if there is one, commas, names of classes in the last column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether the first record names the columns.
    pub header: Header,
    /// Which column is the label.
    pub label: Column,
    /// What the label is.
    pub kind: LabelKind,
    /// What is between two cells.
    pub delimiter: u8,
    /// What is too much.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        let (header, label, kind) = (Header::Auto, Column::Last, LabelKind::Names);
        Self { header, label, kind, delimiter: b',', limits: Limits::default() }
    }
}

/// Whether the first record names the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It does where it has text but no number among its inputs, or where the label is told by name.
    Auto,
    /// It does.
    Present,
    /// It is data.
    Absent,
}

/// A column of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// The last.
    Last,
    /// By index, counted from 0.
    Index(usize),
    /// By name in the header.
    Name(String),
}

/// What the label of an example is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelKind {
    /// Text, a class for each that occurs, in the order of their bytes.
    Names,
    /// One of these texts, the classes: those that another file had.
    KnownNames(Vec<String>),
    /// A class index from 0; as many classes as the greatest and one.
    Integers,
    /// A number that the network should give: regression.
    Values,
}

/// What is refused as too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a record with its line end. 1 MiB by default.
    pub record_bytes: usize,
    /// Columns of the file. 65,536 by default.
    pub columns: usize,
    /// Records, the header not among them. 2²⁷ = 134,217,728 by default.
    pub rows: usize,
    /// Classes. 65,536 by default.
    pub classes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { record_bytes: 1 << 20, columns: 1 << 16, rows: 1 << 27, classes: 1 << 16 }
    }
}

/// What a file held.
#[derive(Clone, Debug)]
pub struct Table<T> {
    /// The examples in the order of the file, every column but the label an input.
    pub data: Dataset<T>,
    /// Names of the inputs; none without a header.
    pub inputs: Vec<String>,
    /// Names of the classes; none where labels are integers or values.
    pub classes: Vec<String>,
}

/// Reads a file to its end.
///
/// # Errors
/// Any variant of [`CsvError`].
pub fn read<T: Element>(reader: impl Read, options: &Options) -> Result<Table<T>, CsvError> {
    let mut labels = Labels::new(options);
    let (x, mut inputs, label) = read_columns(reader, options, Some(&mut labels))?;
    if !inputs.is_empty() {
        inputs.remove(label);
    }
    let (data, classes) = labels.finish(x)?;
    Ok(Table { data, inputs, classes })
}

/// Reads a file without a label column to its end: inputs to predict for, one example a row, and the names of the columns. What
/// `options` say about labels does not matter.
///
/// # Errors
/// As [`read`].
///
/// ```
/// use roofline::nn::csv::{self, Options};
/// let (x, names) = csv::read_inputs::<f32>(&b"length,width\n5.1,3.5\n"[..], &Options::default())?;
/// assert_eq!((x.as_slice(), &names[..]), (&[5.1, 3.5][..], &["length".to_owned(), "width".to_owned()][..]));
/// # Ok::<(), csv::CsvError>(())
/// ```
pub fn read_inputs<T: Element>(reader: impl Read, options: &Options) -> Result<(Mat<T>, Vec<String>), CsvError> {
    let options = Options { label: Column::Last, ..options.clone() };
    let (x, names, _) = read_columns(reader, &options, None)?;
    Ok((x, names))
}

/// The inputs, the names of all columns, and which of them went to `labels`.
fn read_columns<T: Element>(
    reader: impl Read,
    options: &Options,
    mut labels: Option<&mut Labels<T>>,
) -> Result<(Mat<T>, Vec<String>, usize), CsvError> {
    let mut records = Records::new(reader, options)?;
    if !records.advance()? {
        return Err(CsvError::Empty);
    }
    let layout = Layout::of_first(&records, options, labels.is_some())?;
    if !layout.names.is_empty() && !records.advance()? {
        return Err(CsvError::NoRows);
    }
    let (mut x, mut rows) = (Vec::new(), 0);
    loop {
        rows += 1;
        if rows > options.limits.rows {
            return Err(CsvError::TooLarge { what: "rows", row: records.row, limit: options.limits.rows });
        }
        layout.take(&records, &mut x, labels.as_deref_mut())?;
        if !records.advance()? {
            break;
        }
    }
    let columns = x.len() / rows;
    Ok((Mat::from_fn(rows, columns, |i, j| x[i * columns + j]), layout.names, layout.label))
}

/// The columns of a file.
struct Layout {
    columns: usize,
    /// Of all columns; none without a header.
    names: Vec<String>,
    /// Which one is the label; `columns` where none is.
    label: usize,
}

impl Layout {
    /// By the first record.
    fn of_first(records: &Records<impl Read>, options: &Options, labelled: bool) -> Result<Self, CsvError> {
        let columns = records.record.len();
        let missing = |label: String| CsvError::NoColumn { label, columns };
        if columns > options.limits.columns {
            return Err(CsvError::TooLarge { what: "columns", row: records.row, limit: options.limits.columns });
        }
        let mut label = match options.label {
            _ if !labelled => columns,
            Column::Index(index) if index >= columns => return Err(missing(format!("of index {index}"))),
            Column::Index(index) => index,
            Column::Last | Column::Name(_) => columns - 1,
        };
        let header = match (options.header, &options.label) {
            (Header::Present, _) | (Header::Auto, Column::Name(_)) => true,
            (Header::Absent, _) => false,
            (Header::Auto, _) => {
                let mut inputs = records.record.iter().enumerate().filter(|&(j, _)| j != label || columns == 1);
                let numbers = inputs.clone().any(|(_, cell)| number(cell).is_some());
                !numbers && inputs.any(|(_, cell)| !cell.trim_ascii().is_empty())
            }
        };
        let name = |cell: &[u8]| String::from_utf8_lossy(cell.trim_ascii()).into_owned();
        let names: Vec<String> = if header { records.record.iter().map(name).collect() } else { Vec::new() };
        if let Column::Name(wanted) = &options.label {
            let mut found = (0..names.len()).filter(|&j| names[j] == *wanted);
            label = found.next().ok_or_else(|| missing(format!("called {}", quoted(wanted))))?;
            if found.next().is_some() {
                return Err(CsvError::TwoColumns { name: wanted.clone() });
            }
        }
        if columns == 1 && labelled {
            return Err(CsvError::NoInputs);
        }
        Ok(Self { columns, names, label })
    }

    /// Appends the inputs and the label of a record.
    fn take<T: Element>(
        &self,
        records: &Records<impl Read>,
        x: &mut Vec<T>,
        mut labels: Option<&mut Labels<T>>,
    ) -> Result<(), CsvError> {
        let (row, record) = (records.row, &records.record);
        if record.len() != self.columns {
            return Err(CsvError::Ragged { row, expected: self.columns, found: record.len() });
        }
        x.try_reserve(self.columns).map_err(|_| CsvError::AllocationFailed { row })?;
        for (j, cell) in record.iter().enumerate() {
            let taken = match &mut labels {
                Some(labels) if j == self.label => labels.take(cell),
                _ => value(cell).map(|value| x.push(value)),
            };
            taken.map_err(|problem| CsvError::Cell {
                row,
                column: j + 1,
                name: self.names.get(j).cloned(),
                cell: String::from_utf8_lossy(cell).into_owned(),
                problem,
            })?;
        }
        Ok(())
    }
}

/// The number that a cell holds, any that Rust can read, infinities and NaN too.
fn number(cell: &[u8]) -> Option<f64> {
    str::from_utf8(cell).ok()?.trim().parse().ok()
}

/// The finite number of a cell, or what is wrong with it.
fn value<T: Element>(cell: &[u8]) -> Result<T, &'static str> {
    match number(cell) {
        None if cell.trim_ascii().is_empty() => Err("is empty"),
        None => Err("is not a number"),
        Some(number) if !number.is_finite() => Err("is not finite"),
        Some(number) => match T::from_f64(number) {
            value if value.to_f64().is_finite() => Ok(value),
            _ => Err("is beyond the range of the type"),
        },
    }
}
