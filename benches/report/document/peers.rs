//! The JSON of `benches/peers`: products of this crate and of its rivals, measured by turns in one process.

use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::Path;

/// Its name among the contestants.
pub(crate) const OURS: &str = "roofline";

/// The parts of the file that the report shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Peers {
    pub(crate) host: PeersHost,
    pub(crate) isa: String,
    pub(crate) rivals: Vec<Version>,
    pub(crate) sections: Vec<PeersSection>,
}

/// Where it was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PeersHost {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
}

/// A rival.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// All shapes for one element type and number of threads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PeersSection {
    #[serde(rename = "type")]
    pub(crate) element: String,
    pub(crate) threads: usize,
    pub(crate) shapes: Vec<PeersShape>,
}

/// A product.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PeersShape {
    pub(crate) name: String,
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) peak_gflops: f64,
    pub(crate) contestants: Vec<Contestant>,
}

/// Who computed it, and how fast.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) seconds: f64,
    pub(crate) gflops: f64,
}

impl Peers {
    /// # Errors
    /// A file that cannot be read, or is not what `benches/peers` writes.
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let named = |error: &dyn Error| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        Ok(serde_json::from_str(&text).map_err(|error| named(&error))?)
    }
}

impl PeersSection {
    /// Everyone who takes part in at least one shape, ours first.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names = vec![OURS];
        for contestant in self.shapes.iter().flat_map(|shape| &shape.contestants) {
            if !names.contains(&contestant.name.as_str()) {
                names.push(&contestant.name);
            }
        }
        names
    }
}

impl PeersShape {
    /// `square`, `forward`, `dX`, `tall`, …
    pub(crate) fn kind(&self) -> &str {
        self.name.split(' ').next().unwrap_or(&self.name)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Contestant> {
        self.contestants.iter().find(|contestant| contestant.name == name)
    }

    /// The fastest.
    pub(crate) fn winner(&self) -> Option<&str> {
        let fastest = self.contestants.iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds));
        fastest.map(|contestant| contestant.name.as_str())
    }
}
