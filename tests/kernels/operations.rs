//! Every public kernel as an entry of one list, for tests that hold for all of them.

pub mod case;
mod entries;
mod products;

#[cfg(unix)]
pub use super::guard::memory::{Flush, Guarded};
use crate::common::Float;
use case::{Case, Place};
use roofline::{Error, Exec};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A public method of [`Exec`], or a few of them: runs one case and keeps what it wrote.
pub struct Operation<T> {
    pub name: &'static str,
    pub run: fn(&Exec, &mut Case<T>) -> Result<(), Error>,
}

/// All of them.
pub fn operations<T: Float>() -> Vec<Operation<T>> {
    [
        products::all(),
        entries::elementwise(),
        entries::rows(),
        entries::reductions(),
        entries::norms(),
        entries::updates(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl<T: Float> Operation<T> {
    /// The digest of what the call writes in case `number`.
    pub fn digest(&self, exec: &Exec, number: u64, place: Place) -> [u8; 32] {
        let mut case = Case::new(number, place);
        let result = (self.run)(exec, &mut case);
        result.unwrap_or_else(|error| {
            panic!("{} of {}, case {number} at {place:?} on {exec:?}: {error}", self.name, T::NAME)
        });
        case.digest()
    }
}

/// The names of the methods of `Exec` that are generic over the element: those that compute.
fn public_methods(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("nn") {
            public_methods(&path, found);
        } else if path.is_file() {
            let text = fs::read_to_string(&path).unwrap();
            let methods = text.split("pub fn ").skip(1).filter_map(|rest| {
                let (name, rest) = rest.split_once("<T: Element")?;
                let (generics, arguments) = rest.split_once('(')?;
                let is_method = !generics.contains(['{', '\n']) && arguments.trim_start().starts_with("&self");
                (is_method && name.chars().all(|c| c.is_alphanumeric() || c == '_')).then(|| name.to_owned())
            });
            found.extend(methods);
        }
    }
}

#[test]
fn every_public_kernel_is_listed() {
    let mut methods = BTreeSet::new();
    public_methods(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut methods);
    assert!(methods.len() > 40, "{methods:?}");
    // These measure, or decide.
    ["plan", "fma_peak", "read_bandwidth"].iter().for_each(|name| assert!(methods.remove(*name), "{name}"));
    for activation in roofline::Activation::ALL {
        let name = activation.to_string();
        methods.extend(["", "_inplace", "_grad"].map(|suffix| format!("{name}{suffix}")));
    }
    methods.remove("identity");
    methods.retain(|name| !name.starts_with("identity_"));
    let listed: BTreeSet<String> = operations::<f32>().iter().map(|operation| operation.name.to_owned()).collect();
    let missing: Vec<_> = methods.difference(&listed).collect();
    assert!(missing.is_empty(), "not in the list of operations: {missing:?}");
}
