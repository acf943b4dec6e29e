//! The operands of one call: sizes and values follow from the number of the case alone, places in memory from an offset.

use crate::common::strided::Layout;
use crate::common::{Float, Rng, promised_bits};
use core::ops::{Deref, DerefMut};
use roofline::{MatMut, MatRef};
use sha2::{Digest, Sha256};

/// Cases in a row of which one is large enough to be cut for threads, and one holds special values.
const CYCLE: u64 = 8;
const LARGE: u64 = 6;
const SPECIAL: u64 = 3;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Where operands lie.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// So many elements after the beginning of a cache line, each operand of a call at another distance, unless all lie on one.
    Offset(usize),
    /// Flush against a page that nobody may touch.
    #[cfg(unix)]
    Flush(super::Flush),
}

/// The elements of an operand, between canaries or pages.
pub enum Placed<T> {
    Offset {
        memory: Vec<T>,
        start: usize,
        len: usize,
    },
    #[cfg(unix)]
    Guarded(super::Guarded<T>),
}

impl<T: Float> Placed<T> {
    fn new(place: Place, values: &[T]) -> Self {
        let offset = match place {
            Place::Offset(offset) => offset,
            #[cfg(unix)]
            Place::Flush(flush) => return Self::Guarded(super::Guarded::new(values, flush)),
        };
        let (line, len) = (LINE / size_of::<T>(), values.len());
        let mut memory = vec![T::CANARY; len + 4 * line];
        let start = memory.as_ptr().align_offset(LINE) + line + offset % line;
        memory[start..start + len].copy_from_slice(values);
        Self::Offset { memory, start, len }
    }

    fn canaries_stand(&self) -> bool {
        match self {
            Self::Offset { memory, start, len } => {
                let (before, rest) = memory.split_at(*start);
                before.iter().chain(&rest[*len..]).all(|x| x.bits() == T::CANARY.bits())
            }
            #[cfg(unix)]
            Self::Guarded(_) => true,
        }
    }
}

impl<T: Copy> Deref for Placed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Offset { memory, start, len } => &memory[*start..start + len],
            #[cfg(unix)]
            Self::Guarded(memory) => memory,
        }
    }
}

impl<T: Copy> DerefMut for Placed<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::Offset { memory, start, len } => &mut memory[*start..*start + *len],
            #[cfg(unix)]
            Self::Guarded(memory) => memory,
        }
    }
}

/// A matrix whose gaps hold canaries.
pub struct Matrix<T> {
    pub memory: Placed<T>,
    pub rows: usize,
    pub cols: usize,
    pub strides: (isize, isize),
}

impl<T: Float> Matrix<T> {
    pub fn view(&self) -> MatRef<'_, T> {
        MatRef::from_slice_with_strides(&self.memory, self.rows, self.cols, self.strides.0, self.strides.1).unwrap()
    }

    pub fn view_mut(&mut self) -> MatMut<'_, T> {
        MatMut::from_slice_with_strides(&mut self.memory, self.rows, self.cols, self.strides.0, self.strides.1).unwrap()
    }

    fn index(&self, i: usize, j: usize) -> usize {
        i * self.strides.0 as usize + j * self.strides.1 as usize
    }
}

/// One case, and the digest of what calls wrote so far.
pub struct Case<T> {
    rng: Rng,
    number: u64,
    place: Place,
    operands: usize,
    /// Elements of a slice.
    pub len: usize,
    /// Shape of a matrix.
    pub rows: usize,
    pub cols: usize,
    written: Sha256,
    specials: [T; 10],
}

