//! Safe functions with arguments that may not go together: any shapes, strides, lengths and numbers give `Ok` or `Err`, never a panic
//! or an abort. An `Err` changed nothing, an `Ok` nothing but the elements of its outputs. What an `Ok` holds, the other modules and
//! the fuzz targets say.
//!
//! Every public function outside `nn` is here by name; [`every_public_function_is_called`] reads the sources.

mod calls;
mod draw;

use crate::common::Rng;
use calls::CALLS;
use draw::Draw;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_arguments_give_ok_or_err(seed: u64) {
        for (_, call) in CALLS {
            call(&mut Draw::new(Rng::new(seed)));
        }
    }
}

/// What is called elsewhere, or not at all.
const NOT_HERE: [&str; 5] = [
    // Unsafe: the caller owes what is checked elsewhere.
    "gemm::gemm_raw",
    // They allocate what they are told, as `Vec` does, and panic where that is too much.
    "matrix::zeros",
    "matrix::from_fn",
    // They measure for a while: there is nothing to refuse.
    "peak::fma_peak",
    "peak::read_bandwidth",
];

/// `file::name` of each public function below `src` but those of the trainer and of the layers that are not public.
fn public_functions() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                let skipped = ["nn", "kernels", "simd", "parallel"].iter().any(|name| path.ends_with(name));
                folders.extend((!skipped).then_some(path));
                continue;
            }
            let file = path.strip_prefix(&root).expect("below").with_extension("").display().to_string();
            for line in fs::read_to_string(&path).expect("a source").lines() {
                found.extend(functions_of(line).into_iter().map(|name| format!("{file}::{name}")));
            }
        }
    }
    found
}

/// Names of the public functions that a line defines: by `pub fn`, or as one of the three of an activation.
fn functions_of(line: &str) -> Vec<String> {
    let line = line.trim();
    let of_macro = |line: &str| Some(line.split_once(": ")?.1.split(", ").take(3).map(String::from).collect());
    match line.strip_prefix("pub fn ").or(line.strip_prefix("pub unsafe fn ")) {
        Some(rest) if !rest.starts_with('$') => vec![rest.split(['(', '<']).next().unwrap_or(rest).into()],
        None if line.ends_with(';') && line.contains("_inplace, ") => of_macro(line).unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[test]
fn every_public_function_is_called() {
    let public = public_functions();
    assert!(public.len() > 100 && public.contains("activation::gelu_tanh_grad"), "{public:?}");
    let called: BTreeSet<String> =
        CALLS.iter().flat_map(|(names, _)| names.split(' ')).chain(NOT_HERE).map(String::from).collect();
    let missing: Vec<_> = public.difference(&called).collect();
    let unknown: Vec<_> = called.difference(&public).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "not called: {missing:?}; not there: {unknown:?}");
}
