//! Files for a test, in a folder that goes with it.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("roofline-cli-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    /// A file in it, as an argument.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").into()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("room");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Two kinds of flowers, told apart by the sum of two columns, one of them in the hundreds.
pub fn flowers(labelled: bool) -> String {
    let mut text = String::from(if labelled { "length,width,kind\n" } else { "length,width\n" });
    for i in 0..80_u32 {
        let (length, width) = (f64::from(i * 37 % 80) / 10.0, 100.0 + f64::from(i * 53 % 80));
        let kind = if length / 8.0 + (width - 100.0) / 80.0 > 1.0 { "rose" } else { "aster" };
        text += &if labelled { format!("{length},{width},{kind}\n") } else { format!("{length},{width}\n") };
    }
    text
}
