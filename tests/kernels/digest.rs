//! Promise 2 as numbers that can be compared between machines: SHA-256 of what every kernel writes, over instruction sets, numbers of
//! threads and places in memory, against the digests of `digests.txt`. This writes them anew:
//!
//! ```sh
//! ROOFLINE_BLESS=1 cargo test --release --test kernels -- --ignored digest
//! ```

use crate::common::{Float, THREADS, has_fma, sequential_execs};
use crate::operations::case::Place;
use crate::operations::{Operation, operations};
use roofline::Exec;
use sha2::{Digest, Sha256};

/// A line for each kernel and type: its digest over [`FEW`] cases, and over [`ALL`] of them.
const DIGESTS: &str = include_str!("digests.txt");

/// Cases of each kernel that every run of the tests takes: one of each kind.
const FEW: u64 = 8;
/// All of them: more than 10⁴, over kernels and types.
const ALL: u64 = 80;

/// Every instruction set on every number of threads, each with its operands at another place.
fn ways(number: u64) -> impl Iterator<Item = (Exec, Place)> {
    let threads = |exec: Exec| THREADS.into_iter().filter_map(move |threads| exec.with_threads(threads).ok());
    let execs = sequential_execs().into_iter().flat_map(threads).enumerate();
    execs.map(move |(at, exec)| (exec, Place::Offset(at * (1 + number as usize % 5))))
}

/// The digest of a case, which is the same in every way to run it with FMA. Without FMA it is another one, the same on any threads.
fn same<T: Float>(operation: &Operation<T>, number: u64) -> [u8; 32] {
    let mut firsts = [None; 2];
    for (exec, place) in ways(number) {
        let digest = exec.region(|| operation.digest(&exec, number, place));
        let first = firsts[usize::from(has_fma(exec.isa()))].get_or_insert(digest);
        let what = (operation.name, T::NAME);
        assert!(digest == *first, "{what:?}, case {number}: other bits on {exec:?} at {place:?}");
    }
    firsts[1].expect("an instruction set with FMA")
}

/// The digest over the first cases of a kernel.
fn over<T: Float>(operation: &Operation<T>, cases: core::ops::Range<u64>, digest: &mut Sha256) -> String {
    cases.for_each(|number| digest.update(same(operation, number)));
    digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The line of each kernel, its last word only if `all`.
fn lines<T: Float>(all: bool) -> Vec<String> {
    let line = |operation: Operation<T>| {
        let mut digest = Sha256::new();
        let few = over(&operation, 0..FEW, &mut digest);
        let rest = if all { over(&operation, FEW..ALL, &mut digest) } else { String::new() };
        format!("{} {} {few} {rest}", operation.name, T::NAME)
    };
    operations::<T>().into_iter().map(line).collect()
}

/// The instruction sets of this machine with FMA, if there are any, give the digests of the file.
fn check(all: bool) {
    if !sequential_execs().iter().any(|exec| has_fma(exec.isa())) {
        return;
    }
    let lines = [lines::<f32>(all), lines::<f64>(all)].concat();
    if all && std::env::var_os("ROOFLINE_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernels/digests.txt");
        return std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }
    let is_known = |line: &String| DIGESTS.lines().any(|known| known.starts_with(line));
    let others: Vec<_> = lines.iter().filter(|line| !is_known(line)).collect();
    assert!(others.is_empty(), "other digests than those of digests.txt: {others:#?}");
    assert_eq!(DIGESTS.lines().count(), lines.len(), "digests.txt has lines of kernels that are not there");
}

#[test]
fn few_cases_have_their_digests() {
    check(false);
}

/// `cargo test --release --test kernels -- --ignored digest`
#[test]
#[ignore = "ten thousand cases in up to eighteen ways each: for release builds"]
fn all_cases_have_their_digests() {
    check(true);
}
