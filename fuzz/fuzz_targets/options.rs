//! Texts of command lines: refused, or a value that writes itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roofline_fuzz::options::Plan;

fuzz_target!(|plan: Plan<'_>| plan.run());
