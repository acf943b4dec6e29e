//! Every operation of [`Simd`] against scalar code, lane by lane, on every token that this machine has.

use super::slice::{Arrays, Fold, Lanewise};
use super::{Isa, Kernel, Simd, Token};
use crate::element::Element;
use core::array::from_fn;

/// A test of each generic function for `f32` and `f64`, on every token.
macro_rules! on_every_token {
    ($($name:ident),* $(,)?) => {
        mod on_every_token {
            use super::*;
            $(#[test]
            fn $name() {
                for token in Isa::available().filter_map(Token::detect) {
                    super::$name::<f32>(token);
                    super::$name::<f64>(token);
                }
            })*
        }
    };
}

mod memory;
mod words;

use words::words_are_those_of_scalar_code;

on_every_token!(
    arithmetic_is_correctly_rounded,
    fma_rounds_once,
    abs_clears_the_sign_of_nan_too,
    min_max_comparisons_and_select,
    scale_rounds_once,
    lookup_takes_the_low_bits,
    split_gives_mantissa_and_exponent,
    zip_interleaves_within_quarters,
    fold_sums_halves_of_groups,
    sum_and_max_lane_follow_their_tree,
    call_returns_what_its_kernel_does,
    apply_reaches_every_element_and_no_other,
    apply_works_in_place_and_on_parts,
    fold_takes_each_element_once,
    words_are_those_of_scalar_code,
);

/// Sixteen lanes; a vector of `f64` is the first eight.
type Lanes<T> = [T; 16];

/// What scalar code needs to know about an element.
trait Scalar: Element {
    const EPSILON: Self;
    fn bits(self) -> u64;
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// self · 2ⁿ, rounded once; |self| is within [¼, 4].
    fn times_power(self, n: i32) -> Self;
}

impl Scalar for f32 {
    const EPSILON: f32 = f32::EPSILON;
    fn bits(self) -> u64 {
        self.to_bits().into()
    }
    fn mul_add(self, b: f32, c: f32) -> f32 {
        f32::mul_add(self, b, c)
    }
    /// The product is exact in `f64`.
    fn times_power(self, n: i32) -> f32 {
        (f64::from(self) * power(n)) as f32
    }
}

impl Scalar for f64 {
    const EPSILON: f64 = f64::EPSILON;
    fn bits(self) -> u64 {
        self.to_bits()
    }
    fn mul_add(self, b: f64, c: f64) -> f64 {
        f64::mul_add(self, b, c)
    }
    /// Down to 2⁻¹⁰⁰⁰ nothing is rounded. Below, the result is counted in units of the least number, ties to even.
    fn times_power(self, n: i32) -> f64 {
        if n >= -1000 {
            return self * power(n / 2) * power(n - n / 2);
        }
        let integer = u128::from(self.to_bits() << 12 >> 12 | 1 << 52);
        // |self|·2ⁿ = integer · 2^(exponent + n − 52), and the unit is 2⁻¹⁰⁷⁴.
        let shift = -(exponent(self) + n - 52 + 1074);
        let magnitude = match shift {
            ..=0 => (integer << -shift) as f64 * f64::from_bits(1),
            1..=100 => {
                let (count, rest, tie) = (integer >> shift, integer & ((1 << shift) - 1), 1 << (shift - 1));
                f64::from_bits(count as u64 + u64::from(rest > tie || rest == tie && count % 2 == 1))
            }
            _ => 0.0,
        };
        magnitude.copysign(self)
    }
}

/// 2ⁿ, a normal number.
fn power(n: i32) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

/// Of a normal number.
fn exponent(x: f64) -> i32 {
    (x.abs().to_bits() >> 52) as i32 - 1023
}

fn number<T: Element>(x: f64) -> T {
    T::from_f64(x)
}

/// The same number (−0 is not +0), or both NaN.
fn same<T: Scalar>(a: T, b: T) -> bool {
    a.bits() == b.bits() || a.to_f64().is_nan() && b.to_f64().is_nan()
}

fn has_fma(token: Token) -> bool {
    token.isa() != Isa::Portable || cfg!(any(target_arch = "aarch64", target_feature = "fma"))
}

