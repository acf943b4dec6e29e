//! The data that the options name: a training set, and what the report measures the error on.

use super::files;
use super::options::{DataOptions, HeaderName, LabelKindName, YesNo};
use roofline::nn::csv::{self, Column, Header, LabelKind, Table};
use roofline::nn::idx::Images;
use roofline::nn::{Dataset, ImageSet, Normalization, Source};
use roofline::{Exec, Mat};
use std::error::Error;
use std::fs::File;
use std::path::Path;

/// Classes of digits, of MNIST and of its successors.
const IMAGE_CLASSES: usize = 10;
/// The value of a white pixel: of the digits, and of MNIST.
const DIGITS_WHITE: u8 = 16;
const WHITE: u8 = 255;
/// Digits that are kept from training.
const DIGITS_DEV: usize = 360;
/// One of so many examples of other sets is kept from training.
const DEV_PART: usize = 5;

/// What was read, as it came.
pub(crate) enum Raw {
    Digits(Images, Vec<u8>),
    Files(Box<files::Set>),
    Table(Box<Table<f32>>),
}

/// Examples in memory, or images where they lie.
pub(crate) enum Examples<'a> {
    Memory(Dataset<f32>),
    Images(ImageSet<'a, f32>),
}

/// A training set, and another one to measure on.
pub(crate) struct Data<'a> {
    pub(crate) train: Examples<'a>,
    pub(crate) dev: Examples<'a>,
    /// `dev` or `test`.
    pub(crate) dev_name: &'static str,
    /// Names of the classes; none where they are numbers.
    pub(crate) names: Vec<String>,
    /// What has been applied to both.
    pub(crate) normalization: Option<Normalization<f32>>,
}

/// Whose errors the report shows where there are test files and no `--dev-examples`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The test files.
    Test,
    /// A part of the training set: what is chosen by an error must not be judged by it.
    Dev,
}

/// How inputs are normalised.
#[derive(Clone, Copy)]
pub(crate) enum Scaling<'a> {
    /// As the options ask, by numbers of the training set.
    Fit,
    /// As the checkpoint has it.
    Saved(Option<&'a Normalization<f32>>),
}

impl DataOptions {
    /// Reads what is asked for.
    pub(crate) fn read(&self) -> Result<Raw, Box<dyn Error>> {
        if let Some(dir) = &self.data {
            return Ok(Raw::Files(Box::new(files::load(dir)?)));
        }
        let Some(path) = &self.csv else {
            let (images, labels) = files::digits()?;
            return Ok(Raw::Digits(images, labels));
        };
        let kind = match self.label_kind {
            LabelKindName::Names => LabelKind::Names,
            LabelKindName::Integers => LabelKind::Integers,
            LabelKindName::Values => LabelKind::Values,
        };
        Ok(Raw::Table(Box::new(self.table(path, kind)?)))
    }

    /// A CSV file with labels.
    pub(crate) fn table(&self, path: &Path, kind: LabelKind) -> Result<Table<f32>, Box<dyn Error>> {
        let options = csv::Options { kind, ..self.csv_options()? };
        csv::read(open(path)?, &options).map_err(|error| named(path, &error))
    }

    /// A CSV file of inputs alone.
    pub(crate) fn inputs(&self, path: &Path) -> Result<Mat<f32>, Box<dyn Error>> {
        let read = csv::read_inputs(open(path)?, &self.csv_options()?);
        read.map(|(x, _)| x).map_err(|error| named(path, &error))
    }

    fn csv_options(&self) -> Result<csv::Options, Box<dyn Error>> {
        let header = match self.header {
            HeaderName::Auto => Header::Auto,
            HeaderName::Present => Header::Present,
            HeaderName::Absent => Header::Absent,
        };
        let label = match self.label.as_deref().map(|label| (label, label.parse::<usize>())) {
            None => Column::Last,
            Some((_, Ok(0))) => return Err("--label 0: columns count from 1".into()),
            Some((_, Ok(number))) => Column::Index(number - 1),
            Some((name, Err(_))) => Column::Name(name.into()),
        };
        Ok(csv::Options { header, label, ..csv::Options::default() })
    }

    /// Whether inputs are to be normalised.
    fn normalizes(&self) -> bool {
        self.normalize.map_or(self.csv.is_some(), |answer| answer == YesNo::Yes)
    }
}

fn open(path: &Path) -> Result<Box<dyn std::io::Read>, Box<dyn Error>> {
    File::open(path).and_then(files::gunzip).map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &dyn Error) -> Box<dyn Error> {
    format!("{}: {error}", path.display()).into()
}

