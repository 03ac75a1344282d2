//! Two looks at a node as what happened between them.

use super::snapshot::{Cluster, Figures, Service, Snapshot, Socket};
use std::collections::HashMap;

/// A service, and what it did between two looks. What is `None` is not known (yet).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceRow {
    pub now: Service,
    /// Of one processor, in percent.
    pub cpu_percent: Option<f64>,
    /// Messages handled in a second.
    pub message_rate: Option<f64>,
    /// It runs at this moment: what, and for how long.
    pub running: Option<String>,
}

/// A socket, and its bytes in a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SocketRow {
    pub now: Socket,
    pub read_rate: Option<f64>,
    pub write_rate: Option<f64>,
    /// What its owner was launched as.
    pub owner: String,
}

/// The node as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    pub services: usize,
    /// Services started in a second.
    pub start_rate: Option<f64>,
    pub cpu_percent: Option<f64>,
    pub message_rate: Option<f64>,
    pub waiting: u64,
    pub largest: u64,
    pub lua: u64,
    pub memory: Figures,
    pub sockets: Option<f64>,
    pub read_rate: Option<f64>,
    pub write_rate: Option<f64>,
    pub queued: Option<f64>,
    pub timers: Option<f64>,
    pub errors: Option<f64>,
    pub error_rate: Option<f64>,
    /// Seconds since the start of the node.
    pub uptime: Option<f64>,
    /// Of each worker, in percent.
    pub workers: Vec<f64>,
}

/// What is shown of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    pub pid: Option<u32>,
    /// Seconds between the looks; 0 for the first one.
    pub seconds: f64,
    pub totals: Totals,
    pub services: Vec<ServiceRow>,
    pub sockets: Option<Vec<SocketRow>>,
    pub cluster: Option<Cluster>,
    /// Workers that are in one message for a second or more.
    pub stuck: Vec<String>,
}

/// From this many seconds on a message is said to run.
const LONG: f64 = 1.0;

impl View {
    /// What `new` says, with what happened since `old`.
    pub fn new(old: Option<&Snapshot>, new: &Snapshot) -> View {
        // Another process, or a clock that stood still: nothing can be compared.
        let old = old.filter(|old| old.pid == new.pid && old.clock < new.clock);
        let seconds = old.map_or(0.0, |old| new.clock - old.clock);
        let services = services(old, new, seconds);
        View {
            pid: new.pid,
            seconds,
            totals: totals(old, new, seconds, &services),
            sockets: sockets(old, new, seconds),
            cluster: new.cluster.clone(),
            stuck: stuck(new),
            services,
        }
    }
}

/// Less than before: it is another one.
fn rate(old: f64, new: f64, seconds: f64) -> Option<f64> {
    (seconds > 0.0 && new >= old).then(|| (new - old) / seconds)
}

fn services(old: Option<&Snapshot>, new: &Snapshot, seconds: f64) -> Vec<ServiceRow> {
    let before: HashMap<&str, &Service> = old.map_or_else(HashMap::new, |old| {
        let entry = |service| (address(service), service);
        old.services.iter().map(entry).collect()
    });
    let running: HashMap<&str, Running<'_>> = new
        .workers
        .iter()
        .filter_map(|line| Some((running(line)?.address, running(line)?)))
        .collect();
    // A callback counts when it has ended. One that has run all the time has had what its worker had.
    let of_worker = |running: &Running<'_>| {
        let name = format!("thread_{}", running.worker.replace(' ', "_"));
        let all_the_time = running.seconds >= seconds;
        all_the_time.then(|| figure_rate(old, new, &name, seconds))?
    };
    let row = |now: &Service| {
        // One that was not there has begun with nothing.
        let began = Service {
            cpu: Some(0.0),
            message: Some(0),
            ..Service::default()
        };
        let old = before.get(now.address.as_str()).copied().unwrap_or(&began);
        let message = |service: &Service| service.message.map(|number| number as f64);
        let running = running.get(now.address.as_str());
        let counted = old.cpu.zip(now.cpu);
        let counted = counted.and_then(|(a, b)| rate(a, b, seconds));
        let part = running.and_then(of_worker).or(counted);
        ServiceRow {
            // What has run for longer than since the last look counts as a whole.
            cpu_percent: part.map(|part| (part * 100.0).min(100.0)),
            message_rate: message(old)
                .zip(message(now))
                .and_then(|(a, b)| rate(a, b, seconds)),
            running: running.map(|running| running.text.into()),
            now: now.clone(),
        }
    };
    new.services.iter().map(row).collect()
}

