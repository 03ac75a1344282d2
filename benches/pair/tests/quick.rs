//! The suite itself: a quick run of rows of every kind gives figures for each.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One of each kind of row, and of each service and program in `test-c/bench`.
const ROWS: &str = "=pair-w1,=fanout100-w2,=deep,=fair-w1,=timer-fire,=timers-10k,=startup,=launch-kill,=lookup-churn,\
                    =echo-64,=accept,=broadcast-1000,=lua-own-pack-small,=lua-own-startup";

/// The executable of this build, which a build of the whole workspace makes.
fn skynet() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_pair")).with_file_name("skynet");
    assert!(
        path.exists(),
        "{}: missing, `cargo build` makes it",
        path.display()
    );
    path
}

#[test]
fn a_quick_run_has_figures_of_every_row_and_of_its_limit() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("quick");
    let results = folder.join("results.tsv");
    let output = Command::new(env!("CARGO_BIN_EXE_pair"))
        .args(["--quick", "--only", ROWS, "--ours"])
        .arg(skynet())
        .arg("--tree")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .arg("--keep")
        .arg(&folder)
        .arg("--out")
        .arg(&results)
        .output()
        .expect("the benchmark program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");

    let table = std::fs::read_to_string(&results).expect("results were written");
    let lines: Vec<Vec<&str>> = table.lines().map(|l| l.split('\t').collect()).collect();
    let column = |name: &str| lines[0].iter().position(|head| *head == name);
    let (ours, limit) = (column("ours").unwrap(), column("limit").unwrap());
    for row in ROWS.split(',').map(|word| word.trim_start_matches('=')) {
        let figures: Vec<_> = lines.iter().filter(|line| line[0] == row).collect();
        assert!(!figures.is_empty(), "{row}: nothing in\n{table}");
        for line in figures {
            assert!(line[ours].parse::<f64>().is_ok(), "{line:?}");
        }
    }
    let rate = lines.iter().find(|l| l[..2] == ["pair-w1", "rate"]);
    let rate = rate.expect("the rate of a pair");
    assert!(rate[limit].parse::<f64>().unwrap() > 0.0, "{rate:?}");
}
