//! Why nothing goes on in a node: what a test says that waits for nothing.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Node;
use super::core::Entry;
use crate::address::{Handle, OwnedAddress};
use crate::context::Waiting;

/// What all services wait for.
pub(super) struct Report {
    services: BTreeMap<u32, (Entry, Waiting)>,
}

impl Node {
    pub(super) fn report(&self) -> Report {
        let entries = self.state(|state| state.services.clone());
        let with_waiting = |(handle, entry): (u32, Entry)| {
            let waiting = match &entry {
                Entry::Service(service) => service.waiting(),
                Entry::Peer(_) | Entry::Test => Waiting::default(),
            };
            (handle, (entry, waiting))
        };
        Report {
            services: entries.into_iter().map(with_waiting).collect(),
        }
    }
}

impl Report {
    /// Whether anybody outside of the node could make a service go on: a thread that has a waker, or a channel from which one comes.
    pub(super) fn may_go_on(&self) -> bool {
        let waiting = self.services.values().map(|(_, waiting)| waiting);
        waiting.into_iter().any(|waiting| waiting.elsewhere)
    }

    /// The name of a service, and what it is.
    fn name(&self, handle: Handle) -> String {
        match self.services.get(&handle.get()) {
            None => format!("{handle}, which has ended"),
            Some((Entry::Test, _)) => format!("the test ({handle})"),
            Some((Entry::Peer(_), _)) => format!("a function of the test ({handle}, Node::peer)"),
            Some((Entry::Service(service), _)) => format!("{} ({handle})", service.name()),
        }
    }

    /// A line for everything that waits.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (handle, (entry, waiting)) in &self.services {
            let (Some(handle), Entry::Service(_)) = (Handle::new(*handle), entry) else {
                continue;
            };
            let service = self.name(handle);
            for request in &waiting.requests {
                let task = request.task.as_deref().unwrap_or("a task");
                let to = match &request.to {
                    OwnedAddress::Handle(to) => self.name(*to),
                    OwnedAddress::Name(name) => name.to_string(),
                };
                let _ = write!(text, "\n  {service}: {task} waits for an answer of {to}");
            }
            for task in &waiting.tasks {
                let _ = write!(text, "\n  {service}: {task} waits, for no answer");
            }
            if waiting.requests.is_empty() && waiting.tasks.is_empty() {
                let _ = write!(text, "\n  {service}: has no task that waits");
            }
        }
        text
    }
}

impl Node {
    /// Ends a test that waits in vain.
    pub(super) fn give_up(&self, asked: Option<Handle>, why: &str) -> ! {
        let report = self.report();
        let what = match asked {
            Some(handle) => format!("no answer of {}", report.name(handle)),
            None => "what the test waits for has not come".to_string(),
        };
        let mut text = format!("{what}: {why}{}", report.text());
        for line in self.log() {
            let _ = write!(text, "\n  log: {line}");
        }
        panic!("{text}");
    }
}
