//! CSV files, whatever they hold, against a reader that only splits.

use super::memory::{Slow, bounded};
use crate::common::Float;
use arbitrary::Arbitrary;
use roofline::MatRef;
use roofline::nn::csv::{Column, CsvError, Header, LabelKind, Limits, Options, Table, read, read_inputs};

/// Bytes that are held at most for each byte of a file: of a cell of one digit a number, in a vector that grows and in the
/// matrix; of a class of one letter its name in a table.
const MAX_MULTIPLE: usize = 128;

#[derive(Arbitrary, Debug)]
pub struct Plan<'a> {
    double: bool,
    step: u8,
    delimiter: u8,
    header: u8,
    label: u8,
    kind: u8,
    strict: bool,
    file: &'a [u8],
}

impl Plan<'_> {
    /// Panics unless readers agree, and what they accept is in the file.
    pub fn run(&self) {
        if self.double { self.run_as::<f64>() } else { self.run_as::<f32>() }
    }

    fn run_as<T: Float>(&self) {
        let (file, options) = (self.file, self.options());
        let table = bounded(file.len(), MAX_MULTIPLE, || read::<T>(file, &options));
        let again = read::<T>(Slow::new(file, self.step), &options);
        match (&table, &again) {
            (Ok(table), Ok(again)) => {
                let same = elements(table.data.x()) == elements(again.data.x());
                assert!(same && table.data.labels() == again.data.labels(), "{self:?}: a slow reader");
                self.check_table(table, &options);
            }
            (Err(table), Err(again)) => assert_eq!(table.to_string(), again.to_string()),
            _ => panic!("{self:?}: {:?} read slowly", again.err()),
        }
        let inputs = bounded(file.len(), MAX_MULTIPLE, || read_inputs::<T>(file, &options));
        self.check_inputs(inputs, &options);
    }

    fn options(&self) -> Options {
        let names = || ["a", "b"].map(String::from).to_vec();
        let kinds = [LabelKind::Names, LabelKind::KnownNames(names()), LabelKind::Integers, LabelKind::Values];
        let label = match self.label {
            0..100 => Column::Last,
            100 => Column::Name("a".into()),
            index => Column::Index(index as usize - 101),
        };
        let limits = Limits { record_bytes: 30, columns: 5, rows: 4, classes: 2 };
        Options {
            header: [Header::Auto, Header::Present, Header::Absent][self.header as usize % 3],
            label,
            kind: kinds[self.kind as usize % 4].clone(),
            delimiter: [b',', b';', b'\t', self.delimiter][self.delimiter as usize % 4],
            limits: if self.strict { limits } else { Limits::default() },
        }
    }

    fn check_table<T: Float>(&self, table: &Table<T>, options: &Options) {
        let Table { data, inputs, classes } = table;
        assert!(data.len() > 0 && data.len() <= options.limits.rows && data.inputs() < options.limits.columns);
        assert!(inputs.is_empty() || inputs.len() == data.inputs(), "{self:?}");
        assert!(data.labels().iter().all(|&label| label < data.classes()), "{self:?}");
        assert!(classes.is_empty() || classes.len() == data.classes(), "{self:?}");
        if options.kind != LabelKind::Integers {
            assert!(classes.len() <= options.limits.classes.max(2), "{self:?}");
        }
        let columns = data.inputs() + 1;
        let label = match options.label {
            Column::Last => columns - 1,
            Column::Index(index) => index,
            Column::Name(_) => return,
        };
        self.check_cells(&elements(data.x()), !inputs.is_empty(), options.delimiter, label);
    }

    fn check_inputs<T: Float>(&self, inputs: Result<(roofline::Mat<T>, Vec<String>), CsvError>, options: &Options) {
        match inputs {
            Ok((x, names)) => {
                assert!(x.rows() > 0 && (names.is_empty() || names.len() == x.cols()), "{self:?}");
                self.check_cells(x.as_slice(), !names.is_empty(), options.delimiter, usize::MAX);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }

    /// Cells but those of column `label` are these numbers, in their order; where quotes and line ends are plain.
    fn check_cells<T: Float>(&self, found: &[T], has_header: bool, delimiter: u8, label: usize) {
        if self.file.iter().any(|&byte| byte == b'"' || byte == b'\r') {
            return;
        }
        let file = self.file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.file);
        let lines = file.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let numbers = lines.skip(usize::from(has_header)).flat_map(|line| {
            let cells = line.split(|&byte| byte == delimiter).enumerate();
            cells.filter(|&(j, _)| j != label).map(|(_, cell)| {
                let text = str::from_utf8(cell).expect("it was read");
                T::from_f64(text.trim().parse().expect("it was read"))
            })
        });
        assert!(numbers.eq(found.iter().copied()), "{self:?}: {found:?}");
    }
}

fn elements<T: Float>(x: MatRef<'_, T>) -> Vec<T> {
    (0..x.rows()).flat_map(|i| (0..x.cols()).filter_map(move |j| x.get(i, j))).collect()
}
