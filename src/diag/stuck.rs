//! Messages that run for too long: the monitor thread looks at each worker now and then, and reports a message that is the
//! same as at its last look. What a worker does is in its [`Activity`].

use crate::actor::service::{self, Context, ServiceRef};
#[cfg(feature = "lua")]
use crate::actor::service::{Stack, thread_signal};
use crate::base::{clock, log};
use crate::scheduler::{self, Activity, Running};
use parking_lot::Mutex;
use std::fmt::{self, Write as _};

/// `struct skynet_monitor`, opaque to C: of a worker that is a thread of the program's own.
#[derive(Default)]
#[repr(align(64))]
pub struct Monitor {
    /// Written by the worker.
    pub activity: Activity,
    watch: Mutex<Watch>,
}

impl Monitor {
    /// Reports the message that was already running at the last check ("skynet_monitor.h", `skynet_monitor_check`), then after
    /// twice as many checks, and so on.
    pub fn check(&self) -> Look {
        // Dropped after the lock: the release of a service may run anything.
        let (look, _service) = self.watch.lock().look(&self.activity);
        look
    }
}

/// What the monitor thread remembers of the workers of the node.
static WATCHES: Mutex<Vec<Watch>> = Mutex::new(Vec::new());

/// Monitor thread: looks at every worker once.
pub fn check_workers() {
    let looks: Vec<_> = {
        let mut watches = WATCHES.lock();
        let workers = scheduler::activities();
        watches.resize_with(workers.len(), Watch::default);
        // Said before a service is asked for its stack: it tells that at once.
        let both = scheduler::activities().zip(watches.iter());
        // One that waits for an editor could not write the log either, and tells nothing.
        let both = both.filter(|(activity, _)| activity.is_attached() && !activity.is_held());
        let (in_it, not) =
            both.partition::<Vec<_>, _>(|(activity, watch)| watch.is_in(activity).is_some());
        log::set_unread(!in_it.is_empty() && not.is_empty());
        let both = workers.zip(watches.iter_mut());
        let attached = both.filter(|(activity, _)| activity.is_attached());
        let mut looks = Vec::new();
        for (activity, watch) in attached {
            let look = watch.look(activity);
            if !activity.is_held() {
                looks.push(look);
            }
        }
        looks
    };
    if !looks.is_empty() && looks.iter().all(|(look, _)| look.stuck) {
        // No worker is left to run the log service.
        for report in looks.iter().filter_map(|(look, _)| look.report.as_ref()) {
            eprintln!("{report}");
        }
    }
}