/// Zeros, subnormal, ordinary, huge and infinite values and NaN, of both signs.
fn specials<T: Scalar>() -> Vec<T> {
    let ordinary = [0.0, 1.0, 1.5, 0.1, 3.0, core::f64::consts::PI, 1e10, 123_456.789, 7.0e-3];
    let mut values: Vec<T> = ordinary.into_iter().map(number).collect();
    values.extend([T::MIN_POSITIVE, T::MIN_NORMAL * number(0.37), T::MIN_NORMAL, T::ONE - T::EPSILON]);
    values.extend([T::MAX, T::INFINITY, T::NAN]);
    values.iter().flat_map(|&x| [x, -x]).collect()
}

/// Each special value with each.
fn pairs<T: Scalar>() -> Vec<[T; 3]> {
    let all = specials::<T>();
    all.iter().flat_map(|&a| all.iter().map(move |&b| [a, b, T::ONE])).collect()
}

#[derive(Clone, Copy, Debug)]
enum Op {
    AddSub,
    MulDiv,
    Fma,
    FmaLow,
    SqrtAbs,
    MinMax,
    LessThan,
    IsNan,
    Scale,
    ScaleFloor,
    WithExponent,
    /// Of the third vector, by quarters of octaves and by integers.
    Lookup,
    LookupOf8,
    Split,
    Zip,
    /// The first two stages, then the others (the last twice where there are three).
    Fold12,
    Fold34,
    /// Both results of one vector, in every lane.
    SumMax,
}

struct OnLanes<T> {
    op: Op,
    x: [Lanes<T>; 3],
}

impl<T: Element> Kernel<T> for OnLanes<T> {
    type Output = [Lanes<T>; 2];

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> [Lanes<T>; 2] {
        let [a, b, c] = self.x;
        // SAFETY: sixteen lanes are a vector or more.
        let (a, b, c) = unsafe { (simd.load(a.as_ptr()), simd.load(b.as_ptr()), simd.load(c.as_ptr())) };
        let (first, second) = match self.op {
            Op::AddSub => (simd.add(a, b), simd.sub(a, b)),
            Op::MulDiv => (simd.mul(a, b), simd.div(a, b)),
            Op::Fma => (simd.fma(a, b, c), simd.add(simd.mul(a, b), c)),
            Op::FmaLow => (simd.select(simd.first(T::LANES / 2), simd.fma_low(a, b, c), simd.fma(a, b, c)), a),
            Op::SqrtAbs => (simd.sqrt(a), simd.abs(a)),
            Op::MinMax => (simd.min(a, b), simd.max(a, b)),
            Op::IsNan => (simd.select(simd.is_nan(a), c, b), simd.select(simd.is_nan(b), c, a)),
            Op::LessThan => (simd.select(simd.lt(a, b), c, a), simd.select(simd.lt(b, a), c, b)),
            Op::Scale => (simd.scale(a, b), c),
            Op::ScaleFloor => (simd.scale_floor(a, b), c),
            Op::WithExponent => (simd.with_exponent(a), simd.power(b)),
            Op::LookupOf8 => {
                let table = core::array::from_fn(|i| self.x[2][i]);
                (simd.lookup_of_8(&table, a), simd.lookup_of_8(&table, b))
            }
            Op::Lookup => (simd.lookup(&self.x[2], simd.quarter_octave(a)), simd.lookup(&self.x[2], b)),
            Op::Split => simd.split(a),
            Op::Zip => simd.zip(a, b),
            Op::Fold12 => (simd.fold::<1>(a, b), simd.fold::<2>(a, b)),
            Op::Fold34 if T::LANES > 8 => (simd.fold::<3>(a, b), simd.fold::<4>(a, b)),
            Op::Fold34 => (simd.fold::<3>(a, b), simd.fold::<3>(a, b)),
            Op::SumMax => (simd.splat(simd.sum(a)), simd.splat(simd.max_lane(a))),
        };
        [simd.lanes(first), simd.lanes(second)]
    }
}

