//! The command lines as a user runs them: the examples, as processes.

mod files;
mod gradcheck;
mod predict;
mod run;
mod signal;
mod sweep;
mod train;
mod tune;
