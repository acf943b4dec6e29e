//! What the command lines share: options, data, machine, training.

#![allow(dead_code, reason = "each example uses a part of it")]

pub(crate) mod data;
pub(crate) mod files;
pub(crate) mod machine;
pub(crate) mod options;
pub(crate) mod stop;
pub(crate) mod training;
pub(crate) mod values;

use roofline_instances as _;
use std::error::Error;
use std::process::ExitCode;

/// What the shell reports of a process that SIGINT ended: 128 + 2.
const INTERRUPTED: u8 = 130;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good,
    /// What was to be shown does not hold.
    Bad,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// The outcome of `main`: errors go to stderr.
pub(crate) fn exit(result: Result<Outcome, Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Bad) => ExitCode::FAILURE,
        Ok(Outcome::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