/// Checks an operation that treats lanes alike against scalar code. Each argument passes through every lane.
fn check<T: Scalar>(token: Token, op: Op, arguments: &[[T; 3]], scalar: impl Fn([T; 3]) -> [T; 2]) {
    for shift in 0..arguments.len() {
        let argument = |lane: usize| arguments[(shift + lane) % arguments.len()];
        let x = from_fn(|i| from_fn(|lane| argument(lane)[i]));
        let found = T::dispatch(token, OnLanes { op, x });
        for lane in 0..T::LANES {
            let (found, expected) = ([found[0][lane], found[1][lane]], scalar(argument(lane)));
            let agree = same(found[0], expected[0]) && same(found[1], expected[1]);
            let (x, isa) = (argument(lane), token.isa());
            assert!(agree, "{} {op:?}{x:?} on {isa}: {found:?}, not {expected:?}", T::NAME);
        }
    }
}

fn arithmetic_is_correctly_rounded<T: Scalar>(token: Token) {
    check(token, Op::AddSub, &pairs::<T>(), |[a, b, _]| [a + b, a - b]);
    check(token, Op::MulDiv, &pairs::<T>(), |[a, b, _]| [a * b, a / b]);
    let sqrt = |a: T| number(a.to_f64().sqrt()); // in `f64`, with digits enough to be rounded again
    check(token, Op::SqrtAbs, &pairs::<T>(), |[a, ..]| [sqrt(a), if a < T::ZERO { -a } else { a + T::ZERO }]);
}

fn fma_rounds_once<T: Scalar>(token: Token) {
    let fma = |[a, b, c]: [T; 3]| if has_fma(token) { a.mul_add(b, c) } else { a * b + c };
    // (1 + ε)(1 − ε) − 1 = −ε², which the rounded product loses; and a product beyond the range that the sum brings back.
    let lost = [T::ONE + T::EPSILON, T::ONE - T::EPSILON, -T::ONE];
    let beyond = [T::MAX, T::TWO, -T::MAX];
    assert!(!same(lost[0].mul_add(lost[1], lost[2]), lost[0] * lost[1] + lost[2]));
    let special = specials::<T>().into_iter().flat_map(|a| pairs::<T>().into_iter().map(move |[b, c, _]| [a, b, c]));
    let arguments: Vec<[T; 3]> = [lost, beyond].into_iter().chain(special.step_by(7)).collect();
    check(token, Op::Fma, &arguments, |x @ [a, b, c]| [fma(x), a * b + c]);
    check(token, Op::FmaLow, &arguments, |x @ [a, ..]| [fma(x), a]);
}

fn abs_clears_the_sign_of_nan_too<T: Scalar>(token: Token) {
    let x = from_fn(|i| [-T::NAN, T::NAN, -T::ZERO, -T::INFINITY][i % 4]);
    let [_, found] = T::dispatch(token, OnLanes { op: Op::SqrtAbs, x: [x; 3] });
    let expected = [T::NAN, T::NAN, T::ZERO, T::INFINITY];
    assert!((0..T::LANES).all(|lane| found[lane].bits() == expected[lane % 4].bits()), "{found:?} on {}", token.isa());
}

/// min and max give the second operand where either is NaN or both are zero; lt is false for NaN.
fn min_max_comparisons_and_select<T: Scalar>(token: Token) {
    check(token, Op::MinMax, &pairs::<T>(), |[a, b, _]| [if a < b { a } else { b }, if a > b { a } else { b }]);
    check(token, Op::LessThan, &pairs::<T>(), |[a, b, c]| [if a < b { c } else { a }, if b < a { c } else { b }]);
    let nan = |x: T| x.to_f64().is_nan();
    check(token, Op::IsNan, &pairs::<T>(), |[a, b, c]| [if nan(a) { c } else { b }, if nan(b) { c } else { a }]);
}

