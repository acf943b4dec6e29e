//! Any library with a CBLAS interface of 32-bit integers, by path.

use crate::problem::{Operand, Problem, Rival};
use crate::rivals::Real;
use libloading::Library;
use roofline::Mat;
use std::error::Error;
use std::ffi::{CStr, c_char, c_int};
use std::path::Path;

/// An opened library.
pub struct Blas {
    /// File name without `lib` and what follows the first dot.
    pub name: String,
    /// What the library says about itself.
    pub version: String,
    /// Never closed: its threads may still run.
    library: &'static Library,
}

/// What symbols may begin with: SciPy renames those of its OpenBLAS.
const PREFIXES: [&str; 2] = ["", "scipy_"];
/// Sets the number of threads (an `int`): OpenBLAS, MKL.
const SET_THREADS: [&str; 2] = ["openblas_set_num_threads", "MKL_Set_Num_Threads"];
/// Sets the number of threads (a `dim_t`, 64 bits wide): BLIS.
const SET_THREADS_WIDE: &str = "bli_thread_set_num_threads";
/// Return a string about the library: OpenBLAS, BLIS.
const VERSION: [&str; 2] = ["openblas_get_config", "bli_info_get_version_str"];
/// Writes a string about the library into a buffer: MKL.
const VERSION_INTO: &str = "MKL_Get_Version_String";

/// `CblasRowMajor`, `CblasNoTrans` and `CblasTrans` of `cblas.h`.
const ROW_MAJOR: c_int = 101;
/// See [`ROW_MAJOR`].
const NO_TRANS: c_int = 111;
/// See [`ROW_MAJOR`].
const TRANS: c_int = 112;

/// `cblas_sgemm` and `cblas_dgemm`: order, op(A), op(B), m, n, k, α, A, lda, B, ldb, β, C, ldc.
type CblasGemm<T> = unsafe extern "C" fn(
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    T,
    *const T,
    c_int,
    *const T,
    c_int,
    T,
    *mut T,
    c_int,
);

impl Blas {
    /// Opens a library.
    ///
    /// # Errors
    /// Where there is none, or one without `cblas_sgemm`.
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let name = file.strip_prefix("lib").unwrap_or(&file).split('.').next().unwrap_or_default().to_owned();
        let library = load(path).map_err(|error| {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            format!("{}: {error}{cause}", path.display())
        })?;
        let mut blas = Self { name, version: String::new(), library: Box::leak(Box::new(library)) };
        blas.version = blas.ask_version().unwrap_or_else(|| "unknown".into());
        match blas.symbol::<CblasGemm<f32>>(f32::CBLAS) {
            Some(_) => Ok(blas),
            None => Err(format!("{} has no {}", path.display(), f32::CBLAS)),
        }
    }

    /// Its GEMM; from now on, the library uses so many threads. `None` where it lacks the type, or cannot be told.
    pub fn contestant<T: Real>(&self, threads: usize) -> Option<Box<dyn Rival<T>>> {
        let gemm = *self.symbol::<CblasGemm<T>>(T::CBLAS)?;
        self.set_threads(threads)?;
        Some(Box::new(Cblas { name: self.name.clone(), gemm }))
    }

    /// Tells the library how many threads to use.
    fn set_threads(&self, threads: usize) -> Option<()> {
        if let Some(set) = SET_THREADS.iter().find_map(|name| self.symbol::<unsafe extern "C" fn(c_int)>(name)) {
            // SAFETY: the type is that of the library's header; any count is allowed.
            unsafe { set(c_int::try_from(threads).ok()?) };
        } else {
            let set = self.symbol::<unsafe extern "C" fn(i64)>(SET_THREADS_WIDE)?;
            // SAFETY: as above.
            unsafe { set(i64::try_from(threads).ok()?) };
        }
        Some(())
    }

    /// What the library says about itself.
    fn ask_version(&self) -> Option<String> {
        let mut buffer = [0; 256];
        let text = if let Some(get) =
            VERSION.iter().find_map(|name| self.symbol::<unsafe extern "C" fn() -> *const c_char>(name))
        {
            // SAFETY: the type is that of the library's header.
            unsafe { get() }
        } else {
            let get = self.symbol::<unsafe extern "C" fn(*mut c_char, c_int)>(VERSION_INTO)?;
            // SAFETY: as above; the last byte of the buffer stays 0, whatever the library thinks of terminators.
            unsafe { get(buffer.as_mut_ptr(), buffer.len() as c_int - 1) };
            buffer.as_ptr()
        };
        // SAFETY: both are C strings that live until the end of this function at least.
        let text = unsafe { CStr::from_ptr(text) };
        Some(text.to_string_lossy().trim().to_owned())
    }

    /// A function under one of its names. `F` must be its type in the library's header.
    fn symbol<F>(&self, name: &str) -> Option<libloading::Symbol<'static, F>> {
        // SAFETY: looking a symbol up has no effect; those who call it answer for its type.
        PREFIXES.iter().find_map(|prefix| unsafe { self.library.get(format!("{prefix}{name}").as_str()) }.ok())
    }
}

/// Opens a library with its symbols bound to itself, not to another BLAS in this process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn load(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::unix::{Library as UnixLibrary, RTLD_LOCAL, RTLD_NOW};
    /// Of glibc's `dlfcn.h`.
    const RTLD_DEEPBIND: c_int = 8;
    // SAFETY: the user asks for the initialisers of this library to run.
    unsafe { UnixLibrary::open(Some(path), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND) }.map(Library::from)
}

/// Opens a library.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn load(path: &Path) -> Result<Library, libloading::Error> {
    // SAFETY: the user asks for the initialisers of this library to run.
    unsafe { Library::new(path) }
}

/// One function of one library.
struct Cblas<T> {
    /// Of the library.
    name: String,
    /// `cblas_?gemm`.
    gemm: CblasGemm<T>,
}

impl<T: Real> Rival<T> for Cblas<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn gemm(&self, problem: &Problem<T>, c: &mut Mat<T>) {
        let int = |value: usize| c_int::try_from(value).expect("sizes of the grid are small");
        let op = |operand: &Operand<T>| if operand.is_transposed() { TRANS } else { NO_TRANS };
        let (m, n, k) = (int(problem.shape.m), int(problem.shape.n), int(problem.shape.k));
        let (a, b) = (&problem.a, &problem.b);
        let (lda, ldb) = (int(a.stored().cols()), int(b.stored().cols()));
        let c = c.as_mut_slice().as_mut_ptr();
        let (one, zero) = (T::ONE, T::ZERO);
        // SAFETY: the type is that of cblas.h; all three are row-major, of the sizes given, without gaps.
        unsafe { (self.gemm)(ROW_MAJOR, op(a), op(b), m, n, k, one, a.ptr(), lda, b.ptr(), ldb, zero, c, n) }
    }
}
