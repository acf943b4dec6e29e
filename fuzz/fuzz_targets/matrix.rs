//! Views of any shape and strides, up to the ends of their types.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::matrix::Plan;

fuzz_target!(|plan: Plan| plan.run());
