//! On disk there is the old file or the new one, whole.

use super::small;
use roofline::nn::checkpoint::{Checkpoint, CheckpointError};
use roofline::nn::{Mlp, Rule};
use roofline::{Activation, Exec};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("roofline-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn with_note(note: impl ToString) -> Checkpoint<f32> {
    let mut checkpoint = small::<f32>(Rule::momentum());
    checkpoint.configuration.insert("note".into(), note.to_string());
    checkpoint
}

fn note(path: &Path) -> String {
    Checkpoint::<f32>::load(path).unwrap_or_else(|error| panic!("{error}")).configuration["note"].clone()
}

#[test]
fn a_file_is_replaced_and_nothing_else_is_left() {
    let folder = Folder::new("replaced");
    let path = folder.file("a.safetensors");
    for text in ["first", "second"] {
        with_note(text).save(&path).unwrap();
        assert_eq!(note(&path), text);
    }
    assert_eq!(folder.names(), ["a.safetensors"]);
}

#[cfg(unix)]
#[test]
fn the_mode_stays_and_links_are_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = Folder::new("mode");
    let (path, link) = (folder.file("a"), folder.file("link"));
    with_note("old").save(&path).unwrap();
    for mode in [0o600, 0o644, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        with_note("new").save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
    symlink("a", &link).unwrap();
    with_note("by link").save(&link).unwrap();
    assert!(link.is_symlink() && note(&path) == "by link");
    assert_eq!(folder.names(), ["a", "link"]);
}

#[test]
fn what_cannot_be_replaced_or_read_is_an_error() {
    let folder = Folder::new("refused");
    fs::create_dir(folder.file("folder")).unwrap();
    let io = |result: Result<(), CheckpointError>| match result.unwrap_err() {
        CheckpointError::Io { action, path, .. } => (action, path),
        other => panic!("{other}"),
    };
    let checkpoint = with_note("");
    assert_eq!(io(checkpoint.save(folder.file("folder"))), ("replace", folder.file("folder")));
    assert_eq!(io(checkpoint.save(folder.file("none/a"))).0, "create");
    assert_eq!(io(Checkpoint::<f32>::load(folder.file("folder")).map(drop)), ("read", folder.file("folder")));
    assert_eq!(io(Checkpoint::<f32>::load(folder.file("none")).map(drop)), ("read", folder.file("none")));
    assert_eq!(folder.names(), ["folder"]);
}

/// Names that killed processes left are passed over, a thousand of them in one go.
#[test]
fn names_that_are_taken_are_passed_over() {
    let folder = Folder::new("taken");
    for number in 0..2500 {
        fs::write(folder.file(&format!(".checkpoint-{}-{number}.tmp", std::process::id())), "").unwrap();
    }
    let path = folder.file("a");
    let error = with_note("").save(&path).unwrap_err();
    assert!(matches!(error, CheckpointError::Io { action: "create", .. }), "{error}");
    // The names go on from there.
    assert!((0..3).any(|_| with_note("new").save(&path).is_ok()));
    assert_eq!((note(&path), folder.names().len()), ("new".into(), 2501));
}

/// To rename over a socket, a pipe or a device would take it away.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_replaced() {
    let folder = Folder::new("socket");
    let path = folder.file("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = with_note("").save(&path).unwrap_err();
    assert!(error.to_string().ends_with(": it is not a regular file"), "{error}");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "it is not a regular file");
    let error = with_note("").save(path.join("a")).unwrap_err();
    assert!(matches!(error, CheckpointError::Io { action: "look at", .. }), "{error}");
    assert_eq!(folder.names(), ["socket"]);
}

/// Training that came to nothing must not take the last good checkpoint along.
#[test]
fn a_run_that_came_to_nothing_does_not_replace_the_last_good_file() {
    let folder = Folder::new("nothing");
    let path = folder.file("a");
    with_note("good").save(&path).unwrap();
    let mut net = Mlp::<f32>::builder(2).dense(3, Activation::Relu).softmax(2).build().unwrap();
    let at = net.tensors()[2].range.start + 4;
    net.parameters_mut()[at] = f32::NAN;
    let error = Checkpoint::of(&net, None).unwrap().save(&path).unwrap_err();
    assert_eq!(error.to_string(), "tensor \"layers.1.weight\": element 4 is NaN, no run can go on from that");
    assert_eq!((note(&path), folder.names()), ("good".into(), vec!["a".into()]));
}

#[cfg(unix)]
mod children {
    use super::*;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// What tells a child of a test that it is one, and which file is its.
    const CHILD: &str = "ROOFLINE_CHECKPOINT_CHILD";

    /// The same test as another process.
    fn command(test: &str, path: &Path) -> Command {
        let program = std::env::current_exe().unwrap();
        let (_, module) = module_path!().split_once("::").unwrap();
        let test = format!("{module}::{test}");
        let mut command = Command::new(program);
        command.args(["--exact", "--nocapture", &test]).env(CHILD, path).stdout(Stdio::null());
        command
    }

    fn child(test: &str, path: &Path) -> Child {
        command(test, path).spawn().unwrap()
    }