/// Over the documented range, through subnormal results down to zero, and up to infinity.
fn scale_rounds_once<T: Scalar>(token: Token) {
    let (most, lowest) = if T::LANES == 16 { (192, -162) } else { (1536, -1087) };
    let below = |x: f64| T::from_f64(x) * (T::ONE - T::EPSILON);
    let ties = [number(1.0), number(1.5), T::ONE + T::EPSILON, T::ONE + T::TWO * T::EPSILON, number(1.25), number(3.0)];
    let edges = [number(0.25), number(4.0), below(2.0), below(4.0), number(0.7), number(core::f64::consts::PI)];
    let values = [ties, edges].concat().into_iter().flat_map(|x: T| [x, -x]);
    let least = |v| if v < T::ZERO { lowest } else { -most };
    let arguments: Vec<[T; 3]> =
        values.flat_map(|v| (least(v)..=most).map(move |n| [v, number(n.into()), v])).collect();
    check(token, Op::Scale, &arguments, |[v, n, c]| [v.times_power(n.to_f64() as i32), c]);
    check(token, Op::Scale, &[[T::NAN, number(3.0), T::ONE]], |x| [T::NAN, x[2]]);
    let sixteenths = |n: i32| number::<T>(f64::from(n) / 16.0);
    let values =
        edges.into_iter().flat_map(|v| (-16 * most..=16 * most).step_by(5).map(move |n| [v, sixteenths(n), v]));
    let floor = |[v, n, c]: [T; 3]| [v.times_power(n.to_f64().floor() as i32), c];
    check(token, Op::ScaleFloor, &values.collect::<Vec<_>>(), floor);
    let lifted = |n: i32| [T::ROUND + T::EXPONENT_BIAS + number(n.into()), number(n.into()), T::ONE];
    let normal = T::MIN_EXPONENT.to_f64() as i32..=T::EXPONENT_BIAS.to_f64() as i32;
    check(token, Op::WithExponent, &normal.map(lifted).collect::<Vec<_>>(), |[_, n, _]| {
        [number(power(n.to_f64() as i32)); 2]
    });
}

fn lookup_takes_the_low_bits<T: Scalar>(token: Token) {
    let table = ramp::<T>(0.0);
    // Four octaves from 1 on, four quarters each; 1 has an odd exponent field that ends in 11.
    for within in [T::ONE, number(1.124), number(1.249)] {
        for first in [0, 16 - T::LANES] {
            let quarter = |i: usize| within + number::<T>(0.25 * (i % 4) as f64);
            let x = from_fn(|lane| quarter(lane + first) * number(power(((lane + first) / 4) as i32)));
            let index = from_fn(|lane| T::ROUND - number(16.0 * lane as f64) + number(((lane + first) % 16) as f64));
            let found = T::dispatch(token, OnLanes { op: Op::Lookup, x: [x, index, table] });
            for lane in 0..T::LANES {
                let i = lane + first;
                let expected = [number(((12 + i) % 16) as f64), number(i as f64)];
                assert!(found[0][lane] == expected[0] && found[1][lane] == expected[1], "{i} on {}", token.isa());
            }
            let found = T::dispatch(token, OnLanes { op: Op::LookupOf8, x: [index, index, table] });
            for lane in 0..T::LANES {
                assert!(
                    found[0][lane] == number(((lane + first) % 8) as f64),
                    "{} of 8 on {}",
                    lane + first,
                    token.isa()
                );
            }
        }
    }
}

fn split_gives_mantissa_and_exponent<T: Scalar>(token: Token) {
    let normal = |x: &T| *x >= T::MIN_NORMAL && *x < T::INFINITY;
    let mut arguments: Vec<[T; 3]> = specials().into_iter().filter(normal).map(|x| [x; 3]).collect();
    arguments.extend((-60..60).map(|n| [number::<T>(power(n)) * (T::ONE + T::EPSILON); 3]));
    arguments.extend((-60..60).map(|n| [number::<T>(power(n)) * (T::TWO - T::EPSILON); 3]));
    let subnormal = [0.4, 0.74, 0.76, 1e-3].map(|part| [T::MIN_NORMAL * number(part); 3]);
    arguments.extend(subnormal);
    arguments.extend([T::MIN_POSITIVE, T::MIN_NORMAL, T::MAX].map(|v| [v; 3]));
    check(token, Op::Split, &arguments, |[v, ..]| {
        // Subnormal numbers of f64 are lifted first.
        let (v, lift) = if v < T::MIN_NORMAL { (v.to_f64() * power(60), 60) } else { (v.to_f64(), 0) };
        let mantissa = f64::from_bits(v.to_bits() << 12 >> 12 | 1023 << 52);
        let (mantissa, up) = if mantissa < 1.5 { (mantissa, 0) } else { (mantissa / 2.0, 1) };
        [number(mantissa), number((exponent(v) - lift + up).into())]
    });
}