fn address(service: &Service) -> &str {
    &service.address
}

/// A worker in a message.
struct Running<'a> {
    worker: &'a str,
    address: &'a str,
    /// For how long, and which message.
    text: &'a str,
    seconds: f64,
}

/// Reads `worker 0: :0000000a (snlua agent 7) runs for 3.20 s, a message from ...`.
fn running(line: &str) -> Option<Running<'_>> {
    let (worker, line) = line.split_once(": ")?;
    let text = &line[line.find(" runs for ")? + 1..];
    let time = text.strip_prefix("runs for ")?;
    let time = time.strip_prefix("more than ").unwrap_or(time);
    Some(Running {
        worker,
        address: line.get(..9)?,
        text,
        seconds: time.split_once(" s")?.0.parse().ok()?,
    })
}

fn stuck(new: &Snapshot) -> Vec<String> {
    let is_long = |line: &&String| running(line).is_some_and(|running| running.seconds >= LONG);
    new.workers.iter().filter(is_long).cloned().collect()
}

/// How much a figure of the node rises in a second.
fn figure_rate(old: Option<&Snapshot>, new: &Snapshot, name: &str, seconds: f64) -> Option<f64> {
    rate(old?.figure(name)?, new.figure(name)?, seconds)
}

fn sockets(old: Option<&Snapshot>, new: &Snapshot, seconds: f64) -> Option<Vec<SocketRow>> {
    let names: HashMap<&str, &str> = new
        .services
        .iter()
        .map(|service| (service.address.as_str(), service.name.as_str()))
        .collect();
    let before: HashMap<i64, &Socket> = old
        .and_then(|old| old.sockets.as_ref())
        .map_or_else(HashMap::new, |list| {
            list.iter().map(|s| (s.id, s)).collect()
        });
    let row = |now: &Socket| {
        let began = Socket::default();
        // Without a list to compare with, nobody knows.
        let seconds = if before.is_empty() { 0.0 } else { seconds };
        let old = before.get(&now.id).copied().unwrap_or(&began);
        SocketRow {
            read_rate: rate(old.read as f64, now.read as f64, seconds),
            write_rate: rate(old.write as f64, now.write as f64, seconds),
            owner: names
                .get(now.address.as_str())
                .map_or(String::new(), |&name| name.into()),
            now: now.clone(),
        }
    };
    new.sockets
        .as_ref()
        .map(|list| list.iter().map(row).collect())
}

