//! The machine and the build.

use crate::document::schema::{Cache, Host};
use roofline::{Exec, Isa};
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// What can be found out; empty where the system does not tell.
pub(crate) fn host() -> Host {
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let changed = output("git", &["status", "--porcelain", "--untracked-files=no"]);
    let mark = if changed.is_empty() { "" } else { "+" };
    Host {
        cpu: model.map_or(std::env::consts::ARCH, |(_, name)| name).to_owned(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        threads: Exec::default().threads(),
        caches: caches(),
        instruction_sets: Isa::available().map(|isa| isa.to_string()).collect(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        compiler: output("rustc", &["--version"]),
        commit: output("git", &["rev-parse", "--short", "HEAD"]) + mark,
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
    }
}

/// How many other tasks run or wait for a core just now: the median of some looks. The load of the last minute would have the compiler in
/// it.
pub(crate) fn busy() -> Option<usize> {
    let look = || {
        std::thread::sleep(Duration::from_millis(20));
        let text = read_to_string("/proc/loadavg").ok()?;
        // This thread runs too.
        Some(text.split(' ').nth(3)?.split('/').next()?.parse::<usize>().ok()?.saturating_sub(1))
    };
    let mut looks: Vec<usize> = (0..9).map_while(|_| look()).collect();
    looks.sort_unstable();
    looks.get(looks.len() / 2).copied()
}

/// What a command prints; nothing where it fails.
fn output(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    String::from_utf8_lossy(&text.unwrap_or_default()).trim().to_owned()
}

/// Data caches of the first core, as Linux lists them.
fn caches() -> Vec<Cache> {
    let read = |index: usize| {
        let folder = Path::new("/sys/devices/system/cpu/cpu0/cache").join(format!("index{index}"));
        let file = |name: &str| read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned());
        let (level, size) = (file("level")?, file("size")?);
        let bytes = size.strip_suffix('K')?.parse::<usize>().ok()? * 1024;
        let cores = file("shared_cpu_list").map_or(1, |list| count(&list));
        (file("type")? != "Instruction").then(|| Cache { level: format!("L{level}"), bytes, cores })
    };
    (0..8).filter_map(read).collect()
}

/// Cores of a list such as `0-3,8`.
fn count(list: &str) -> usize {
    let part = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(last.parse::<usize>().ok()? + 1 - first.parse::<usize>().ok()?)
    };
    list.split(',').filter_map(part).sum()
}