/// Sixteen different values.
fn ramp<T: Element>(start: f64) -> Lanes<T> {
    from_fn(|i| number(start + i as f64))
}

fn zip_interleaves_within_quarters<T: Scalar>(token: Token) {
    let (a, b) = (ramp::<T>(1.0), ramp::<T>(101.0));
    let found = T::dispatch(token, OnLanes { op: Op::Zip, x: [a, b, a] });
    let quarter = T::LANES / 4;
    for (half, found) in found.iter().enumerate() {
        for lane in 0..T::LANES {
            let from = lane / quarter * quarter + (half * quarter + lane % quarter) / 2;
            let expected = if lane % 2 == 0 { a[from] } else { b[from] };
            assert!(found[lane] == expected, "half {half}, lane {lane} on {}: {found:?}", token.isa());
        }
    }
}

fn fold_sums_halves_of_groups<T: Scalar>(token: Token) {
    let (a, b) = (ramp::<T>(1.0), ramp::<T>(101.0));
    let fold = |op| T::dispatch(token, OnLanes { op, x: [a, b, a] });
    let ([first, second], [third, fourth]) = (fold(Op::Fold12), fold(Op::Fold34));
    for (stage, found) in [(1, first), (2, second), (3, third), (T::LANES.ilog2(), fourth)] {
        let half = T::LANES >> stage;
        for lane in 0..T::LANES {
            let expected = if lane & half == 0 { a[lane] + a[lane + half] } else { b[lane - half] + b[lane] };
            assert!(found[lane] == expected, "stage {stage}, lane {lane} on {}: {found:?}", token.isa());
        }
    }
}

/// Lane i with lane i + len/2, then the same of the half that is left.
fn tree<T: Copy>(lanes: &[T], combine: &impl Fn(T, T) -> T) -> T {
    if let [one] = lanes {
        return *one;
    }
    let (low, high) = lanes.split_at(lanes.len() / 2);
    let half: Vec<T> = low.iter().zip(high).map(|(&a, &b)| combine(a, b)).collect();
    tree(&half, combine)
}

fn sum_and_max_lane_follow_their_tree<T: Scalar>(token: Token) {
    let specials = specials::<T>();
    // Of such different sizes that every other order rounds otherwise.
    let uneven = |shift: usize| from_fn(|i| number::<T>(power((i * 5 + shift) as i32 * 7 % 23) * (1.1 + i as f64)));
    for shift in 0..specials.len() {
        for x in [uneven(shift), from_fn(|i| specials[(i + shift) % specials.len()]), ramp(shift as f64)] {
            let [[sum, ..], [max, ..]] = T::dispatch(token, OnLanes { op: Op::SumMax, x: [x; 3] });
            let lanes = &x[..T::LANES];
            assert!(same(sum, tree(lanes, &|a, b| a + b)), "sum of {lanes:?} on {}: {sum:?}", token.isa());
            assert!(same(max, tree(lanes, &|a, b| if a > b { a } else { b })), "max_lane of {lanes:?}: {max:?}");
        }
    }
}

/// A kernel that calls another one, which writes to a borrow.
struct Outer<'a, T>(&'a mut Vec<T>);
struct Inner<'a, T>(&'a mut Vec<T>);

impl<T: Element> Kernel<T> for Outer<'_, T> {
    type Output = (usize, usize);

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> (usize, usize) {
        (simd.call(Inner(self.0)), S::REGISTERS)
    }
}

impl<T: Element> Kernel<T> for Inner<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> usize {
        self.0.push(simd.sum(simd.splat(T::ONE)));
        self.0.len()
    }
}

fn call_returns_what_its_kernel_does<T: Scalar>(token: Token) {
    let mut written = vec![T::ZERO];
    assert_eq!(T::dispatch(token, Outer(&mut written)), (2, T::registers(token)));
    assert!(written == [T::ZERO, number(T::LANES as f64)]);
}

/// x + y and x·y.
#[derive(Clone, Copy)]
struct SumAndProduct;

impl<T: Element> Lanewise<T, 2, 2> for SumAndProduct {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x, y]: [S::V; 2]) -> [S::V; 2] {
        [simd.add(x, y), simd.mul(x, y)]
    }
}

struct Apply<T>(Arrays<T, 2, 2>);

