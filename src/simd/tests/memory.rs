//! Operations that touch memory: all of the lanes that they name, and nothing else.

use super::*;

on_every_token!(
    splat_load_store_and_lanes,
    masks_leave_false_lanes_alone,
    masks_without_lanes_touch_no_memory,
    prefetch_takes_any_address,
    stores_past_caches_reach_their_line,
    quarters_come_from_their_addresses,
);

/// What a kernel of memory operations is asked to do at its address.
enum Access<T> {
    Splat(T),
    Copy(*mut T),
    CopyPastCaches(*mut T),
    LoadFirst(usize),
    /// Of the quarters at these distances.
    LoadQuarters([usize; 4]),
    /// The first lanes of a ramp.
    StoreFirst(usize),
    /// The lanes of a ramp that are less than this.
    StoreBelow(T),
    Prefetch,
}

struct Touch<T>(*mut T, Access<T>);

impl<T: Element> Kernel<T> for Touch<T> {
    type Output = Lanes<T>;

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> Lanes<T> {
        let Touch(p, access) = self;
        // SAFETY: each test gives memory for the lanes that its access touches.
        unsafe {
            let ramp = simd.load(ramp(1.0).as_ptr());
            match access {
                Access::Splat(x) => return simd.lanes(simd.splat(x)),
                Access::Copy(to) => simd.store(to, simd.load(p)),
                Access::CopyPastCaches(to) => {
                    simd.store_past_caches(to, simd.load(p));
                    simd.fence();
                }
                Access::LoadFirst(n) => return simd.lanes(simd.load_masked(simd.first(n), p)),
                Access::LoadQuarters(at) => return simd.lanes(simd.load_quarters(at.map(|at| p.add(at).cast_const()))),
                Access::StoreFirst(n) => simd.store_masked(simd.first(n), p, ramp),
                Access::StoreBelow(limit) => simd.store_masked(simd.lt(ramp, simd.splat(limit)), p, ramp),
                Access::Prefetch => simd.prefetch(p),
            }
            simd.lanes(ramp)
        }
    }
}

fn touch<T: Element>(token: Token, p: *mut T, access: Access<T>) -> Lanes<T> {
    T::dispatch(token, Touch(p, access))
}

fn splat_load_store_and_lanes<T: Scalar>(token: Token) {
    for x in specials::<T>() {
        let lanes = touch(token, core::ptr::null_mut(), Access::Splat(x));
        assert!((0..16).all(|i| same(lanes[i], if i < T::LANES { x } else { T::ZERO })));
    }
    let mut from: Vec<T> = (0..40).map(|i| number(f64::from(i))).collect();
    for at in 0..16 {
        let mut to = vec![T::NAN; at + T::LANES + 1];
        touch(token, from[at..].as_mut_ptr(), Access::Copy(to[at..].as_mut_ptr()));
        let is_copy = |i: usize| to[i].to_f64() == from[i].to_f64();
        assert!((0..to.len()).all(|i| is_copy(i) == (i >= at && i < at + T::LANES)), "{to:?}");
    }
}

/// Every number of lanes, at every distance from the end of an allocation that the lanes leave, between canaries.
fn masks_leave_false_lanes_alone<T: Scalar>(token: Token) {
    for n in (0..=T::LANES + 1).chain([usize::MAX]) {
        let some = n.min(T::LANES);
        for at in 0..3 {
            let mut data = vec![T::NAN; at + some].into_boxed_slice();
            data[at..].copy_from_slice(&ramp(5.0)[..some]);
            let found = touch(token, data[at..].as_mut_ptr(), Access::LoadFirst(n));
            let expected = |i: usize| if i < some { number(5.0 + i as f64) } else { T::ZERO };
            assert!((0..16).all(|i| same(found[i], expected(i))), "first({n}) on {}: {found:?}", token.isa());
            touch(token, data[at..].as_mut_ptr(), Access::StoreFirst(n));
            assert!(data[at..] == ramp(1.0)[..some] && data[..at].iter().all(|x| x.to_f64().is_nan()));

            let mut data = vec![T::NAN; at + T::LANES + 2];
            touch(token, data[at..].as_mut_ptr(), Access::StoreFirst(n));
            assert!(data[at..at + some] == ramp(1.0)[..some]);
            data.drain(at..at + some);
            assert!(data.iter().all(|x| x.to_f64().is_nan()), "first({n}) on {}: {data:?}", token.isa());
            data.resize(T::LANES, T::NAN);
            touch(token, data.as_mut_ptr(), Access::StoreBelow(number(n as f64)));
            assert!((0..T::LANES).all(|i| data[i].to_f64().is_nan() == (i + 1 >= n)), "{data:?}");
        }
    }
}

/// Without a true lane not even the address matters.
fn masks_without_lanes_touch_no_memory<T: Scalar>(token: Token) {
    for p in [core::ptr::null_mut(), core::ptr::dangling_mut(), core::ptr::without_provenance_mut(usize::MAX - 70)] {
        assert!(touch(token, p, Access::LoadFirst(0)) == [T::ZERO; 16]);
        touch(token, p, Access::StoreFirst(0));
        touch(token, p, Access::StoreBelow(T::NAN));
    }
}

fn prefetch_takes_any_address<T: Scalar>(token: Token) {
    for address in [0, 1, 4096, usize::MAX / 2, usize::MAX] {
        touch::<T>(token, core::ptr::without_provenance_mut(address), Access::Prefetch);
    }
}

/// Whole lines, and none beside them.
fn stores_past_caches_reach_their_line<T: Scalar>(token: Token) {
    let mut from = ramp::<T>(1.0);
    let mut to = [T::NAN; 64];
    let first = to.as_ptr().align_offset(64);
    touch(token, from.as_mut_ptr(), Access::CopyPastCaches(to[first..].as_mut_ptr()));
    assert!(to[first..first + T::LANES] == from[..T::LANES]);
    assert!((0..64).all(|i| to[i].to_f64().is_nan() != (first..first + T::LANES).contains(&i)), "{to:?}");
}

/// To the last element of an allocation, which AddressSanitizer watches.
fn quarters_come_from_their_addresses<T: Scalar>(token: Token) {
    let quarter = T::LANES / 4;
    let mut data: Box<[T]> = (0..5 * quarter).map(|i| number(i as f64)).collect();
    for at in [[0, 1, 2, 3], [4 * quarter, 0, 3, 4 * quarter], [2, 2, 2, 2]] {
        let found = touch(token, data.as_mut_ptr(), Access::LoadQuarters(at));
        for lane in 0..T::LANES {
            assert!(found[lane] == number((at[lane / quarter] + lane % quarter) as f64), "{at:?}: {found:?}");
        }
    }
}
