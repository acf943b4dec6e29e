//! How options are written: `name:value:key=value`, the constants in their order or by name.

use core::fmt;
use core::str::FromStr;

/// The constants after the name, one for each of `keys`; those that are not given are `None`. `None` in all where a key is
/// unknown, a constant is given twice, or there are too many.
pub(super) fn fields<'a, const N: usize>(text: Option<&'a str>, keys: [&str; N]) -> Option<[Option<&'a str>; N]> {
    let mut found = [None; N];
    for (at, field) in text.into_iter().flat_map(|text| text.split(':')).enumerate() {
        let (place, value) = match field.split_once('=') {
            Some((key, value)) => (keys.iter().position(|known| *known == key)?, value),
            None => (at, field),
        };
        let place = found.get_mut(place)?;
        if place.replace(value).is_some() {
            return None;
        }
    }
    Some(found)
}

/// One constant, or its default.
pub(super) fn read<V: FromStr>(field: Option<&str>, default: V) -> Option<V> {
    field.map_or(Some(default), |text| text.parse().ok())
}

/// A number that reads back as the same bits, in the shorter of both notations.
pub(super) struct Number(pub f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plain, scientific) = (self.0.to_string(), format!("{:e}", self.0));
        f.write_str(if scientific.len() < plain.len() { &scientific } else { &plain })
    }
}