fn totals(old: Option<&Snapshot>, new: &Snapshot, seconds: f64, services: &[ServiceRow]) -> Totals {
    let between = |name: &str| figure_rate(old, new, name, seconds);
    // The node's own sums have those that ended meanwhile, too.
    let sum = |of: fn(&ServiceRow) -> Option<f64>| {
        (seconds > 0.0).then(|| services.iter().filter_map(of).sum())
    };
    let mailboxes = || services.iter().filter_map(|row| row.now.mqlen);
    let whole = |name: &str| new.figure(name).map(|number| number as u64);
    let workers = new
        .node
        .keys()
        .filter(|name| name.starts_with("thread_worker_"));
    let mut workers: Vec<(usize, f64)> = workers
        .filter_map(|name| {
            let number = name.rsplit('_').next()?.parse().ok()?;
            Some((number, between(name)? * 100.0))
        })
        .collect();
    workers.sort_by_key(|&(number, _)| number);
    let most = match workers.len() {
        0 => f64::INFINITY,
        number => 100.0 * number as f64,
    };
    Totals {
        services: services.len(),
        start_rate: between("services_started"),
        cpu_percent: between("cpu")
            .map(|part| (part * 100.0).min(most))
            .or_else(|| sum(|row| row.cpu_percent)),
        message_rate: between("messages").or_else(|| sum(|row| row.message_rate)),
        waiting: whole("messages_waiting").unwrap_or_else(|| mailboxes().sum()),
        largest: whole("mailbox_largest").unwrap_or_else(|| mailboxes().max().unwrap_or(0)),
        lua: services.iter().filter_map(|row| row.now.lua).sum(),
        memory: new.memory.clone(),
        sockets: new
            .figure("sockets")
            .or_else(|| Some(new.sockets.as_ref()?.len() as f64)),
        read_rate: between("socket_read_bytes"),
        write_rate: between("socket_written_bytes"),
        queued: new.figure("socket_queued_bytes"),
        timers: new.figure("timers"),
        errors: new.figure("errors"),
        error_rate: between("errors"),
        uptime: new.figure("start_time").map(|_| new.ticks as f64 / 100.0),
        workers: workers.into_iter().map(|(_, percent)| percent).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{service, snapshot};
    use super::*;

    #[test]
    fn rates_are_what_happened_between_two_looks() {
        let old = snapshot(10.0, vec![service(8, "snlua main", 100, 1.0)]);
        let mut new = snapshot(
            12.0,
            vec![
                service(8, "snlua main", 300, 2.0),
                service(9, "snlua agent", 10, 0.1),
            ],
        );
        new.workers = vec![
            "worker 0: idle".into(),
            "worker 1: :00000008 (snlua main) runs for 1.20 s, a message from :00000001".into(),
        ];
        let view = View::new(Some(&old), &new);
        assert_eq!(view.services[0].cpu_percent, Some(50.0));
        assert_eq!(view.services[0].message_rate, Some(100.0));
        // One that has begun since then.
        assert_eq!(view.services[1].message_rate, Some(5.0));
        assert_eq!(
            view.services[0].running.as_deref(),
            Some("runs for 1.20 s, a message from :00000001")
        );
        assert_eq!(view.stuck.len(), 1);
        assert_eq!(view.totals.message_rate, Some(105.0));
    }

    #[test]
    fn a_service_in_one_long_message_has_the_time_of_its_worker() {
        let line = "worker 1: :00000008 (snlua main) runs for 9.00 s, a message from :00000001";
        let look = |clock, worker: f64| {
            let mut look = snapshot(clock, vec![service(8, "snlua main", 1, 0.0)]);
            look.node.insert("thread_worker_1".into(), worker);
            look.workers = vec![line.into()];
            look
        };
        let view = View::new(Some(&look(10.0, 5.0)), &look(12.0, 6.5));
        assert_eq!(view.services[0].cpu_percent, Some(75.0));
        // When it ends, all of it is counted at once.
        let mut end = snapshot(14.0, vec![service(8, "snlua main", 2, 11.0)]);
        end.node.insert("thread_worker_1".into(), 8.0);
        let view = View::new(Some(&look(12.0, 6.5)), &end);
        assert_eq!(view.services[0].cpu_percent, Some(100.0));
        for line in ["worker 0: idle", "worker 0: :00000008 (x) runs, a message"] {
            assert!(running(line).is_none());
        }
        let line = "worker 0: :00000008 (x) runs for more than 5.00 s, a message";
        assert_eq!(running(line).map(|running| running.seconds), Some(5.0));
    }

    #[test]
    fn a_first_look_another_process_and_a_clock_that_stands_have_no_rates() {
        let old = snapshot(10.0, vec![service(8, "a", 100, 1.0)]);
        let mut other = snapshot(12.0, vec![service(8, "a", 1, 0.5)]);
        assert_eq!(View::new(None, &other).services[0].cpu_percent, None);
        assert_eq!(
            View::new(Some(&other), &other).services[0].cpu_percent,
            None
        );
        other.pid = Some(8);
        assert_eq!(View::new(Some(&old), &other).services[0].message_rate, None);
    }

    #[test]
    fn sockets_have_rates_when_they_were_looked_at_before() {
        let socket = |id, read, write| Socket {
            id,
            address: ":00000008".into(),
            read,
            write,
            ..Socket::default()
        };
        let mut old = snapshot(1.0, vec![service(8, "snlua main", 0, 0.0)]);
        let mut new = snapshot(3.0, vec![service(8, "snlua main", 0, 0.0)]);
        new.sockets = Some(vec![socket(1, 300, 40), socket(2, 10, 0)]);
        let row =
            |view: &View, place: usize| view.sockets.as_ref().expect("sockets")[place].clone();
        assert_eq!(row(&View::new(Some(&old), &new), 0).read_rate, None);
        old.sockets = Some(vec![socket(1, 100, 0)]);
        let view = View::new(Some(&old), &new);
        assert_eq!(
            (row(&view, 0).read_rate, row(&view, 0).write_rate),
            (Some(100.0), Some(20.0))
        );
        assert_eq!(
            (row(&view, 1).read_rate, row(&view, 1).owner.as_str()),
            (Some(5.0), "snlua main")
        );
    }
}
