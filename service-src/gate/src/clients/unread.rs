//! Clients that do not read what is written to them.

use libc::c_int;
use skynet_sys::skynet_socket_shutdown;

use super::Gate;
use crate::limits;
use crate::unread::{LOOK, Output};

impl Gate {
    /// What waits for a client. None from a core that does not tell: its clients have no limit together.
    fn output(&self, id: c_int) -> Option<Output> {
        let answer = self.answer(c"OUTPUT", id.to_string())?;
        let (waiting, sent) = answer.split_once(' ')?;
        Some((waiting.parse().ok()?, sent.parse().ok()?))
    }

    /// The core has warned of what waits for a client.
    pub(super) fn note_unread(&mut self, id: c_int) {
        let Some(output) = self.output(id) else {
            return;
        };
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let host = limits::host(&client.address);
        if self.unread.note(id, host, output, limits::now()) {
            self.look_at_unread();
        } else {
            self.watch_unread();
        }
    }

    /// Closes those that have to go; their ends are told as ever.
    pub(super) fn look_at_unread(&mut self) {
        let mut unread = std::mem::take(&mut self.unread);
        let verdicts = unread.look(limits::now(), |id| self.output(id));
        self.unread = unread;
        for (id, why) in verdicts {
            let address = self.clients.get(&id).map(|it| it.address.clone());
            self.complain(
                &address.unwrap_or_default(),
                &format!("is closed: {why} (config key gate_unread)"),
            );
            // SAFETY: the service is alive while it works. Nothing of what waits is sent any more.
            unsafe { skynet_socket_shutdown(self.context, id) };
        }
        self.watch_unread();
    }

    fn watch_unread(&mut self) {
        if self.reading.is_none() && !self.unread.is_empty() {
            // SAFETY: the service is alive while it works.
            self.reading = unsafe { limits::timeout(self.context, LOOK) };
        }
    }
}
