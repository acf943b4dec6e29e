//! The page in a browser: no errors, every section, nothing that overflows, at 400 and at 1400 pixels. Needs Debian's `chromium`:
//! `cargo test --test report -- --ignored`.
//!
//! A headless window cannot be 400 pixels wide, so the page stands in a frame of that width. A script in a copy of the page looks at it and
//! tells the frame's parent, which is what `--dump-dom` prints.

use crate::document::page;
use crate::fixture;
use crate::page::SECTIONS;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const PROBE: &str = include_str!("probe.html");

/// What the script and the browser's console said.
#[derive(Debug)]
struct Found {
    probe: Value,
    console: Vec<String>,
}

impl Found {
    fn list(&self, name: &str) -> Vec<&str> {
        let list = self.probe[name].as_array().unwrap_or_else(|| panic!("no {name} in {self:?}"));
        list.iter().filter_map(Value::as_str).collect()
    }
}

/// Opens a page in a frame of `width` pixels.
fn open(name: &str, page: &str, width: usize) -> Found {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{}-{name}-{width}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for tests");
    let (head, rest) = page.split_once("<head>").expect("a page");
    std::fs::write(folder.join("page.html"), format!("{head}<head>{PROBE}{rest}")).expect("a writable folder");
    let frame = format!(
        "<!DOCTYPE html><meta charset=utf-8><body style='margin:0'><pre id=found></pre>\
         <script>onmessage = message => document.getElementById('found').textContent = message.data</script>\
         <iframe src=page.html style='border:0;width:{width}px;height:900px'></iframe>"
    );
    std::fs::write(folder.join("frame.html"), frame).expect("a writable folder");
    let output = browser(&folder).arg("--dump-dom").arg(url(&folder.join("frame.html"))).output();
    let output = output.expect("chromium, which the Debian package chromium has");
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let found = dom.split_once("<pre id=\"found\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let text = found.unwrap_or_else(|| panic!("no frame in {dom}\n{log}")).0;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let probe = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}\n{log}"));
    std::fs::remove_dir_all(&folder).expect("its own folder");
    Found { probe, console: log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect() }
}

fn browser(folder: &Path) -> Command {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.args(["--enable-logging=stderr", "--window-size=1600,1000", "--virtual-time-budget=10000"]);
    command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    command
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

#[test]
#[ignore = "needs chromium"]
fn the_page_stands_in_a_browser() {
    let page = page::html(&fixture());
    for width in [400, 1400] {
        let found = open("page", &page, width);
        assert_eq!(found.probe["width"], width);
        assert_eq!(found.list("sections"), SECTIONS);
        for problems in ["errors", "overflowing", "outside"] {
            assert_eq!(found.list(problems), Vec::<&str>::new(), "{problems} at {width} px");
        }
        assert_eq!(found.console, Vec::<String>::new(), "at {width} px");
        let pictures = found.probe["pictures"].as_u64().expect("a count");
        assert!(pictures >= 15, "{pictures} pictures are seen at {width} px");
    }
}

#[test]
#[ignore = "needs chromium"]
fn what_is_wrong_is_found() {
    let bad = "<div id=wide style='width:500px'>wide</div><svg viewBox='0 0 100 20' width=100 height=20>\
         <text x='90' y='15'>leaves the picture</text></svg>\
         <script>console.error('said'); missing()</script></main>";
    let found = open("bad", &page::html(&fixture()).replace("</main>", bad), 400);
    assert!(found.list("overflowing").iter().any(|element| element.contains("wide")), "{found:?}");
    assert!(found.list("outside").contains(&"leaves the picture"), "{found:?}");
    assert!(found.list("errors").iter().any(|error| error.contains("missing is not defined")), "{found:?}");
    assert!(found.console.iter().any(|line| line.contains("said")), "{found:?}");
}
