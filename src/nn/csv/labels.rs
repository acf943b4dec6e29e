//! The label column, cell by cell.

use super::{LabelKind, Options, value};
use crate::element::Element;
use crate::error::Error;
use crate::matrix::Mat;
use crate::nn::Dataset;
use std::collections::HashMap;

/// The labels so far.
pub(super) enum Labels<T> {
    /// Which name each example has, numbered as they came up; no more than `limit` of them.
    Names { numbers: HashMap<String, usize>, labels: Vec<usize>, limit: usize },
    /// Which of the known names.
    Known { names: Vec<String>, numbers: HashMap<String, usize>, labels: Vec<usize> },
    /// Class indices below `limit`.
    Integers { labels: Vec<usize>, limit: usize },
    /// Numbers.
    Values(Vec<T>),
}

impl<T: Element> Labels<T> {
    pub(super) fn new(options: &Options) -> Self {
        let (limit, labels) = (options.limits.classes, Vec::new());
        match &options.kind {
            LabelKind::Names => Labels::Names { numbers: HashMap::new(), labels, limit },
            LabelKind::KnownNames(names) => {
                let numbers = names.iter().enumerate().map(|(number, name)| (name.clone(), number)).collect();
                Labels::Known { names: names.clone(), numbers, labels }
            }
            LabelKind::Integers => Labels::Integers { labels, limit },
            LabelKind::Values => Labels::Values(Vec::new()),
        }
    }

    /// Appends the label of a cell, or says what is wrong with it.
    pub(super) fn take(&mut self, cell: &[u8]) -> Result<(), &'static str> {
        if let Labels::Values(values) = self {
            values.push(value(cell)?);
            return Ok(());
        }
        let text = str::from_utf8(cell).map_err(|_| "is not text in UTF-8")?.trim();
        if text.is_empty() {
            return Err("is empty");
        }
        match self {
            Labels::Names { numbers, labels, limit } => match numbers.get(text) {
                Some(&number) => labels.push(number),
                None if numbers.len() < *limit => {
                    labels.push(numbers.len());
                    numbers.insert(text.to_owned(), numbers.len());
                }
                None => return Err("is one class more than the limit"),
            },
            Labels::Known { numbers, labels, .. } => labels.push(*numbers.get(text).ok_or("is not a known class")?),
            Labels::Integers { labels, limit } => match text.parse() {
                Ok(label) if label < *limit => labels.push(label),
                Ok(_) => return Err("is not below the limit of classes"),
                Err(_) => return Err("is not a class index"),
            },
            Labels::Values(_) => {}
        }
        Ok(())
    }

    /// The data set of all examples, and the names of its classes.
    pub(super) fn finish(self, x: Mat<T>) -> Result<(Dataset<T>, Vec<String>), Error> {
        match self {
            Labels::Names { numbers, labels, .. } => {
                let mut sorted: Vec<(String, usize)> = numbers.into_iter().collect();
                sorted.sort_unstable();
                let mut classes = vec![0; sorted.len()];
                sorted.iter().enumerate().for_each(|(class, &(_, number))| classes[number] = class);
                let labels = labels.into_iter().map(|number| classes[number]).collect();
                Ok((Dataset::new(x, labels, classes.len())?, sorted.into_iter().map(|(name, _)| name).collect()))
            }
            Labels::Known { names, labels, .. } => Ok((Dataset::new(x, labels, names.len())?, names)),
            Labels::Integers { labels, .. } => {
                let classes = labels.iter().max().map_or(0, |greatest| greatest + 1);
                Ok((Dataset::new(x, labels, classes)?, Vec::new()))
            }
            Labels::Values(values) => {
                let y = Mat::from_fn(values.len(), 1, |i, _| values[i]);
                Ok((Dataset::with_values(x, y)?, Vec::new()))
            }
        }
    }
}
