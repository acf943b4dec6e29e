//! Checkpoints: any bytes give an `Err` or a run that goes on, in memory that their number bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::checkpoint::Plan;

fuzz_target!(|plan: Plan<'_>| plan.run());
