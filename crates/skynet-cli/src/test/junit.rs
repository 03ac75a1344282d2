//! Results as the XML that JUnit's readers (Jenkins, GitLab, ...) take.

use super::child::FileResult;
use super::report::Outcome;
use std::fmt::Write;

/// The document. A file that failed as a whole is a test case with an error.
pub fn xml(results: &[FileResult], seconds: f64) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<testsuites time=\"{seconds:.3}\">");
    for result in results {
        suite(result, &mut text);
    }
    text.push_str("</testsuites>\n");
    text
}

fn suite(result: &FileResult, text: &mut String) {
    let file = escaped(&result.file.display().to_string());
    let count =
        |is: fn(&Outcome) -> bool| result.cases.iter().filter(|case| is(&case.outcome)).count();
    let errors = usize::from(result.problem.is_some());
    let _ = writeln!(
        text,
        "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" skipped=\"{}\" time=\"{:.3}\">",
        result.cases.len() + errors,
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
        count(|outcome| matches!(outcome, Outcome::Skipped(_))),
        result.seconds
    );
    if let Some(problem) = &result.problem {
        let _ = writeln!(
            text,
            "    <testcase classname=\"{file}\" name=\"(file)\"><error message=\"{}\">{}</error></testcase>",
            escaped(problem.lines().next().unwrap_or_default()),
            escaped(problem)
        );
    }
    for case in &result.cases {
        let _ = write!(
            text,
            "    <testcase classname=\"{file}\" name=\"{}\" time=\"{:.3}\"",
            escaped(&case.name),
            case.seconds
        );
        let _ = match &case.outcome {
            Outcome::Passed => writeln!(text, "/>"),
            Outcome::Skipped(why) => {
                writeln!(text, "><skipped message=\"{}\"/></testcase>", escaped(why))
            }
            Outcome::Failed(why) => writeln!(
                text,
                "><failure message=\"{}\">{}</failure></testcase>",
                escaped(why.lines().next().unwrap_or_default()),
                escaped(why)
            ),
        };
    }
    if let Some(again) = result.again() {
        let _ = writeln!(text, "    <system-err>{}</system-err>", escaped(&again));
    }
    if result.failed() {
        let _ = writeln!(
            text,
            "    <system-out>{}</system-out>",
            escaped(&result.log)
        );
    }
    text.push_str("  </testsuite>\n");
}

/// Text and attributes; what XML has no way to write at all becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(c),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_log_has_the_document_stays_well_formed() {
        assert_eq!(
            escaped("a<b> & \"c\"\u{1b}[0m\n"),
            "a&lt;b&gt; &amp; &quot;c&quot;\u{fffd}[0m\n"
        );
    }
}
