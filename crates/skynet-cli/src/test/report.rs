//! What a node writes of its tests: a line for each thing that happens, fields separated by tabs, with `%` and two digits in
//! the place of `%`, tab and ends of lines. `service/test_runner.lua` is the writer.

use std::collections::HashSet;

/// What became of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Passed,
    /// Why: some lines.
    Failed(String),
    /// Why.
    Skipped(String),
}

/// A test.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    pub name: String,
    pub outcome: Outcome,
    /// By the clock on the wall.
    pub seconds: f64,
}

/// What a report says.
#[derive(Debug, Default)]
pub struct Report {
    pub cases: Vec<Case>,
    /// The names of the tests that were to run.
    pub planned: Vec<String>,
    /// The test that has begun and not ended.
    pub running: Option<String>,
    /// The file could not be run, or a hook of the file failed.
    pub problem: Option<String>,
    /// All is said.
    pub done: bool,
}

impl Report {
    /// A test that ended failed after that, in a task that it had left.
    fn fail_late(&mut self, name: &str, why: String) {
        let Some(case) = self.cases.iter_mut().rfind(|case| case.name == name) else {
            return;
        };
        match &mut case.outcome {
            Outcome::Failed(text) => {
                text.push('\n');
                text.push_str(&why);
            }
            outcome => *outcome = Outcome::Failed(why),
        }
    }

    /// Counts each test that was to run and of which nothing was said as failed: nobody knows whether it passes.
    pub fn count_missing(&mut self, why: &str) {
        let said: HashSet<&str> = self.cases.iter().map(|case| case.name.as_str()).collect();
        let missing: Vec<Case> = self
            .planned
            .iter()
            .filter(|name| !said.contains(name.as_str()))
            .map(|name| Case {
                name: name.clone(),
                outcome: Outcome::Failed(format!("not run: {why}")),
                seconds: 0.0,
            })
            .collect();
        self.cases.extend(missing);
    }
}

/// Reads a report; one that is cut off is read as far as it goes.
pub fn parse(text: &str) -> Report {
    let mut report = Report::default();
    // What has no end is not whole.
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    for line in whole.lines() {
        let fields: Vec<String> = line.split('\t').map(plain).collect();
        let field = |place: usize| fields.get(place).cloned().unwrap_or_default();
        let case = |outcome| Case {
            name: field(1),
            outcome,
            seconds: field(2).parse().unwrap_or(0.0),
        };
        match fields[0].as_str() {
            "begin" => report.running = Some(field(1)),
            "pass" => report.cases.push(case(Outcome::Passed)),
            "fail" => report.cases.push(case(Outcome::Failed(field(3)))),
            "skip" => report.cases.push(case(Outcome::Skipped(field(3)))),
            "plan" => report.planned.push(field(1)),
            "late" => report.fail_late(&field(1), field(3)),
            "error" => {
                let problem = report.problem.get_or_insert_default();
                if !problem.is_empty() {
                    problem.push('\n');
                }
                problem.push_str(&field(1));
            }
            "done" => report.done = true,
            _ => {}
        }
        if matches!(fields[0].as_str(), "pass" | "fail" | "skip") {
            report.running = None;
        }
    }
    report
}

/// The limit of the test that begins, if a line says that one begins and that it has a limit of its own.
pub fn limit_of(line: &str) -> Option<f64> {
    let mut fields = line.trim_end().split('\t');
    if fields.next()? != "begin" {
        return None;
    }
    fields.nth(1)?.parse().ok()
}

fn plain(field: &str) -> String {
    let mut parts = field.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part
            .get(..2)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match byte {
            Some(byte) => {
                text.push(char::from(byte));
                text.push_str(&part[2..]);
            }
            None => {
                text.push('%');
                text.push_str(part);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_far_as_it_goes() {
        let text =
            "begin\ta\npass\ta\t0.5\nbegin\tb%09c\nfail\tb%09c\t1\tx%0Ay 100%25\nbegin\tlast\npa";
        let report = parse(text);
        assert_eq!(report.running.as_deref(), Some("last"));
        assert_eq!(report.cases.len(), 2);
        assert_eq!(report.cases[1].name, "b\tc");
        assert_eq!(report.cases[1].outcome, Outcome::Failed("x\ny 100%".into()));
        assert!(!report.done);
    }

    #[test]
    fn a_test_may_have_a_limit_of_its_own() {
        assert_eq!(limit_of("begin\ta b\t100\n"), Some(100.0));
        for line in ["begin\ta\n", "begin\ta\t\n", "pass\ta\t0.5\n"] {
            assert_eq!(limit_of(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_test_that_fails_late_or_never_runs_is_a_failure() {
        let mut report = parse(
            "plan\ta\nplan\tb\nplan\tc\npass\ta\t1\t\nbegin\tb\nlate\ta\t0\tfork\nerror\tx\nerror\ty\n",
        );
        assert_eq!(report.cases[0].outcome, Outcome::Failed("fork".into()));
        assert_eq!(report.running.as_deref(), Some("b"));
        assert_eq!(report.problem.as_deref(), Some("x\ny"));
        report.count_missing("so");
        assert_eq!(report.cases.len(), 3);
        assert_eq!(
            report.cases[2].outcome,
            Outcome::Failed("not run: so".into())
        );
    }
}
