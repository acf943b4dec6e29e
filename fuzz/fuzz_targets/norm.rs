//! Batch norm, layer norm, their gradients, and statistics: the oracle, the promised bits, NaN in its row or column only.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::norm::Plan;

fuzz_target!(|plan: Plan| plan.run());