impl Raw {
    /// The two sets, normalised.
    pub(crate) fn prepare(
        &self,
        options: &DataOptions,
        measure: Measure,
        (seed, exec): (u64, &Exec),
        scaling: Scaling<'_>,
    ) -> Result<Data<'_>, Box<dyn Error>> {
        let mut data = self.split(options, measure, seed)?;
        data.normalization = match scaling {
            Scaling::Saved(normalization) => normalization.cloned(),
            Scaling::Fit if options.normalizes() => Some(data.train.fit(exec)?),
            Scaling::Fit => None,
        };
        if let Some(normalization) = &data.normalization {
            data.train.normalize(normalization)?;
            data.dev.normalize(normalization)?;
        }
        Ok(data)
    }

    /// All examples that have labels, in the order of the files: what `predict` is measured on. Of image files the test set.
    pub(crate) fn all(&self) -> Result<Examples<'_>, Box<dyn Error>> {
        Ok(match self {
            Raw::Digits(images, labels) => {
                Examples::Memory(Dataset::from_images(images, labels, IMAGE_CLASSES, DIGITS_WHITE)?)
            }
            Raw::Files(set) => Examples::Images(image_set(set.test_images.images(), &set.test_labels)?),
            Raw::Table(table) => Examples::Memory(table.data.clone()),
        })
    }

    fn split(&self, options: &DataOptions, measure: Measure, seed: u64) -> Result<Data<'_>, Box<dyn Error>> {
        let part = |m: usize| options.dev_examples.unwrap_or((m / DEV_PART).max(1));
        let (train, dev, dev_name, names) = match self {
            Raw::Digits(images, labels) => {
                let all = Dataset::from_images(images, labels, IMAGE_CLASSES, DIGITS_WHITE)?;
                let (dev, train) = all.split(options.dev_examples.unwrap_or(DIGITS_DEV), seed)?;
                (Examples::Memory(train), Examples::Memory(dev), "dev", Vec::new())
            }
            Raw::Table(table) => {
                let (dev, train) = table.data.split(part(table.data.len()), seed)?;
                (Examples::Memory(train), Examples::Memory(dev), "dev", table.classes.clone())
            }
            Raw::Files(set) => {
                let train = image_set(set.train_images.images(), &set.train_labels)?;
                if measure == Measure::Test && options.dev_examples.is_none() {
                    let test = image_set(set.test_images.images(), &set.test_labels)?;
                    (Examples::Images(train), Examples::Images(test), "test", Vec::new())
                } else {
                    let (dev, train) = train.split(part(train.len()), seed)?;
                    (Examples::Images(train), Examples::Images(dev), "dev", Vec::new())
                }
            }
        };
        Ok(Data { train, dev, dev_name, names, normalization: None })
    }
}

fn image_set<'a>(
    images: roofline::nn::idx::ImagesRef<'a>,
    labels: &[u8],
) -> Result<ImageSet<'a, f32>, roofline::Error> {
    ImageSet::new(images, labels, IMAGE_CLASSES, WHITE)
}

impl Examples<'_> {
    pub(crate) fn source(&self) -> Source<'_, f32> {
        match self {
            Self::Memory(data) => data.into(),
            Self::Images(images) => images.into(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(data) => data.len(),
            Self::Images(images) => images.len(),
        }
    }

    pub(crate) fn inputs(&self) -> usize {
        match self {
            Self::Memory(data) => data.inputs(),
            Self::Images(images) => images.inputs(),
        }
    }

    /// Classes (0 for values), and outputs that a network needs.
    pub(crate) fn outputs(&self) -> (usize, usize) {
        match self {
            Self::Memory(data) => (data.outputs(), data.classes()),
            Self::Images(images) => (images.classes(), images.classes()),
        }
    }

    /// The first examples, in memory.
    pub(crate) fn head(&self, count: usize) -> Dataset<f32> {
        match self {
            Self::Memory(data) => data.head(count),
            Self::Images(images) => images.head(count).to_dataset(),
        }
    }

    pub(crate) fn normalize(&mut self, normalization: &Normalization<f32>) -> Result<(), roofline::Error> {
        match self {
            Self::Memory(data) => normalization.apply(data),
            Self::Images(images) => images.normalize(normalization),
        }
    }

    fn fit(&self, exec: &Exec) -> Result<Normalization<f32>, roofline::Error> {
        match self {
            Self::Memory(data) => Normalization::fit(exec, data),
            Self::Images(images) => Normalization::fit_images(exec, images),
        }
    }
}
