//! [`Isa`]: which instruction sets there are, which this machine has, and the one `match` that enters them.

use super::Simd;
use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};
use crate::element::Element;
use crate::error::Error;
use core::fmt;
use core::str::FromStr;

/// An instruction set that the kernels can be run on.
///
/// ```
/// use roofline::Isa;
/// assert!(Isa::available().any(|isa| isa == Isa::Portable));
/// assert_eq!("avx2".parse::<Isa>()?, Isa::Avx2);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// x86-64 with AVX-512 F, VL, BW and DQ (and AVX2 and FMA).
    Avx512,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// What the build target guarantees: NEON on aarch64, SSE2 on x86-64.
    Portable,
}

impl Isa {
    /// All of them, best first.
    pub const ALL: [Isa; 3] = [Isa::Avx512, Isa::Avx2, Isa::Portable];

    /// Those that this machine has, best first. `Portable` is always the last.
    pub fn available() -> impl Iterator<Item = Isa> {
        Self::ALL.into_iter().filter(|isa| Token::detect(*isa).is_some())
    }

    /// The best one that this machine has.
    ///
    /// ```
    /// assert_eq!(roofline::Isa::available().next(), Some(roofline::Isa::best()));
    /// ```
    pub fn best() -> Isa {
        Token::best().isa()
    }

    /// Lower-case name: `avx512`, `avx2` or `portable`.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Portable => "portable",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Isa::ALL
            .into_iter()
            .find(|isa| isa.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| Error::UnknownIsa { name: name.into() })
    }
}

/// Proof that this CPU has an instruction set.
#[derive(Clone, Copy)]
pub enum Token {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable(Portable),
}

impl Token {
    /// The token of `isa` where this machine has it.
    pub(crate) fn detect(isa: Isa) -> Option<Token> {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Avx512::detect().map(Token::Avx512),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Avx2::detect().map(Token::Avx2),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 | Isa::Avx2 => None,
            Isa::Portable => Some(Token::Portable(Portable)),
        }
    }

    /// The token of the best instruction set.
    pub(crate) fn best() -> Token {
        Isa::ALL.into_iter().find_map(Token::detect).unwrap_or(Token::Portable(Portable))
    }

    /// The token for work that mostly stores: Zen 4 stores two halves of a vector 1.3 times as fast as a whole one, Emerald Rapids as fast.
    pub(crate) fn for_stores(self) -> Token {
        #[cfg(target_arch = "x86_64")]
        if let Token::Avx512(_) = self {
            return Token::detect(Isa::Avx2).unwrap_or(self);
        }
        self
    }

    /// [`Simd::halves_are_cheap`] of this token.
    #[inline]
    pub(crate) fn halves_are_cheap(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(simd) => Simd::<f32>::halves_are_cheap(simd),
            _ => true,
        }
    }

    /// Which instruction set this is the proof of.
    pub(crate) fn isa(self) -> Isa {
        match self {
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(_) => Isa::Avx512,
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(_) => Isa::Avx2,
            Token::Portable(_) => Isa::Portable,
        }
    }
}

/// Work that can be done on any instruction set.
///
/// `run` and all that it calls with `simd` must be `#[inline(always)]`: only then does it become code of the instruction
/// set. A closure would not do: it does not inherit the features of a caller that it was inlined into.
pub trait Kernel<T: Element> {
    /// What the work gives back.
    type Output;
    /// Does the work with the vectors of `simd`.
    fn run<S: Simd<T>>(self, simd: S) -> Self::Output;
}

/// Entry into the instruction set of a token, implemented for `f32` and `f64`.
pub trait Dispatch: Sized {
    /// [`Simd::REGISTERS`] of `token`.
    fn registers(token: Token) -> usize;
    /// Runs `kernel` on `token`.
    fn dispatch<K: Kernel<Self>>(token: Token, kernel: K) -> K::Output
    where
        Self: Element;
}

macro_rules! dispatch {
    ($($t:ident),*) => {$(
        impl Dispatch for $t {
            fn registers(token: Token) -> usize {
                match token {
                    #[cfg(target_arch = "x86_64")]
                    Token::Avx512(_) => <Avx512 as Simd<Self>>::REGISTERS,
                    #[cfg(target_arch = "x86_64")]
                    Token::Avx2(_) => <Avx2 as Simd<Self>>::REGISTERS,
                    Token::Portable(_) => <Portable as Simd<Self>>::REGISTERS,
                }
            }

            #[inline]
            fn dispatch<K: Kernel<Self>>(token: Token, kernel: K) -> K::Output {
                match token {
                    #[cfg(target_arch = "x86_64")]
                    Token::Avx512(simd) => Simd::<Self>::call(simd, kernel),
                    #[cfg(target_arch = "x86_64")]
                    Token::Avx2(simd) => Simd::<Self>::call(simd, kernel),
                    Token::Portable(simd) => Simd::<Self>::call(simd, kernel),
                }
            }
        }
    )*};
}

dispatch!(f32, f64);

/// Defines a token: its features, listed once for detection and for the function that enables them.
#[cfg(target_arch = "x86_64")]
macro_rules! token {
    ($(#[$doc:meta])* $name:ident: $($feature:tt),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name(());

        impl $name {
            /// The token, where the CPU and the operating system support every feature of it.
            pub(crate) fn detect() -> Option<Self> {
                ($(std::arch::is_x86_feature_detected!($feature))&&+).then_some(Self(()))
            }

            /// A function of its own for each kernel, compiled for these features.
            $(#[target_feature(enable = $feature)])+
            #[inline(never)]
            fn enter<T: Element, K: Kernel<T>>(self, kernel: K) -> K::Output
            where
                Self: Simd<T>,
            {
                kernel.run(self)
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use token;
