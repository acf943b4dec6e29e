//! The fuzz targets of parsers, on their seeds.

use arbitrary::{Arbitrary, Unstructured};

#[path = "../../fuzz/src/checkpoint.rs"]
mod checkpoint;
#[path = "../../fuzz/src/csv.rs"]
mod csv;
#[path = "../../fuzz/src/idx.rs"]
mod idx;
#[path = "../../fuzz/src/memory.rs"]
mod memory;
#[path = "../../fuzz/src/options.rs"]
mod options;
#[macro_use]
#[path = "../common/seeds.rs"]
mod seeds;
#[path = "../../fuzz/src/tuner.rs"]
mod tuner;

replay!(checkpoint, csv, idx, options, tuner);