impl<T: Element> Kernel<T> for Apply<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        self.0.apply(simd, SumAndProduct);
    }
}

fn apply_reaches_every_element_and_no_other<T: Scalar>(token: Token) {
    for len in 0..=3 * T::LANES + 1 {
        let x: Vec<T> = (0..len).map(|i| number(1.0 + i as f64)).collect();
        let y: Vec<T> = (0..len).map(|i| number(0.5 * i as f64)).collect();
        let (mut sum, mut product) = (vec![T::NAN; len], vec![T::NAN; len + 2]);
        // SAFETY: four arrays of their own, of `len` elements each.
        let arrays =
            unsafe { Arrays::new(len, [x.as_ptr(), y.as_ptr()], [sum.as_mut_ptr(), product[1..].as_mut_ptr()]) };
        assert_eq!(arrays.len(), len);
        T::dispatch(token, Apply(arrays));
        assert!((0..len).all(|i| sum[i] == x[i] + y[i] && product[i + 1] == x[i] * y[i]), "{len} on {}", token.isa());
        assert!(product[0].to_f64().is_nan() && product[len + 1].to_f64().is_nan());
    }
}

fn apply_works_in_place_and_on_parts<T: Scalar>(token: Token) {
    for len in 0..=3 * T::LANES + 1 {
        for (start, end) in [(0, len), (len / 3, len), (len / 2, len / 2), (0, len.saturating_sub(1))] {
            let old: Vec<T> = (0..len).map(|i| number(i as f64)).collect();
            let (mut x, mut y) = (old.clone(), vec![T::TWO; len]);
            // SAFETY: two arrays of `len` elements, each read and written in place.
            let arrays = unsafe { Arrays::new(len, [x.as_ptr(), y.as_ptr()], [x.as_mut_ptr(), y.as_mut_ptr()]) };
            T::dispatch(token, Apply(arrays.range(start..end)));
            for i in 0..len {
                let expected =
                    if i >= start && i < end { (old[i] + T::TWO, old[i] * T::TWO) } else { (old[i], T::TWO) };
                assert!((x[i], y[i]) == expected, "{start}..{end} of {len} on {}: {x:?} {y:?}", token.isa());
            }
        }
    }
}

/// How many elements each lane has taken; each is raised by those before it.
#[derive(Clone, Copy)]
struct Counting;

impl<T: Element> Fold<T, 1, 1> for Counting {
    #[inline(always)]
    fn step<S: Simd<T>>(self, simd: S, acc: S::V, [x]: [S::V; 1]) -> (S::V, [S::V; 1]) {
        (simd.add(acc, simd.splat(T::ONE)), [simd.add(x, acc)])
    }
    #[inline(always)]
    fn merge<S: Simd<T>>(self, simd: S, a: S::V, b: S::V) -> S::V {
        simd.add(a, b)
    }
}

struct Count<T>(Arrays<T, 1, 1>);

impl<T: Element> Kernel<T> for Count<T> {
    type Output = Lanes<T>;

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> Lanes<T> {
        let start = simd.splat(T::ZERO);
        simd.lanes(self.0.fold(simd, start, Counting))
    }
}

/// Lane l takes the elements l, l + LANES, …
fn fold_takes_each_element_once<T: Scalar>(token: Token) {
    let several_chains = [4, 5, 64, 69, 130].map(|vectors| vectors * T::LANES + 3);
    for len in (0..=3 * T::LANES + 1).chain(several_chains) {
        let mut x = vec![T::ONE; len + 1];
        let counts = T::dispatch(token, Count(Arrays::in_place(&mut x[..len])));
        let expected = |lane: usize| number((lane..len).step_by(T::LANES).count() as f64);
        assert!((0..T::LANES).all(|lane| counts[lane] == expected(lane)), "{len} on {}: {counts:?}", token.isa());
        // What an element becomes tells how many its accumulator had taken before.
        let before = |i: usize| if len < 4 * T::LANES { Some(i / T::LANES) } else { None };
        let right = |i: usize| before(i).map_or(x[i] >= T::ONE, |before| x[i] == number(1.0 + before as f64));
        assert!((0..len).all(right) && x[len] == T::ONE, "{len}: {x:?}");
    }
}
