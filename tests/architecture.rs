//! The layers of the crate, held by reading its sources: `simd → kernels → operations → nn`.

use std::fs;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust source below a folder, but those that builds left there.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("a readable folder").path()) {
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty() || folder.starts_with("fuzz"), "no sources in {folder}");
    found
}

/// The code of each line, without comments and without what follows `#[cfg(test)]`.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a readable source");
    let lines =
        text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]" || path.ends_with("mod.rs"));
    lines.map(|(at, line)| (at + 1, line.split("//").next().unwrap_or("").to_owned())).collect()
}

/// No file of `folder` names one of `words`, but those whose path contains one of `except`.
fn forbid(folder: &str, words: &[&str], except: &[&str]) {
    for path in sources(folder) {
        let name = path.strip_prefix(root()).expect("below the root").display().to_string();
        if except.iter().any(|allowed| name.contains(allowed)) {
            continue;
        }
        for (line, code) in code(&path) {
            for word in words {
                assert!(!code.contains(word), "{name}:{line} names `{word}`: {}", code.trim());
            }
        }
    }
}

#[test]
fn instructions_belong_in_simd() {
    let words = ["core::arch", "std::arch", "target_feature", "_mm256_", "_mm512_", "wide::"];
    forbid("src", &words, &["src/simd/"]);
    // Whether the portable vector is NEON is a fact of the build target, which one constant states.
    forbid("src", &["target_arch"], &["src/simd/"]);
}

#[test]
fn threads_belong_in_parallel() {
    forbid("src", &["rayon", "std::thread::spawn"], &["src/parallel"]);
}

#[test]
fn each_optional_library_has_one_file() {
    forbid("src", &["matrixmultiply::", "cblas_sys"], &["src/backend.rs"]);
    forbid("src", &["ndarray::"], &["src/ndarray.rs"]);
    forbid("src", &["safetensors::", "serde_json::"], &["src/nn/checkpoint/"]);
}

#[test]
fn simd_knows_no_arithmetic() {
    forbid("src/simd", &["crate::kernels", "crate::exec", "crate::nn", "crate::matrix", "crate::gemm"], &[]);
}

#[test]
fn kernels_know_no_shapes_errors_or_threads() {
    let words =
        ["crate::exec", "crate::error", "crate::matrix", "crate::parallel", "crate::nn", "Vec<", "vec!", "Box<"];
    forbid("src/kernels", &words, &[]);
}

/// Functions of `std` whose last bits may differ between platforms and between its versions. Square roots are exact everywhere.
#[test]
fn no_function_of_std_decides_about_bits() {
    let words = [
        ".exp()",
        ".exp2()",
        ".exp_m1()",
        ".ln()",
        ".ln_1p()",
        ".log10()",
        ".log2()",
        ".powf(",
        ".powi(",
        ".sin()",
        ".cos()",
        ".tan()",
        ".tanh()",
    ];
    forbid("src", &words, &["src/simd/tests.rs"]);
}

#[test]
fn learning_stands_on_the_operations_alone() {
    forbid("src/nn", &["crate::simd", "crate::kernels", "crate::parallel", "crate::buffer", "unsafe "], &[]);
    let module = fs::read_to_string(root().join("src/nn/mod.rs")).expect("the trainer");
    assert!(module.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn operations_know_no_learning() {
    forbid("src", &["crate::nn"], &["src/nn/"]);
}

#[test]
fn no_file_is_long() {
    for path in ["src", "tests", "benches", "examples", "fuzz"].into_iter().flat_map(sources) {
        let lines = fs::read_to_string(&path).expect("a readable source").lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines, more than {MAX_LINES}", path.display());
    }
}

#[test]
fn one_name_per_family() {
    for family in ["gemm", "activation", "softmax", "loss", "reduce", "norm", "dropout", "optim"] {
        for place in ["src", "tests/kernels", "benches", "fuzz/fuzz_targets"] {
            let path = root().join(place).join(family).with_extension("rs");
            assert!(path.exists(), "{} is missing", path.display());
        }
        let kernel = root().join("src/kernels").join(family);
        assert!(kernel.is_dir() || kernel.with_extension("rs").exists(), "{} is missing", kernel.display());
    }
}

/// Each has a plan, seeds, and a test that replays them.
#[test]
fn every_fuzz_target_is_replayed() {
    let replays = ["tests/kernels/fuzz.rs", "tests/training/fuzz.rs"];
    let replays = replays.map(|path| fs::read_to_string(root().join(path)).expect("a module of tests")).concat();
    for target in sources("fuzz/fuzz_targets") {
        let name = target.file_stem().expect("a name").to_str().expect("in UTF-8");
        assert!(root().join("fuzz/src").join(name).with_extension("rs").exists(), "{name} has no plan");
        assert!(root().join("fuzz/seeds").join(name).is_dir(), "{name} has no seeds");
        assert!(replays.contains(&format!("mod {name};")), "no test replays {name}");
    }
}

/// `docs/unsafe.md` has a row for each file with unsafe code, with the number of its blocks, functions and implementations.
#[test]
fn the_audit_of_unsafe_code_is_complete() {
    let audit = fs::read_to_string(root().join("docs/unsafe.md")).expect("the audit");
    let mut rows: Vec<&str> = audit.lines().filter(|line| line.starts_with("| `src/")).collect();
    for path in sources("src") {
        let text = fs::read_to_string(&path).expect("a readable source");
        let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
        let count = |word: &str| code.iter().map(|line| line.matches(word).count()).sum::<usize>();
        let counts = ["unsafe {", "unsafe fn ", "unsafe impl"].map(count);
        if counts != [0; 3] {
            let name = path.strip_prefix(root()).expect("below the root").display().to_string();
            let row = format!("| `{name}` | {} | {} | {} |", counts[0], counts[1], counts[2]);
            let known = rows.iter().position(|known| known.starts_with(&row));
            rows.remove(known.unwrap_or_else(|| panic!("docs/unsafe.md has no row `{row}`: what do its blocks owe?")));
        }
    }
    assert!(rows.is_empty(), "docs/unsafe.md has rows of what is not there: {rows:?}");
}

/// The tests that `RELIABILITY.md` and `docs/unsafe.md` name are there.
#[test]
fn tests_that_documents_name_exist() {
    let tests: String = ["tests", "src"]
        .into_iter()
        .flat_map(sources)
        .map(|path| fs::read_to_string(path).expect("a source"))
        .collect();
    for document in ["RELIABILITY.md", "docs/unsafe.md"] {
        let text = fs::read_to_string(root().join(document)).expect("a document");
        let names: Vec<&str> = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| word.contains("::") && !word.contains(['*', '…', ' ']))
            .collect();
        assert!(names.len() > 10, "{document} names tests");
        for name in names {
            let function = name.rsplit("::").next().expect("a name");
            assert!(
                tests.contains(&format!("fn {function}")) || tests.contains(&format!("mod {function}")),
                "{document} names {name}"
            );
        }
    }
}
