//! Results as the Test Anything Protocol, version 14.

use super::child::FileResult;
use super::report::Outcome;
use super::text::indented;
use skynet_printable::coloured;
use std::io::{self, Write};

/// Prints them. A file that failed as a whole is a test of its own.
pub fn print(results: &[FileResult]) -> io::Result<()> {
    let mut text = Vec::new();
    write(results, &mut text)?;
    io::stdout().write_all(coloured(&String::from_utf8_lossy(&text)).as_bytes())
}

fn write(results: &[FileResult], out: &mut impl Write) -> io::Result<()> {
    let files = results.iter().filter(|result| result.problem.is_some());
    let tests: usize = results.iter().map(|result| result.cases.len()).sum();
    writeln!(out, "TAP version 14\n1..{}", tests + files.count())?;
    let mut number = 0;
    for result in results {
        let file = result.file.display().to_string();
        if let Some(problem) = &result.problem {
            number += 1;
            writeln!(out, "not ok {number} - {}", escaped(&file))?;
            block(out, problem, result)?;
        }
        for case in &result.cases {
            number += 1;
            let name = format!("{}: {}", escaped(&file), escaped(&case.name));
            match &case.outcome {
                Outcome::Passed => writeln!(out, "ok {number} - {name}")?,
                Outcome::Skipped(why) => {
                    writeln!(out, "ok {number} - {name} # SKIP {}", escaped(why))?
                }
                Outcome::Failed(why) => {
                    writeln!(out, "not ok {number} - {name}")?;
                    block(out, why, result)?;
                }
            }
        }
        // One node, one log, however many of its tests have failed.
        if result.failed() {
            writeln!(out, "# the log of the node of {file}:")?;
            writeln!(out, "{}", indented(result.log.trim_end(), "#   | "))?;
        }
    }
    Ok(())
}

/// What belongs to a failure, as YAML.
fn block(out: &mut impl Write, why: &str, result: &FileResult) -> io::Result<()> {
    writeln!(out, "  ---\n  message: |\n{}", indented(why, "    "))?;
    if let Some(seed) = result.seed {
        writeln!(out, "  seed: {seed}")?;
    }
    writeln!(out, "  ...")
}

/// A description ends with its line, and `#` begins a directive in it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('#', "\\#")
        .replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::report::Case;
    use super::*;

    #[test]
    fn each_test_and_each_broken_file_is_a_line_of_the_plan() {
        let case = |name: &str, outcome| Case {
            name: name.into(),
            outcome,
            seconds: 0.0,
        };
        let result = FileResult {
            file: "a_test.lua".into(),
            cases: vec![
                case("one # two", Outcome::Passed),
                case("bad", Outcome::Failed("why\nso".into())),
            ],
            problem: Some("broken".into()),
            log: "line\n".into(),
            seconds: 0.0,
            seed: None,
            runs: 1,
        };
        let mut text = Vec::new();
        write(&[result], &mut text).expect("memory");
        let text = String::from_utf8(text).expect("text");
        assert_eq!(
            text,
            "TAP version 14\n1..3\n\
             not ok 1 - a_test.lua\n  ---\n  message: |\n    broken\n  ...\n\
             ok 2 - a_test.lua: one \\# two\n\
             not ok 3 - a_test.lua: bad\n  ---\n  message: |\n    why\n    so\n  ...\n\
             # the log of the node of a_test.lua:\n#   | line\n"
        );
    }
}
