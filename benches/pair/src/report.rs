//! Medians, the table, and the file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::args::Args;
use crate::rows::{Metric, Row, Target};

/// All values of one metric, by side.
#[derive(Default)]
pub struct Samples {
    pub peer: Vec<f64>,
    pub ours: Vec<f64>,
    pub limit: Vec<f64>,
}

pub type All<'a> = BTreeMap<(&'a str, &'a str), Samples>;

impl Samples {
    pub fn add(&mut self, side: &str, value: f64) {
        match side {
            "peer" => self.peer.push(value),
            "ours" => self.ours.push(value),
            _ => self.limit.push(value),
        }
    }
}

pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(sorted[n / 2]),
        _ => Some((sorted[n / 2 - 1] + sorted[n / 2]) / 2.0),
    }
}

/// Distance from the smallest to the largest in percent of the median.
fn spread(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (middle != 0.0).then(|| (high - low) / middle.abs() * 100.0)
}

/// A number with three or four digits that count.
pub fn short(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(v) if v.abs() >= 1e6 => format!("{:.2} M", v / 1e6),
        Some(v) if v.abs() >= 1e4 => format!("{:.1} k", v / 1e3),
        Some(v) if v.abs() >= 100.0 || v == 0.0 => format!("{v:.0}"),
        Some(v) if v.abs() >= 1.0 => format!("{v:.1}"),
        Some(v) => format!("{v:.3}"),
    }
}

pub fn ratio(peer: Option<f64>, ours: Option<f64>) -> Option<f64> {
    match (peer, ours) {
        (Some(peer), Some(ours)) if peer != 0.0 => Some(ours / peer),
        _ => None,
    }
}

/// The target as text, and whether it is met as far as that can be told.
fn verdict(target: Target, peer: Option<f64>, ours: Option<f64>) -> (String, Option<bool>) {
    let ratio = ratio(peer, ours);
    match target {
        Target::None => (String::new(), None),
        Target::Ratio(x) => (format!(">= {x} x"), ratio.map(|r| r >= x)),
        Target::RatioAtMost(x) => (format!("<= {x} x"), ratio.map(|r| r <= x)),
        Target::AtLeast(x) => (format!(">= {}", short(Some(x))), ours.map(|v| v >= x)),
        Target::AtMost(x) => (format!("<= {}", short(Some(x))), ours.map(|v| v <= x)),
        // Of single runs: see `each_round`.
        Target::EachRound => (String::from("<= peer"), None),
    }
}

/// Whether ours was at most the peer's in every round.
fn each_round(values: &Samples) -> Option<bool> {
    let mut rounds = values.peer.iter().zip(&values.ours).peekable();
    rounds.peek()?;
    Some(rounds.all(|(peer, ours)| ours <= peer))
}

/// Print one row's lines as they become known; a Markdown table.
pub fn print_row(row: &Row, samples: &All, args: &Args) {
    static HEAD: std::sync::Once = std::sync::Once::new();
    HEAD.call_once(|| {
        println!("| row | metric | peer | ours | ours/peer | spread peer, ours | target | |");
        println!("|---|---|---:|---:|---:|---:|---|---|");
    });
    for metric in row.metrics {
        println!("{}", line(row, metric, samples, args));
    }
}

fn line(row: &Row, metric: &Metric, samples: &All, args: &Args) -> String {
    let none = Samples::default();
    let values = samples.get(&(row.name, metric.key)).unwrap_or(&none);
    let (peer, ours) = (median(&values.peer), median(&values.ours));
    let (target, met) = verdict(metric.target, peer, ours);
    let met = match metric.target {
        Target::EachRound => each_round(values),
        _ => met,
    };
    let percent = |values: &[f64]| spread(values).map_or("-".to_owned(), |s| format!("{s:.0} %"));
    let spreads = if args.peer.is_some() {
        format!("{}, {}", percent(&values.peer), percent(&values.ours))
    } else {
        percent(&values.ours)
    };
    format!(
        "| {} | {} {} | {} | {} | {} | {spreads} | {target} | {} |",
        row.name,
        metric.key,
        metric.unit,
        short(peer),
        short(ours),
        ratio(peer, ours).map_or("-".to_owned(), |r| format!("{r:.2}")),
        args.mark(met),
    )
}

