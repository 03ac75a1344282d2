//! Results for people.

use super::child::FileResult;
use super::report::{Case, Outcome};
use skynet_printable::coloured;
use std::io::{self, Write};

/// Of one file, as soon as it is done.
pub fn file(result: &FileResult, verbose: bool) {
    // Whoever does not read it any more does not need it.
    let mut text = Vec::new();
    let _ = write_file(result, verbose, &mut text);
    // What a program has printed does not steer the terminal; the colours of the log stay.
    let _ = io::stdout().write_all(coloured(&String::from_utf8_lossy(&text)).as_bytes());
}

fn write_file(result: &FileResult, verbose: bool, out: &mut impl Write) -> io::Result<()> {
    let word = if result.failed() { "FAILED" } else { "ok    " };
    writeln!(
        out,
        "{word} {}  ({}, {}{:.2} s)",
        result.file.display(),
        count(result.cases.len(), "test"),
        match result.runs {
            1 => String::new(),
            runs => format!("{runs} seeds, "),
        },
        result.seconds
    )?;
    if let Some(again) = result.again() {
        writeln!(out, "    {again}")?;
    }
    if let Some(problem) = &result.problem {
        writeln!(out, "{}", indented(problem, "    "))?;
    }
    for case in &result.cases {
        match &case.outcome {
            Outcome::Failed(why) => {
                writeln!(out, "    FAILED: {}", case.name)?;
                writeln!(out, "{}", indented(why, "        "))?;
            }
            Outcome::Skipped(why) => writeln!(out, "    skipped: {} ({why})", case.name)?,
            Outcome::Passed if verbose => {
                writeln!(out, "    passed: {} ({:.3} s)", case.name, case.seconds)?;
            }
            Outcome::Passed => {}
        }
    }
    if result.failed() || verbose {
        writeln!(out, "    the log of its node:")?;
        writeln!(out, "{}", indented(result.log.trim_end(), "      | "))?;
    }
    Ok(())
}

/// Of all files, at the end.
pub fn summary(results: &[FileResult], filter: Option<&str>, seconds: f64) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let of = |is: fn(&Case) -> bool| {
        let cases = results.iter().flat_map(|result| &result.cases);
        cases.filter(|case| is(case)).count()
    };
    let broken = results
        .iter()
        .filter(|result| result.problem.is_some())
        .count();
    let failed = of(|case| matches!(case.outcome, Outcome::Failed(_)));
    let skipped = of(|case| matches!(case.outcome, Outcome::Skipped(_)));
    let mut line = format!(
        "{} in {}, {failed} failed",
        count(of(|_| true), "test"),
        count(results.len(), "file")
    );
    if broken != 0 {
        line += &format!(", {} could not be run to the end", count(broken, "file"));
    }
    if skipped != 0 {
        line += &format!(", {skipped} skipped");
    }
    writeln!(out, "{line} ({seconds:.2} s)")?;
    if of(|_| true) == 0 && broken == 0 {
        match filter {
            Some(filter) => writeln!(out, "no test has {filter:?} in its name")?,
            None => writeln!(out, "there is no test in these files")?,
        }
    }
    Ok(())
}

fn count(number: usize, word: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {word}{end}")
}

/// Each line behind `by`.
pub fn indented(text: &str, by: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("{by}{line}")).collect();
    lines.join("\n")
}
