//! CSV files: any bytes give an `Err` or the numbers that are in them, in memory that their number bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::csv::Plan;

fuzz_target!(|plan: Plan<'_>| plan.run());
