//! Elementary functions within their ULP, activations the same by every way to call them, on slices in allocations of
//! exactly their size.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::activation::Plan;

fuzz_target!(|plan: Plan| plan.run());
