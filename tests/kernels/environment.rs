//! What a call leaves as it was, the floating-point environment, and what it must have used, the instruction set that was asked for.

use crate::common::{Float, fma_execs, sequential_execs};
use roofline::{MatMut, MatRef, Reduction};

both_types!(subnormal_numbers_are_exact, fused_kernels_round_once);

/// Products, sums and copies of subnormal numbers that have one: nothing is flushed to 0.
fn subnormal_numbers_are_exact<T: Float>() {
    let (half, tiny) = if T::NAME == "f32" { (2.0_f64.powi(-70), -140) } else { (2.0_f64.powi(-530), -1060) };
    let number = |multiple: f64| T::from_f64(2.0_f64.powi(tiny) * multiple);
    for exec in sequential_execs() {
        for n in [1, T::LANES - 1, T::LANES, 3 * T::LANES + 5] {
            let (a, b): (Vec<T>, Vec<T>) = (vec![T::from_f64(half); 2], vec![T::from_f64(half); 2 * n]);
            let mut c = vec![number(3.0); n];
            let (a, b) = (MatRef::from_slice(&a, 1, 2).unwrap(), MatRef::from_slice(&b, 2, n).unwrap());
            exec.gemm(T::ONE, a, b, T::ONE, MatMut::from_slice(&mut c, 1, n).unwrap()).unwrap();
            assert!(c.iter().all(|&x| x == number(5.0)), "gemm on {exec:?}: {c:?}");
            exec.axpy(T::from_f64(2.0), &vec![number(-1.0); n], &mut c).unwrap();
            assert!(c.iter().all(|&x| x == number(3.0)), "axpy on {exec:?}: {c:?}");
            exec.relu_inplace(&mut c).unwrap();
            assert!(c.iter().all(|&x| x == number(3.0)), "relu on {exec:?}: {c:?}");
            assert!(exec.reduce(Reduction::Sum, &c).unwrap() == number(3.0 * n as f64), "sum on {exec:?}");
            assert!(exec.reduce(Reduction::Max, &c).unwrap() == number(3.0), "maximum on {exec:?}");
        }
    }
}

