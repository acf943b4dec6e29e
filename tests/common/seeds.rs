//! The files of `fuzz/seeds`, as the fuzzer reads them. Not in `common`, which the fuzz targets share.

use std::fs;
use std::path::Path;

/// Names and bytes of the seeds of a target.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let paths = fs::read_dir(folder).expect("a folder of seeds").map(|entry| entry.expect("an entry").path());
    let found: Vec<_> = paths.map(|path| (path.display().to_string(), fs::read(&path).expect("a seed"))).collect();
    assert!(!found.is_empty(), "no seeds of {target}");
    found
}

/// A test for each target: its plan of every seed runs.
macro_rules! replay {
    ($($target:ident),* $(,)?) => {$(
        #[test]
        fn $target() {
            for (name, bytes) in seeds::seeds(stringify!($target)) {
                println!("{name}");
                let plan = $target::Plan::arbitrary_take_rest(Unstructured::new(&bytes));
                plan.expect("a seed is as long as its plan").run();
            }
        }
    )*};
}
