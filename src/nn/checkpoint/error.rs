//! [`CheckpointError`].

use crate::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Characters of a name that a message quotes at most.
const QUOTED: usize = 60;

/// Why a checkpoint was not written or a file not read. A file that was there before is as it was.
///
/// ```
/// use roofline::nn::checkpoint::Checkpoint;
/// let error = Checkpoint::<f32>::from_bytes(b"PK\x03\x04").unwrap_err();
/// assert_eq!(error.to_string(), "not a whole safetensors file: 4 bytes are less than the length of a header");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file system refused.
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
    /// The file is not a safetensors file, or not all of one.
    NotSafetensors {
        /// What is wrong with it.
        problem: String,
    },
    /// A safetensors file that this crate did not write.
    NotCheckpoint {
        /// Tensors that it has.
        tensors: usize,
    },
    /// A checkpoint of another version of the format.
    Version {
        /// The version that is understood.
        expected: u64,
        /// That of the file.
        found: u64,
    },
    /// The description of the run cannot be read.
    Description {
        /// What is wrong with it.
        problem: String,
    },
    /// Numbers of another element type.
    Element {
        /// The type that was asked for: `f32` or `f64`.
        expected: &'static str,
        /// That of the file.
        found: String,
    },
    /// A tensor is missing or not what the network needs.
    Tensor {
        /// Its name.
        name: String,
        /// Type and shape that it needs, such as `f32 [784, 256]`; `nothing` where the network has no such tensor.
        expected: String,
        /// What the file has; `nothing` where it has no such tensor.
        found: String,
    },
    /// A number that no run can go on from: NaN, an infinity, a variance or second moment below 0.
    Number {
        /// Name of the tensor.
        name: String,
        /// Which element of it, counted from 0.
        index: usize,
        /// The number.
        value: f64,
    },
    /// The checkpoint is of something else than what it was to continue.
    Mismatch {
        /// What differs.
        what: &'static str,
        /// What was to continue.
        expected: String,
        /// What the checkpoint has.
        found: String,
    },
    /// A constant, or a part of the network, is refused.
    Refused(Error),
}

/// The text in quotes, without what a terminal might obey, and cut where it is long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { action, path, error } => write!(f, "cannot {action} {}: {error}", path.display()),
            Self::NotSafetensors { problem } => write!(f, "not a whole safetensors file: {problem}"),
            Self::NotCheckpoint { tensors } => {
                write!(
                    f,
                    "a safetensors file with {tensors} tensors, but no checkpoint: its metadata have no `roofline`"
                )
            }
            Self::Version { expected, found } => {
                write!(f, "a checkpoint of format version {found}, this program reads version {expected}")
            }
            Self::Description { problem } => write!(f, "the description of the run is not readable: {problem}"),
            Self::Element { expected, found } => {
                write!(f, "the checkpoint has numbers of type {}, {expected} was asked for", quoted(found))
            }
            Self::Tensor { name, expected, found } => {
                write!(f, "tensor {}: expected {expected}, found {found}", quoted(name))
            }
            Self::Number { name, index, value } => {
                write!(f, "tensor {}: element {index} is {value:e}, no run can go on from that", quoted(name))
            }
            Self::Mismatch { what, expected, found } => {
                write!(f, "the checkpoint is of another {what}: expected {expected}, found {found}")
            }
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CheckpointError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

impl From<Error> for CheckpointError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}
