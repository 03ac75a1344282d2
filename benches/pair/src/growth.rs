//! How figures grow: one table for each quantity that rows differ in.

use crate::report::{All, median, ratio, short};

/// A metric over the rows of a series.
struct Series {
    what: &'static str,
    /// The quantity that grows.
    over: &'static str,
    metric: &'static str,
    /// Its values and the rows that have them.
    points: &'static [(&'static str, &'static str)],
}

const CONNECTIONS: &[(&str, &str)] = &[
    ("1", "echo-1"),
    ("64", "echo-64"),
    ("512", "echo-512"),
    ("5,000", "echo-5000"),
];

const REQUESTS: &[(&str, &str)] = &[
    ("64 B", "echo-64"),
    ("4 KiB", "echo-64-4k"),
    ("64 KiB", "echo-64-64k"),
];

const TIMERS: &[(&str, &str)] = &[
    ("10,000", "timers-10k"),
    ("100,000", "timers-100k"),
    ("1,000,000", "timers"),
];

const ALL: &[Series] = &[
    Series {
        what: "messages/s of 64 pairs",
        over: "workers",
        metric: "rate",
        points: &[
            ("1", "pairs64-w1"),
            ("2", "pairs64-w2"),
            ("3", "pairs64-w3"),
            ("4", "pairs64-w4"),
            ("8", "pairs64-w8"),
        ],
    },
    Series {
        what: "messages/s, 1 worker",
        over: "pairs of services",
        metric: "rate",
        points: &[
            ("1", "pair-w1"),
            ("8", "pairs8-w1"),
            ("64", "pairs64-w1"),
            ("1,024", "pairs1024-w1"),
        ],
    },
    Series {
        what: "messages/s, 2 workers",
        over: "pairs of services",
        metric: "rate",
        points: &[
            ("1", "pair-w2"),
            ("8", "pairs8-w2"),
            ("64", "pairs64-w2"),
            ("1,024", "pairs1024-w2"),
        ],
    },
    Series {
        what: "messages/s to one receiver, 2 workers",
        over: "senders",
        metric: "rate",
        points: &[("4", "fanin-w2"), ("64", "fanin64-w2")],
    },
    Series {
        what: "CPU ns of a message that is copied",
        over: "bytes",
        metric: "cpu_ns",
        points: &[
            ("16", "pair-w1"),
            ("64", "size64-w1"),
            ("1 KiB", "size1k-w1"),
            ("64 KiB", "size64k-w1"),
        ],
    },
    Series {
        what: "CPU ns of a message that is sent on",
        over: "bytes",
        metric: "cpu_ns",
        points: &[
            ("16", "pair-w1-forward"),
            ("64", "size64-w1-forward"),
            ("1 KiB", "size1k-w1-forward"),
            ("64 KiB", "size64k-w1-forward"),
        ],
    },
    Series {
        what: "CPU ns of a message",
        over: "messages in the mailbox",
        metric: "cpu_ns",
        points: &[
            ("1", "queue1-w1"),
            ("100", "queue100-w1"),
            ("10,000", "queue10k-w1"),
            ("1,000,000", "queue1m-w1"),
        ],
    },
    Series {
        what: "CPU ns to add a timer",
        over: "pending timers",
        metric: "add_cpu_ns",
        points: TIMERS,
    },
    Series {
        what: "requests/s of 64 bytes",
        over: "connections",
        metric: "rate",
        points: CONNECTIONS,
    },
    Series {
        what: "server CPU us of a request of 64 bytes",
        over: "connections",
        metric: "server_cpu_us",
        points: CONNECTIONS,
    },
    Series {
        what: "requests/s over 64 connections",
        over: "bytes of a request",
        metric: "rate",
        points: REQUESTS,
    },
    Series {
        what: "server CPU us of a request over 64 connections",
        over: "bytes of a request",
        metric: "server_cpu_us",
        points: REQUESTS,
    },
];

/// Print the series of which at least two points were measured.
pub fn print(samples: &All) {
    for series in ALL {
        let lines: Vec<String> = series
            .points
            .iter()
            .filter_map(|(x, row)| {
                let values = samples.get(&(*row, series.metric))?;
                let (peer, ours) = (median(&values.peer), median(&values.ours));
                let quotient = ratio(peer, ours).map_or("-".to_owned(), |r| format!("{r:.2}"));
                Some(format!(
                    "| {x} | {} | {} | {quotient} |",
                    short(peer),
                    short(ours)
                ))
            })
            .collect();
        if lines.len() > 1 {
            println!(
                "\n{}:\n\n| {} | peer | ours | ours/peer |\n|---:|---:|---:|---:|\n{}",
                series.what,
                series.over,
                lines.join("\n")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows;

    #[test]
    fn every_point_is_a_row_that_has_the_metric() {
        let rows = rows::all();
        for series in ALL {
            for (_, name) in series.points {
                let row = rows.iter().find(|row| row.name == *name);
                let row = row.unwrap_or_else(|| panic!("{name}: no such row"));
                assert!(
                    row.metrics.iter().any(|m| m.key == series.metric),
                    "{name}: no {}",
                    series.metric
                );
            }
        }
    }
}
