//! Files of the MNIST layout: any bytes give an `Err` or are the file, in memory that their number bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::idx::Plan;

fuzz_target!(|plan: Plan<'_>| plan.run());
