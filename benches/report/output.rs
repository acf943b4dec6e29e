//! The folder of the report, and the check of a test run.

use crate::document::markdown;
use crate::document::page::{self, HALF, NARROW, WIDE};
use crate::document::schema::{Mode, Report};
use crate::document::sections::{all, squares};
use crate::options::Options;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Width of the picture that stands alone.
const PICTURE: f64 = 760.0;

/// Where the files go; a temporary one for a test.
pub(crate) struct Folder {
    path: PathBuf,
    is_temporary: bool,
}

impl Folder {
    /// Makes it.
    pub(crate) fn new(options: &Options) -> Result<Self, Box<dyn Error>> {
        let is_temporary = options.mode() == Mode::Test && options.output.is_none() && options.from.is_none();
        let path = match &options.output {
            Some(path) => path.clone(),
            None if is_temporary => std::env::temp_dir().join(format!("roofline-report-{}", std::process::id())),
            None => target()?.join("report"),
        };
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path, is_temporary })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all files, the page last: what it says is there then.
    pub(crate) fn write(&self, report: &Report) -> Result<(), Box<dyn Error>> {
        self.file("report.json", &report.json()?)?;
        self.file("report.md", &markdown::text(report))?;
        if let Some(chart) = squares(report, "f32") {
            self.file("gemm.svg", &chart.draw(PICTURE).standalone())?;
        }
        self.file("index.html", &page::html(report))
    }

    fn file(&self, name: &str, text: &str) -> Result<(), Box<dyn Error>> {
        let path = self.path.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    /// Prints the summary and where the page is; of a test, whether all is well, and removes the folder.
    pub(crate) fn finish(&self, summary: &str) -> Result<(), Box<dyn Error>> {
        if !self.is_temporary {
            println!("{summary}\n{}", self.path.join("index.html").display());
            return Ok(());
        }
        let checked = self.check();
        fs::remove_dir_all(&self.path)?;
        println!("report: {} cases: ok", checked?);
        Ok(())
    }

    /// The JSON reads back as the same report, labels of plots are where they should be, and the page has all of its sections.
    /// Gives the number of cases.
    fn check(&self) -> Result<usize, Box<dyn Error>> {
        let report = Report::read(&self.path.join("report.json"))?;
        let text = fs::read_to_string(self.path.join("report.json"))?;
        let page = fs::read_to_string(self.path.join("index.html"))?;
        if report.json()? != text {
            return Err("report.json does not read back as it was written".into());
        }
        let sections = all(&report);
        for figure in sections.iter().flat_map(|section| &section.figures) {
            for picture in [WIDE, HALF, NARROW].into_iter().filter_map(|width| figure.picture.draw(width)) {
                if let Some(label) = picture.misplaced().first() {
                    return Err(format!("{}: a label is outside or on another: {label:?}", figure.title).into());
                }
            }
        }
        let missing = sections.iter().find(|section| !page.contains(&format!("<section id=\"{}\">", section.id)));
        match missing {
            Some(section) => Err(format!("the page has no section {}", section.id).into()),
            None => Ok(report.kernels.len()),
        }
    }
}

/// The target folder that this bench was built in.
fn target() -> Result<PathBuf, Box<dyn Error>> {
    let bench = std::env::current_exe()?;
    // target/<profile>/deps/report-…
    Ok(bench.ancestors().nth(3).ok_or("no target folder above the bench")?.to_owned())
}