/// What every worker is doing, a line each.
pub fn workers() -> String {
    let watches = WATCHES.lock();
    let attached = |place: &(usize, &Activity)| place.1.is_attached();
    let workers = scheduler::activities().enumerate().filter(attached);
    let lines = workers.map(|(i, activity)| {
        let line = match activity.running() {
            Some(running) => line(activity, watches.get(i), &running),
            None => String::from("idle"),
        };
        format!("worker {i}: {line}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What is remembered of the message that a worker was in at the last look.
struct Watch {
    version: i32,
    /// 0 when the worker had no service. A worker that has just taken one is still at the version of its last message.
    destination: u32,
    /// When that was, in nanoseconds of the monotonic clock, and the CPU time of the thread then.
    seen_at: u64,
    cpu_seen: Option<u64>,
    /// Looks since then, and the one that is the next to be reported.
    looks: u32,
    report_at: u32,
    /// The service was asked for its stack.
    asked: bool,
}

impl Default for Watch {
    fn default() -> Watch {
        Watch {
            version: 0,
            destination: 0,
            seen_at: 0,
            cpu_seen: None,
            looks: 0,
            report_at: 1,
            asked: false,
        }
    }
}

/// What a look at a worker found.
#[derive(Default)]
pub struct Look {
    /// The worker is in the same message as at the last look.
    pub stuck: bool,
    /// What was logged about it this time.
    pub report: Option<String>,
}

impl Watch {
    /// The service, which the caller lets go of when it has no lock.
    fn look(&mut self, activity: &Activity) -> (Look, Option<ServiceRef>) {
        let version = activity.count_in_order();
        let Some(running) = self.is_in(activity) else {
            let destination = activity.running().map_or(0, |running| running.destination);
            if self.looks != 0 {
                log::error(0, b"stuck: the message that was reported has ended");
            }
            self.begin(version, destination, activity);
            return (Look::default(), None);
        };
        self.looks = self.looks.saturating_add(1);
        let service = service::grab(running.destination);
        if let Some(service) = &service {
            service.mark_endless();
        }
        if std::mem::take(&mut self.asked)
            && let Some(service) = &service
        {
            report_no_stack(service);
        }
        let report = (self.looks >= self.report_at).then(|| self.report(activity, &running));
        if report.is_some()
            && let Some(service) = &service
        {
            self.asked = ask_stack(service, running.version, activity.thread());
        }
        let stuck = true;
        (Look { stuck, report }, service)
    }

    /// What the worker runs, if it is the message of the last look.
    fn is_in(&self, activity: &Activity) -> Option<Running> {
        let same = |r: &Running| r.version == self.version && r.destination == self.destination;
        activity
            .running()
            .filter(|running| same(running) && !activity.is_held())
    }

    /// Another message than at the last look.
    fn begin(&mut self, version: i32, destination: u32, activity: &Activity) {
        *self = Watch {
            version,
            destination,
            seen_at: clock::monotonic_nanos(),
            cpu_seen: activity.cpu_nanos(),
            ..Watch::default()
        };
    }

    /// Logs what the worker does; the text.
    fn report(&mut self, activity: &Activity, running: &Running) -> String {
        self.report_at = self.report_at.saturating_mul(2);
        let Running {
            source,
            destination,
            version,
            ..
        } = running;
        let first = format!(
            "error: A message from [ :{source:08x} ] to [ :{destination:08x} ] maybe in an endless loop (version = {version})"
        );
        log::error(0, first.as_bytes());
        let mut second = format!("stuck: {}", line(activity, Some(self), running));
        if let Some(used) = self.cpu_used(activity) {
            let nanos = clock::monotonic_nanos().saturating_sub(self.seen_at);
            let _ = write!(
                second,
                "; {} of CPU time in the last {}",
                Seconds(used),
                Seconds(nanos)
            );
        }
        log::error(0, second.as_bytes());
        first + "\n" + &second
    }

    /// CPU time of the thread since the first look at this message.
    fn cpu_used(&self, activity: &Activity) -> Option<u64> {
        Some(activity.cpu_nanos()?.saturating_sub(self.cpu_seen?))
    }
}

/// What a worker does, for people.
fn line(activity: &Activity, watch: Option<&Watch>, running: &Running) -> String {
    let service = service::describe(running.destination);
    if activity.is_held() {
        return format!("{service} is stopped by an editor, {running}");
    }
    if let Some(nanos) = activity.callback_nanos() {
        return format!("{service} runs for {}, {running}", Seconds(nanos));
    }
    match watch {
        Some(watch) if watch.version == running.version => {
            let nanos = clock::monotonic_nanos().saturating_sub(watch.seen_at);
            format!("{service} runs for more than {}, {running}", Seconds(nanos))
        }
        // The monitor has not seen it, and it was not noted when it began.
        _ => format!("{service} runs, {running}"),
    }
}

/// Asks a service for its stack, if it is one that has a stack of Lua. False: nothing will come.
#[cfg(feature = "lua")]
fn ask_stack(service: &Context, message: i32, thread: i32) -> bool {
    // What it waits for would be interrupted, and there is no Lua code to be stopped in.
    if thread_signal::sleeps(thread) {
        log::error_fmt(
            0,
            format_args!(
                "stuck: :{:08x} waits in a system call: it is in a C function",
                service.handle()
            ),
        );
        return false;
    }
    service.ask_stack(message)
}

#[cfg(not(feature = "lua"))]
fn ask_stack(_: &Context, _: i32, _: i32) -> bool {
    false
}

/// Says why the log has no stack, if it has none.
#[cfg(feature = "lua")]
fn report_no_stack(service: &Context) {
    let handle = service.handle();
    match service.stack() {
        Stack::Logged => {}
        Stack::Pending => log::error_fmt(
            0,
            format_args!(
                "stuck: :{handle:08x} has run no Lua code since it was asked for its stack: it is in a C function"
            ),
        ),
        Stack::Refused => log::error_fmt(
            0,
            format_args!("stuck: no stack of :{handle:08x}: a debug hook of its own is set"),
        ),
    }
}

#[cfg(not(feature = "lua"))]
fn report_no_stack(_: &Context) {}

/// Nanoseconds as `1.25 s`.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} s", self.0 as f64 / 1e9)
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use crate::base::message::{Message, ptype};

    #[test]
    fn a_message_is_reported_after_one_two_four_looks() {
        let monitor = Monitor::default();
        monitor.activity.enter(0x0012_3456);
        monitor
            .activity
            .message(&Message::empty(7, ptype::CLIENT, -3));
        let reported: Vec<bool> = (0..9).map(|_| monitor.check().report.is_some()).collect();
        let expected = [1, 2, 4, 8];
        for (look, reported) in reported.into_iter().enumerate() {
            assert_eq!(reported, expected.contains(&look), "look {look}");
        }
        monitor.activity.message(&Message::empty(8, ptype::TEXT, 0));
        assert!(!monitor.check().stuck);
        let again = monitor.check().report.unwrap();
        assert!(
            again.contains("from [ :00000008 ] to [ :00123456 ]"),
            "{again}"
        );
    }

    #[test]
    fn a_worker_that_has_just_taken_a_service_is_not_in_a_message_of_before() {
        let monitor = Monitor::default();
        monitor.activity.enter(7);
        assert!(!monitor.check().stuck, "its first");
        monitor.activity.message(&Message::empty(1, ptype::TEXT, 0));
        monitor.activity.end();
        assert!(!monitor.check().stuck);
        monitor.activity.enter(8);
        assert!(!monitor.check().stuck, "after a rest");
    }

    #[test]
    fn what_runs_is_told_in_full_or_as_far_as_it_is_known() {
        let monitor = Monitor::default();
        assert!(monitor.activity.running().is_none());
        monitor.activity.enter(2);
        monitor
            .activity
            .message(&Message::empty(7, ptype::RESERVED_LUA, i32::MAX));
        let text = monitor.activity.running().unwrap().to_string();
        assert_eq!(
            text,
            "a message from :00000007, type 10 (lua), session 2147483647, 0 bytes"
        );
        monitor.activity.trigger(1, 2);
        assert_eq!(
            monitor.activity.running().unwrap().to_string(),
            "a message from :00000001"
        );
        monitor.activity.trigger(0, 0);
        assert!(monitor.activity.running().is_none());
    }
}
