//! axe-core, which finds what keeps people from using a page. It is fetched from npm's registry where that can be done, and
//! nothing of it is kept.

use std::io::Write;
use std::process::{Command, Stdio};

use super::Page;

const PACKAGE: &str = "axe-core@4";
const FILE: &str = "node_modules/axe-core/axe.min.js";

/// The program; None where there is no npm or it reaches no registry, which is said past the test's own capture.
pub fn fetch() -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let fetched = Command::new("npm")
        .args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--fetch-retries=0", "--fetch-timeout=20000", PACKAGE])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let program = std::fs::read_to_string(folder.path().join(FILE)).ok();
    if !fetched.is_ok_and(|status| status.success()) || program.is_none() {
        let told = "\nNOT RUN: axe-core on the page, for npm did not bring it\n\n";
        std::io::stderr().write_all(told.as_bytes()).expect("standard error");
        return None;
    }
    program
}

/// Whether it finds nothing serious in the page as it is shown now; `place` is what a failure calls that.
pub fn finds_nothing(page: &mut Page, program: Option<&str>, place: &str) {
    let Some(program) = program else { return };
    page.value(&format!("{program}; null"));
    let found = page.value(
        "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations\
         .filter(({ impact }) => ['serious', 'critical'].includes(impact))\
         .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`))",
    );
    assert_eq!(found, serde_json::json!([]), "{place}");
}