/// −1 + (1 + u)·(1 − u) is −u² with one rounding and 0 with two: the instruction sets with FMA do not fall back to the one without.
fn fused_kernels_round_once<T: Float>() {
    let u = 2.0 * T::UNIT_ROUNDOFF;
    for exec in fma_execs() {
        for n in [1, T::LANES + 3, 100] {
            let a = [1.0, 1.0 + u].map(T::from_f64);
            let mut b = vec![T::from_f64(-1.0); n];
            let mut y = b.clone();
            b.resize(2 * n, T::from_f64(1.0 - u));
            let mut c = vec![T::ZERO; n];
            let (left, right) = (MatRef::from_slice(&a, 1, 2).unwrap(), MatRef::from_slice(&b, 2, n).unwrap());
            exec.gemm(T::ONE, left, right, T::ZERO, MatMut::from_slice(&mut c, 1, n).unwrap()).unwrap();
            assert!(c.iter().all(|x| x.to_f64() == -u * u), "gemm on {exec:?}: {c:?}");
            exec.axpy(a[1], &b[n..], &mut y).unwrap();
            assert!(y.iter().all(|x| x.to_f64() == -u * u), "axpy on {exec:?}: {y:?}");
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use crate::common::execs;
    use crate::operations::case::Place;
    use crate::operations::operations;
    use core::arch::asm;
    use roofline::{Exec, Isa};

    /// Exception flags of MXCSR, which arithmetic sets: not part of what must stay.
    const FLAGS: u32 = 0x3f;
    const DEFAULT: u32 = 0x1f80;
    /// Flush to zero, denormals are zero.
    const FLUSH: u32 = 0x8040;
    const ROUND_UP: u32 = 0x4000;

    fn mxcsr() -> u32 {
        let mut word = 0_u32;
        // SAFETY: stores four bytes there.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
        word
    }

    fn set_mxcsr(word: u32) {
        // SAFETY: a word without reserved bits; every test that sets it restores it.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, preserves_flags, readonly)) };
    }

    fn x87_control() -> u16 {
        let mut word = 0_u16;
        // SAFETY: stores two bytes there.
        unsafe { asm!("fnstcw [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
        word
    }

    /// Neither the settings of a program that has the default ones nor those of one that flushes or rounds otherwise are changed.
    fn settings_stay<T: Float>() {
        for settings in [DEFAULT, DEFAULT | FLUSH, DEFAULT | ROUND_UP] {
            for operation in operations::<T>() {
                for exec in execs().into_iter().filter(|exec| exec.threads() <= 2) {
                    for number in [0, 1, 6] {
                        let before = x87_control();
                        set_mxcsr(settings);
                        exec.region(|| operation.digest(&exec, number, Place::Offset(1)));
                        let after = mxcsr();
                        set_mxcsr(DEFAULT);
                        assert_eq!(after & !FLAGS, settings, "MXCSR after {} on {exec:?}", operation.name);
                        assert_eq!(x87_control(), before, "x87 control word after {}", operation.name);
                    }
                }
            }
        }
    }

    #[test]
    fn the_floating_point_environment_stays_in_f32() {
        settings_stay::<f32>();
    }

    #[test]
    fn the_floating_point_environment_stays_in_f64() {
        settings_stay::<f64>();
    }

    /// Mask registers, upper halves of the first 16 registers of AVX-512, and the other 16: components 5 to 7 of the state of a thread.
    const AVX512_STATE: u64 = 0b111 << 5;

    /// Puts those components into their initial state.
    ///
    /// # Safety
    /// The CPU has AVX-512, and the system saves it.
    #[target_feature(enable = "xsave")]
    unsafe fn forget_avx512() {
        #[repr(align(64))]
        struct Area([u8; 4096]);
        let area = Area([0; 4096]);
        // SAFETY: an area whose header says that every component is initial; only those three are restored, which no code of this
        // program outside of the kernels uses.
        unsafe { core::arch::x86_64::_xrstor64(area.0.as_ptr(), AVX512_STATE) };
    }

    /// Whether any of those components was written since.
    ///
    /// # Safety
    /// The CPU has XGETBV with ECX = 1.
    #[target_feature(enable = "xsave")]
    unsafe fn used_avx512() -> bool {
        // SAFETY: the caller's debt.
        unsafe { core::arch::x86_64::_xgetbv(1) & AVX512_STATE != 0 }
    }

    /// The CPU itself says which registers were written: a wrong dispatch would run, and give the right bits. None of these calls copies or
    /// fills memory by the C library, which uses AVX-512 itself; each has a rest, and so a mask.
    fn registers_are_those_of_the_instruction_set<T: Float>() {
        // Those with AVX-512 and XSAVEC have XGETBV with ECX = 1 too.
        if !std::arch::is_x86_feature_detected!("xsavec") || Isa::best() != Isa::Avx512 {
            return;
        }
        let exec = |isa| Exec::sequential().with_isa(isa).unwrap();
        let (a, b, mut c, mut y) = (vec![T::ONE; 1600], vec![T::ONE; 1600], vec![T::ONE; 1600], vec![T::ONE; 1597]);
        let mut calls: [(&str, &mut dyn FnMut(Exec)); 4] = [
            ("gemm", &mut |exec| {
                let [a, b] = [&a, &b].map(|x| MatRef::from_slice(x, 40, 40).unwrap());
                exec.gemm(T::ONE, a, b, T::ONE, MatMut::from_slice(&mut c, 40, 40).unwrap()).unwrap();
            }),
            ("exp", &mut |exec| exec.exp(&a[..1597], &mut y).unwrap()),
            ("gelu", &mut |exec| exec.gelu(&a[..7], &mut [T::ONE; 7]).unwrap()),
            // Not a sum: the portable set begins one with hundreds of bytes of 0, which are such a fill where little is optimised.
            ("max", &mut |exec| assert!(exec.reduce(Reduction::Max, &b[..1597]).unwrap() > T::ZERO)),
        ];
        for (name, call) in &mut calls {
            call(exec(Isa::Avx512));
            let mut uses = |isa| {
                // SAFETY: the CPU has AVX-512, and XGETBV tells.
                unsafe { forget_avx512() };
                call(exec(isa));
                // SAFETY: as above.
                unsafe { used_avx512() }
            };
            assert!(uses(Isa::Avx512), "{name} of {} on AVX-512 left its registers alone", T::NAME);
            assert!(!uses(Isa::Avx2), "{name} of {} on AVX2 used those of AVX-512", T::NAME);
            assert!(!uses(Isa::Portable), "{name} of {} without them used registers of AVX-512", T::NAME);
        }
    }

    #[test]
    fn the_kernel_that_runs_is_the_one_asked_for_in_f32() {
        registers_are_those_of_the_instruction_set::<f32>();
    }

    #[test]
    fn the_kernel_that_runs_is_the_one_asked_for_in_f64() {
        registers_are_those_of_the_instruction_set::<f64>();
    }
}
