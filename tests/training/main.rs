//! The trainer, one module per part. One program, because each instantiates every kernel that it calls.

#[macro_use]
#[path = "../common/mod.rs"]
mod common;
#[path = "../../examples/support/files.rs"]
mod files;

use roofline_instances as _;

mod checkpoint;
mod counting;
mod csv;
mod data;
mod diagnosis;
mod digest;
mod fuzz;
mod gradient_check;
mod idx;
mod network;
mod nn;
mod optimizer;
mod schedule;
mod training_parity;
mod tuner;
