//! Reductions of slices, rows and columns: the oracle, the promised bits, NaN never lost.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::reduce::Plan;

fuzz_target!(|plan: Plan| plan.run());
