//! The file of finished trials: read, written anew beside, renamed, then a row at a time.

use roofline::nn::tuner::{Results, Row, Search};
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

/// Where rows go, if anywhere.
pub(crate) struct Journal {
    file: Option<(PathBuf, File)>,
    error: Option<io::Error>,
}

impl Journal {
    /// The trials that the file has, and the file to append others to.
    pub(crate) fn open<'a>(path: Option<&Path>, search: &'a Search) -> Result<(Results<'a>, Self), Box<dyn Error>> {
        let Some(path) = path else {
            return Ok((search.results(), Self { file: None, error: None }));
        };
        let named = |error: &dyn Error| format!("{}: {error}", path.display());
        let results = match File::open(path) {
            Ok(file) => search.read_csv(BufReader::new(file)).map_err(|error| named(&error))?,
            Err(error) if error.kind() == ErrorKind::NotFound => search.results(),
            Err(error) => return Err(named(&error).into()),
        };
        let file = rewrite(path, &results).map_err(|error| named(&error))?;
        Ok((results, Self { file: Some((path.into(), file)), error: None }))
    }

    /// Appends a row; whether it could.
    pub(crate) fn add(&mut self, row: &Row<'_>) -> bool {
        let Some((_, file)) = &mut self.file else { return true };
        self.error = self.error.take().or(row.write_csv(file).err());
        self.error.is_none()
    }

    /// Whether all rows are there.
    pub(crate) fn finish(&mut self) -> Result<(), Box<dyn Error>> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let error = self.error.take().or(file.sync_all().err());
        error.map_or(Ok(()), |error| Err(format!("{}: {error}", path.display()).into()))
    }

    /// How to go on.
    pub(crate) fn hint(&self) -> String {
        match &self.file {
            Some((path, _)) => format!("; the same command goes on from {}", path.display()),
            None => String::new(),
        }
    }
}

/// A file that ends within a line must not be continued: what was read is written anew, so that nothing is lost at any moment.
fn rewrite(path: &Path, results: &Results<'_>) -> io::Result<File> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut text = Vec::new();
    results.write_csv(&mut text)?;
    fs::write(&new, text)?;
    File::open(&new)?.sync_all()?;
    fs::rename(&new, path)?;
    OpenOptions::new().append(true).open(path)
}
