//! Links the CBLAS of the feature `blas`; does nothing without it.
//!
//! `cblas-sys` declares the functions, and leaves the library to whoever builds. `ROOFLINE_BLAS` names it as
//! `cargo:rustc-link-lib` takes it: `openblas` (the default), `blis`, `mkl_rt`, `static=openblas`,
//! `framework=Accelerate`; empty where another crate of the program links one. A library outside the linker's folders needs
//! `RUSTFLAGS="-L native=DIR"`. Its integers must be 32 bits wide (LP64).

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=ROOFLINE_BLAS");
    if env::var_os("CARGO_FEATURE_BLAS").is_some() {
        let library = env::var("ROOFLINE_BLAS").unwrap_or_else(|_| "openblas".into());
        if !library.is_empty() {
            println!("cargo:rustc-link-lib={library}");
        }
    }
}