/// Targets that compare two of our own rows: what, row, divided by row, least or greatest quotient.
const DERIVED: [(&str, &str, &str, Target); 7] = [
    (
        "one pair: 2 workers over 1",
        "pair-w2",
        "pair-w1",
        Target::AtLeast(0.9),
    ),
    (
        "64 pairs: 2 workers over 1",
        "pairs64-w2",
        "pairs64-w1",
        Target::AtLeast(1.7),
    ),
    (
        "64 pairs: 3 workers over 2",
        "pairs64-w3",
        "pairs64-w2",
        Target::None,
    ),
    (
        "64 pairs: 4 workers over 2",
        "pairs64-w4",
        "pairs64-w2",
        Target::AtLeast(0.9),
    ),
    (
        "cost of profile, one pair",
        "pair-w1",
        "pair-w1-profile",
        Target::AtMost(1.15),
    ),
    (
        "cost of profile, 64 pairs",
        "pairs64-w2",
        "pairs64-w2-profile",
        Target::AtMost(1.15),
    ),
    (
        "cost of profile, fan-in, 2 workers",
        "fanin-w2",
        "fanin-w2-profile",
        Target::AtMost(1.15),
    ),
];

/// Print the quotients between rows of one side.
pub fn print_derived(samples: &All, args: &Args) {
    let mut text = String::new();
    for (what, over, under, target) in DERIVED {
        let (Some(a), Some(b)) = (samples.get(&(over, "rate")), samples.get(&(under, "rate")))
        else {
            continue;
        };
        let peer = ratio(median(&b.peer), median(&a.peer));
        let ours = ratio(median(&b.ours), median(&a.ours));
        let (wanted, met) = verdict(target, peer, ours);
        let show = |q: Option<f64>| q.map_or("-".to_owned(), |q| format!("{q:.2}"));
        let _ = writeln!(
            text,
            "| {what} | {} | {} | {wanted} | {} |",
            show(peer),
            show(ours),
            args.mark(met)
        );
    }
    if !text.is_empty() {
        print!("\n| quotient of rates | peer | ours | target | |\n|---|---:|---:|---|---|\n{text}");
    }
}

/// Print how far each row is from what a program takes that does only what must be done.
pub fn print_limits(rows: &[Row], samples: &All) {
    let mut text = String::new();
    for row in rows {
        for metric in row.metrics_once() {
            let Some(values) = samples.get(&(row.name, metric.key)) else {
                continue;
            };
            let Some(limit) = median(&values.limit) else {
                continue;
            };
            let (peer, ours) = (median(&values.peer), median(&values.ours));
            // Always "so many times worse", be it a rate or a cost.
            let distance = |value: Option<f64>| {
                let (over, under) = match metric.unit.ends_with("/s") {
                    true => (value, Some(limit)),
                    false => (Some(limit), value),
                };
                ratio(over, under).map_or("-".to_owned(), |r| format!("{r:.2}"))
            };
            let _ = writeln!(
                text,
                "| {} | {} {} | {} | {} | {} | {} | {} |",
                row.name,
                metric.key,
                metric.unit,
                short(Some(limit)),
                short(peer),
                short(ours),
                distance(peer),
                distance(ours),
            );
        }
    }
    if !text.is_empty() {
        print!(
            "\n| row | metric | limit | peer | ours | times the limit: peer | ours |\n|---|---|---:|---:|---:|---:|---:|\n{text}"
        );
    }
}

/// Write every value: row, metric, unit, medians, ratio, and all runs separated by commas.
pub fn write_tsv(path: &Path, rows: &[Row], samples: &All, failures: &[String]) -> io::Result<()> {
    let mut text = String::from(
        "row\tmetric\tunit\tpeer\tours\tratio\tlimit\tpeer_runs\tours_runs\tlimit_runs\n",
    );
    let list = |values: &[f64]| {
        values
            .iter()
            .map(f64::to_string)
            .collect::<Vec<_>>()
            .join(",")
    };
    let plain = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
    for row in rows {
        for metric in row.metrics_once() {
            if let Some(values) = samples.get(&(row.name, metric.key)) {
                let (peer, ours) = (median(&values.peer), median(&values.ours));
                let _ = writeln!(
                    text,
                    "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                    row.name,
                    metric.key,
                    metric.unit,
                    plain(peer),
                    plain(ours),
                    plain(ratio(peer, ours)),
                    plain(median(&values.limit)),
                    list(&values.peer),
                    list(&values.ours),
                    list(&values.limit),
                );
            }
        }
    }
    for failure in failures {
        let _ = writeln!(text, "# failed: {failure}");
    }
    std::fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_or_the_mean_of_the_two_middles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn spread_is_relative_to_the_median() {
        assert_eq!(spread(&[90.0, 100.0, 120.0]), Some(30.0));
        assert_eq!(spread(&[0.0, 0.0]), None);
    }

    #[test]
    fn targets_are_inclusive() {
        assert_eq!(
            verdict(Target::Ratio(2.0), Some(1.0), Some(2.0)).1,
            Some(true)
        );
        assert_eq!(
            verdict(Target::RatioAtMost(0.5), Some(10.0), Some(5.1)).1,
            Some(false)
        );
        assert_eq!(
            verdict(Target::AtMost(40.0), None, Some(40.0)).1,
            Some(true)
        );
        assert_eq!(verdict(Target::Ratio(2.0), None, Some(2.0)).1, None);
    }
}