impl<T: Float> Case<T> {
    /// Case `number`, its operands at `place`.
    pub fn new(number: u64, place: Place) -> Self {
        let mut rng = Rng::new(number);
        let is_large = number % CYCLE == LARGE;
        let len = if is_large { 70_000 + rng.below(200_000) } else { rng.below(300) };
        let cols = if is_large { 130 + rng.below(470) } else { 1 + rng.below(90) };
        let rows = if is_large { len / cols } else { 1 + rng.below(20) };
        let tiny = if T::NAME == "f32" { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
        let huge = if T::NAME == "f32" { f64::from(f32::MAX) } else { f64::MAX };
        let specials =
            [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, tiny, tiny / 8.0, -tiny / 4.0, huge, 90.0];
        let (specials, written) = (specials.map(T::from_f64), Sha256::new());
        Self { rng, number, place, operands: 0, len, rows, cols, written, specials }
    }

    /// Whether its operands hold NaN, infinities and subnormal numbers.
    fn is_special(&self) -> bool {
        self.number % CYCLE == SPECIAL
    }

    pub fn is_large(&self) -> bool {
        self.number % CYCLE == LARGE
    }

    fn placed(&mut self, values: &[T]) -> Placed<T> {
        let place = match self.place {
            Place::Offset(offset) => Place::Offset(offset * (2 * self.operands + 1)),
            #[cfg(unix)]
            flush => flush,
        };
        self.operands += 1;
        Placed::new(place, values)
    }

    fn random(&mut self, len: usize) -> Vec<T> {
        let is_special = self.is_special();
        let scale = T::from_f64([1.0, 12.0, 0.01, 1.0][self.number as usize / 2 % 4]);
        let (rng, specials) = (&mut self.rng, &self.specials);
        let value = |_| match is_special && rng.below(16) == 0 {
            true => specials[rng.below(specials.len())],
            false => rng.value::<T>() * scale,
        };
        (0..len).map(value).collect()
    }

    /// Random numbers.
    pub fn values(&mut self, len: usize) -> Placed<T> {
        let values = self.random(len);
        self.placed(&values)
    }

    /// Numbers of [0, 1).
    pub fn shares(&mut self, len: usize) -> Placed<T> {
        let shares: Vec<T> = (0..len).map(|_| (self.rng.value::<T>() + T::ONE) * T::from_f64(0.5)).collect();
        self.placed(&shares)
    }

    /// What is written only.
    pub fn room(&mut self, len: usize) -> Placed<T> {
        self.placed(&vec![T::CANARY; len])
    }

    /// A matrix of random numbers: dense or padded, by rows or by columns.
    pub fn matrix(&mut self, rows: usize, cols: usize) -> Matrix<T> {
        let mut matrix = self.room_for(rows, cols);
        let values = self.random(rows * cols);
        for i in 0..rows {
            for j in 0..cols {
                let at = matrix.index(i, j);
                matrix.memory[at] = values[i * cols + j];
            }
        }
        matrix
    }

    /// A matrix that is written only.
    pub fn room_for(&mut self, rows: usize, cols: usize) -> Matrix<T> {
        let layouts =
            [Layout::ROWS, Layout { pad: 3, ..Layout::ROWS }, Layout::COLS, Layout { gap: 1, ..Layout::ROWS }];
        let strides = layouts[self.rng.below(6).saturating_sub(2)].strides(rows, cols);
        let extent = match rows * cols {
            0 => 0,
            _ => (rows - 1) * strides.0 as usize + (cols - 1) * strides.1 as usize + 1,
        };
        Matrix { memory: self.room(extent), rows, cols, strides }
    }

    /// An integer of `0..end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.rng.below(end)
    }

    /// One of `choices`.
    pub fn pick<const N: usize, U: Copy>(&mut self, choices: [U; N]) -> U {
        choices[self.below(N)]
    }

    /// Takes what a call wrote into the digest; nothing around it may have changed.
    pub fn keep(&mut self, written: &Placed<T>) {
        assert!(written.canaries_stand(), "case {} wrote beside its operand", self.number);
        self.keep_numbers(written);
    }

    /// As [`Case::keep`], in the order of rows; nothing in the gaps may have changed.
    pub fn keep_matrix(&mut self, written: &Matrix<T>) {
        assert!(written.memory.canaries_stand(), "case {} wrote beside its operand", self.number);
        let mut is_gap = vec![true; written.memory.len()];
        for i in 0..written.rows {
            let row: Vec<T> = (0..written.cols).map(|j| written.memory[written.index(i, j)]).collect();
            (0..written.cols).for_each(|j| is_gap[written.index(i, j)] = false);
            self.keep_numbers(&row);
        }
        let mut gaps = written.memory.iter().zip(is_gap).filter(|(_, is_gap)| *is_gap);
        assert!(gaps.all(|(x, _)| x.bits() == T::CANARY.bits()), "case {} wrote in a gap", self.number);
    }

    pub fn keep_numbers(&mut self, numbers: &[T]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|&x| promised_bits(x).to_le_bytes()).collect();
        self.written.update(bytes);
    }

    /// Takes what a call gave back into the digest.
    pub fn keep_value(&mut self, value: f64) {
        self.written.update(promised_bits(value).to_le_bytes());
    }

    pub fn keep_indices(&mut self, indices: &[usize]) {
        indices.iter().for_each(|&index| self.written.update((index as u64).to_le_bytes()));
    }

    pub fn digest(self) -> [u8; 32] {
        self.written.finalize().into()
    }
}
