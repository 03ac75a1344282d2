//! What was sent to the services that get frames, and how much of it waits there.

use std::collections::HashMap;

/// Frames beyond its limit that a service can get at once at most.
const MOST_SHARED: u64 = 1024;

/// What the gate has sent to one service and that one has not handled. The service says only how many messages it has
/// handled in all, so those of others count as well: never too many are seen here.
pub struct Flow {
    sent: u64,
    /// Messages that the service had handled when nothing of this gate waited.
    base: u64,
    /// ... and when it was looked at last.
    seen: u64,
    /// Of those that it has handled, so many give nobody a frame yet, see [`Flow::share`].
    unshared: u64,
    /// Clients whose frames it gets.
    clients: usize,
}

impl Flow {
    /// For a service to which nothing was sent yet.
    pub fn new(handled: u64) -> Flow {
        Flow {
            sent: 0,
            base: handled,
            seen: handled,
            unshared: 0,
            clients: 0,
        }
    }

    /// So many have been sent.
    pub fn add(&mut self, count: u32) {
        self.sent += u64::from(count);
    }

    /// The messages that may still wait when the service has handled `handled` in all.
    pub fn waiting(&mut self, handled: u64) -> u64 {
        let more = handled.saturating_sub(self.seen);
        self.unshared = (self.unshared + more).min(2 * MOST_SHARED);
        self.seen = handled;
        let done = handled.saturating_sub(self.base);
        if done >= self.sent {
            (self.sent, self.base) = (0, handled);
            return 0;
        }
        self.sent - done
    }

    /// Frames that may be sent to it although it is behind, for instance because others keep its mailbox full. They are
    /// half of what it handles, so they do not make it fall back further; one that handles nothing gets none.
    pub fn share(&self) -> u32 {
        u32::try_from(self.unshared / 2).unwrap_or(u32::MAX)
    }

    /// So many of those have been sent.
    pub fn take_share(&mut self, count: u32) {
        self.unshared = self.unshared.saturating_sub(2 * u64::from(count));
    }
}

/// The services that get frames of clients. One is forgotten with the last of its clients, not with any: what the others have
/// sent still waits.
#[derive(Default)]
pub struct Flows(HashMap<u32, Flow>);

impl Flows {
    /// The flow to a service.
    pub fn get(&mut self, to: u32) -> Option<&mut Flow> {
        self.0.get_mut(&to)
    }

    /// A client's frames go to `to` from now on, and went to `before`; 0 is nobody. `handled` is what that one has handled, if
    /// it is alive.
    pub fn change(&mut self, before: u32, to: u32, handled: impl FnOnce() -> Option<u64>) -> u32 {
        self.leave(before);
        if to == 0 {
            return 0;
        }
        if let Some(flow) = self.0.get_mut(&to) {
            flow.clients += 1;
            return to;
        }
        let Some(handled) = handled() else {
            return 0;
        };
        let flow = self.0.entry(to).or_insert(Flow::new(handled));
        flow.clients = 1;
        to
    }

    /// A client is gone whose frames went to `to`.
    pub fn leave(&mut self, to: u32) {
        if let Some(flow) = self.0.get_mut(&to) {
            flow.clients = flow.clients.saturating_sub(1);
            if flow.clients == 0 {
                self.0.remove(&to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_knows_what_waits_at_least() {
        let mut flow = Flow::new(1000);
        let mut after = |more, handled| {
            flow.add(more);
            flow.waiting(handled)
        };
        assert_eq!(after(64, 1000), 64);
        assert_eq!(after(64, 1010), 118);
        assert_eq!(after(0, 1100), 28);
        assert_eq!(after(0, 5000), 0);
        assert_eq!(after(10, 5000), 10);
        assert_eq!(after(0, 4000), 10, "what a restored node says");
    }

    #[test]
    fn half_of_what_a_service_handles_is_shared() {
        let mut flow = Flow::new(1000);
        flow.waiting(1000);
        assert_eq!(flow.share(), 0, "it handles nothing");
        flow.waiting(1101);
        assert_eq!(flow.share(), 50);
        flow.take_share(40);
        assert_eq!(flow.share(), 10);
        flow.take_share(40);
        assert_eq!(flow.share(), 0);
        flow.waiting(1 << 40);
        assert_eq!(u64::from(flow.share()), MOST_SHARED);
    }

    #[test]
    fn a_flow_lasts_as_long_as_its_last_client() {
        let mut flows = Flows::default();
        let first = flows.change(0, 7, || Some(100));
        let second = flows.change(0, 7, || unreachable!("it is known"));
        flows.get(7).unwrap().add(30);
        flows.leave(first);
        assert_eq!(flows.get(7).unwrap().waiting(110), 20);
        assert_eq!(flows.change(second, 8, || Some(0)), 8);
        assert!(flows.get(7).is_none());
        assert_eq!(flows.change(8, 9, || None), 0, "a dead service");
        assert!(flows.get(8).is_none() && flows.get(9).is_none());
    }
}
