//! Sigmoid cross-entropy and squared error: the oracle, the promised bits, bad labels refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::loss::Plan;

fuzz_target!(|plan: Plan| plan.run());