    /// Saves files of about 1, 50 and 400 kB in turn, each with the number of the process.
    fn save_for_ever(path: &Path) -> ! {
        let checkpoints = [4, 100, 300].map(|units| {
            let net = Mlp::<f32>::builder(units).dense(units, Activation::Relu).softmax(2).build().unwrap();
            let mut checkpoint = Checkpoint::of(&net, None).unwrap();
            checkpoint.configuration.insert("note".into(), std::process::id().to_string());
            checkpoint
        });
        loop {
            checkpoints.iter().for_each(|checkpoint| checkpoint.save(path).unwrap());
        }
    }

    /// Kills a process that saves for ever, so many times, each at another moment: what it leaves is its own, whole.
    fn kill_savers(folder: &str, kills: u64) {
        let folder = Folder::new(folder);
        let path = folder.file("a");
        with_note("first").save(&path).unwrap();
        let (mut moment, mut torn) = (kills, 0);
        for _ in 0..kills {
            let mut child = child("a_killed_process_leaves_a_whole_file", &path);
            let (start, id) = (Instant::now(), child.id().to_string());
            // Every file on the way is whole too.
            while note(&path) != id {
                assert!(start.elapsed() < Duration::from_secs(60), "the child does not save");
            }
            moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            std::thread::sleep(Duration::from_micros((moment >> 33) % 8_000));
            child.kill().unwrap();
            child.wait().unwrap();
            let after = Checkpoint::<f32>::load(&path).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(after.configuration["note"], id);
            after.network(Exec::sequential()).unwrap();
            let left = folder.names().into_iter().filter(|name| name != "a");
            torn += left.map(|name| fs::remove_file(folder.file(&name)).unwrap()).count();
        }
        // Some were killed while they wrote, or this would prove nothing.
        assert!(torn > 0, "no kill of {kills} came in the middle of a file");
        println!("{kills} kills, {torn} of them while a file was written");
    }

    #[test]
    fn a_killed_process_leaves_a_whole_file() {
        if let Some(path) = std::env::var_os(CHILD) {
            save_for_ever(Path::new(&path));
        }
        kill_savers("killed", 40);
    }

    /// `cargo test --release --test training -- --ignored --nocapture killed`
    #[test]
    #[ignore = "five minutes"]
    fn ten_thousand_killed_processes_leave_whole_files() {
        kill_savers("killed-often", 10_000);
    }

    #[test]
    fn a_bare_name_is_one_of_the_current_folder() {
        if let Some(name) = std::env::var_os(CHILD) {
            return with_note("here").save(name).unwrap();
        }
        let folder = Folder::new("bare");
        let mut command = command("a_bare_name_is_one_of_the_current_folder", Path::new("a"));
        assert!(command.current_dir(&folder.0).status().unwrap().success());
        assert_eq!((note(&folder.file("a")), folder.names()), ("here".into(), vec!["a".into()]));
    }

    /// A disk that is full after 1000 bytes: a limit on the size of files, which needs no rights.
    fn limit_files() {
        let limit = libc::rlimit { rlim_cur: 1000, rlim_max: 1000 };
        // SAFETY: both calls concern this process, which is the test's own child; `limit` lives as long as the call.
        let results =
            unsafe { (libc::signal(libc::SIGXFSZ, libc::SIG_IGN), libc::setrlimit(libc::RLIMIT_FSIZE, &limit)) };
        assert!(results.0 != libc::SIG_ERR && results.1 == 0);
    }

    #[test]
    fn a_full_disk_leaves_the_old_file() {
        if let Some(path) = std::env::var_os(CHILD) {
            limit_files();
            match with_note("new").save(Path::new(&path)).unwrap_err() {
                CheckpointError::Io { action: "write", .. } => return,
                other => panic!("{other}"),
            }
        }
        let folder = Folder::new("full");
        let path = folder.file("a");
        with_note("old").save(&path).unwrap();
        let status = child("a_full_disk_leaves_the_old_file", &path).wait().unwrap();
        assert!(status.success(), "{status}");
        assert_eq!((note(&path), folder.names()), ("old".into(), vec!["a".into()]));
    }

    /// A disk of some hundred kilobytes, filled to another level before each save; `.ci/deep` mounts one.
    #[test]
    #[ignore = "needs a disk of about 600 kB, named by ROOFLINE_SMALL_DISK"]
    fn a_small_disk_keeps_the_last_that_fitted() {
        let disk = PathBuf::from(std::env::var_os("ROOFLINE_SMALL_DISK").expect("the folder of a small disk"));
        let (path, filler) = (disk.join("a"), disk.join("filler"));
        let (mut last, mut refused, mut level) = ("first".to_owned(), 0, 1_u64);
        with_note(&last).save(&path).unwrap();
        for round in 0..1000 {
            level = level.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            fs::write(&filler, vec![0; (level >> 33) as usize % 400_000]).ok();
            let next = format!("{round} {}", "x".repeat((level >> 20) as usize % 300_000));
            match with_note(&next).save(&path) {
                Ok(()) => last = next,
                Err(CheckpointError::Io { action: "write" | "create", .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
            fs::remove_file(&filler).unwrap();
            assert!(note(&path) == last, "round {round}");
            let names: Vec<_> = fs::read_dir(&disk).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, ["a"], "round {round}");
        }
        assert!(refused > 100 && refused < 900, "{refused} of 1000 did not fit");
        println!("1000 saves, {refused} of them onto a full disk");
    }
}
