//! Tensors of a safetensors file, through the crate of that name.

use super::CheckpointError;
use crate::element::Element;
use core::marker::PhantomData;
use safetensors::tensor::{Metadata, TensorInfo, View};
use safetensors::{Dtype, serialize};
use std::borrow::Cow;

/// Bytes of the length of the header, and the one that every header begins with.
pub(super) const START: usize = 9;
/// Bytes that a header has at most, written or read. A thousand layers take half a million.
const MAX_HEADER: u64 = 16 << 20;
/// Where the description of the run lies in the metadata.
const KEY: &str = "roofline";

/// A tensor to be written.
pub(super) struct Part<'a, T> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: &'a [T],
}

impl<T: Element> View for &Part<'_, T> {
    fn dtype(&self) -> Dtype {
        dtype::<T>()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(self.data_len());
        for &x in self.values {
            match dtype::<T>() {
                Dtype::F32 => bytes.extend((x.to_f64() as f32).to_le_bytes()),
                _ => bytes.extend(x.to_f64().to_le_bytes()),
            }
        }
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

fn dtype<T: Element>() -> Dtype {
    if size_of::<T>() == size_of::<f32>() { Dtype::F32 } else { Dtype::F64 }
}

fn described(dtype: Dtype, shape: &[usize]) -> String {
    let name = match dtype {
        Dtype::F32 => "f32".into(),
        Dtype::F64 => "f64".into(),
        other => other.to_string(),
    };
    format!("{name} {shape:?}")
}

fn broken(problem: impl ToString) -> CheckpointError {
    CheckpointError::NotSafetensors { problem: problem.to_string() }
}

/// A file of these tensors and this description.
pub(super) fn to_bytes<T: Element>(parts: &[Part<'_, T>], description: String) -> Result<Vec<u8>, CheckpointError> {
    // The type of the map is the library's own.
    let metadata = Some([(KEY.to_owned(), description)].into_iter().collect());
    let bytes = serialize(parts.iter().map(|part| (part.name.as_str(), part)), metadata).map_err(broken)?;
    check_start(&bytes, bytes.len() as u64)?;
    Ok(bytes)
}

/// Whether the beginning of a file of `len` bytes is that of a safetensors file.
pub(super) fn check_start(start: &[u8], len: u64) -> Result<(), CheckpointError> {
    let Some(size) = start.first_chunk() else {
        return Err(broken(format_args!("{} bytes are less than the length of a header", start.len())));
    };
    let (size, after) = (u64::from_le_bytes(*size), len.saturating_sub(8));
    if size > after {
        return Err(broken(format_args!("its header should have {size} bytes, {after} are there")));
    }
    if size > MAX_HEADER {
        return Err(broken(format_args!("its header has {size} bytes, {MAX_HEADER} are allowed")));
    }
    match start.get(8) {
        Some(b'{') => Ok(()),
        _ => Err(broken("its header does not begin with {")),
    }
}

/// The tensors of a file whose frame was checked: none reaches beyond it, and they cover it without gaps.
pub(super) struct Tensors<'a, T> {
    metadata: Metadata,
    data: &'a [u8],
    element: PhantomData<T>,
}

impl<'a, T: Element> Tensors<'a, T> {
    /// The tensors, and the description of the run.
    pub(super) fn of(bytes: &'a [u8]) -> Result<(Self, String), CheckpointError> {
        check_start(bytes, bytes.len() as u64)?;
        let (header, data) = match bytes.split_first_chunk() {
            Some((size, rest)) => rest.split_at(u64::from_le_bytes(*size) as usize),
            None => (bytes, bytes),
        };
        // `SafeTensors::deserialize` adds to the end of the last tensor, which may be any number, before it compares.
        let metadata: Metadata = serde_json::from_slice(header).map_err(broken)?;
        if metadata.data_len() != data.len() {
            let (expected, found) = (metadata.data_len(), data.len());
            return Err(broken(format_args!("its tensors should have {expected} bytes, {found} are there")));
        }
        let tensors = metadata.tensors().len();
        let description = metadata.metadata().as_ref().and_then(|map| map.get(KEY)).cloned();
        let description = description.ok_or(CheckpointError::NotCheckpoint { tensors })?;
        Ok((Self { metadata, data, element: PhantomData }, description))
    }

    /// Whether these are the tensors of the file, of the type `T`, and no others.
    pub(super) fn check(&self, expected: &[(String, Vec<usize>)]) -> Result<(), CheckpointError> {
        let error = |name: &str, shape: Option<&[usize]>, info: Option<&TensorInfo>| CheckpointError::Tensor {
            name: name.to_owned(),
            expected: shape.map_or("nothing".into(), |shape| described(dtype::<T>(), shape)),
            found: info.map_or("nothing".into(), |info| described(info.dtype, &info.shape)),
        };
        for (name, shape) in expected {
            let info = self.metadata.info(name);
            if info.is_none_or(|info| info.dtype != dtype::<T>() || info.shape != *shape) {
                return Err(error(name, Some(shape), info));
            }
        }
        let mut found: Vec<_> = self.metadata.tensors().into_iter().collect();
        if found.len() > expected.len() {
            let known: std::collections::HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
            found.retain(|(name, _)| !known.contains(name.as_str()));
            found.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        match found.first().filter(|_| self.metadata.tensors().len() > expected.len()) {
            Some((name, info)) => Err(error(name, None, Some(info))),
            None => Ok(()),
        }
    }

    /// Copies a tensor of which [`Tensors::check`] knows that it is there and as large.
    pub(super) fn read(&self, name: &str, to: &mut [T]) {
        let Some((from, end)) = self.metadata.info(name).map(|info| info.data_offsets) else { return };
        let bytes = &self.data[from..end];
        if dtype::<T>() == Dtype::F32 {
            let (numbers, _) = bytes.as_chunks();
            to.iter_mut().zip(numbers).for_each(|(x, &bytes)| *x = T::from_f64(f64::from(f32::from_le_bytes(bytes))));
        } else {
            let (numbers, _) = bytes.as_chunks();
            to.iter_mut().zip(numbers).for_each(|(x, &bytes)| *x = T::from_f64(f64::from_le_bytes(bytes)));
        }
    }
}
