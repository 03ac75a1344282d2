//! What clients send, turn by turn.

use std::ffi::{CStr, CString};

use libc::c_int;
use skynet_sys::block::{Block, NoMemory};
use skynet_sys::{skynet_socket_pause, skynet_socket_start};

use super::Gate;
use crate::frame::{Broken, LIMIT};
use crate::limits;
use crate::turn::{LOOKS, MOST_UNREAD, MOST_WAITING, PATIENCE, Piece, RELIEF, Turn};

impl Gate {
    /// What a client has sent.
    pub(super) fn receive(&mut self, id: c_int, data: Block) {
        let Some(client) = self.clients.get_mut(&id) else {
            self.log(&format!("Drop unknown connection {id} message"));
            return self.close(id);
        };
        let piece = Piece::new(data);
        if client.held {
            client.waiting.push(piece);
            if client.waiting.bytes() > MOST_WAITING {
                self.pause(id);
            }
        } else if let Some(rest) = self.work(id, piece) {
            self.end_turn(id, rest);
        }
    }

    /// Sends the frames of a client on. What is left when its turn is over.
    fn work(&mut self, id: c_int, mut piece: Piece) -> Option<Piece> {
        let client = self.clients.get_mut(&id)?;
        let (agent, source) = (client.agent, client.source);
        // Taken out for the time, as what is forwarded needs the gate.
        let mut decoder = client.decoder.take()?;
        let mut turn = std::mem::take(&mut client.turn);
        let to = self.count_for(id, agent);
        let mut bytes = piece.rest();
        let mut over = false;
        let mut sent = 0;
        let broken = loop {
            match decoder.next(&mut bytes) {
                Ok(None) => break None,
                Ok(Some(frame)) => {
                    over = turn.count(frame.size());
                    match self.forward(id, agent, source, frame) {
                        Ok(true) => sent += 1,
                        Ok(false) => {} // it is lost, and will never be handled
                        Err(NoMemory) => break Some(Broken::NoMemory),
                    }
                    if over {
                        break None;
                    }
                }
                Err(broken) => break Some(broken),
            }
        };
        let rest = bytes.len();
        if let Some(flow) = self.flows.get(to) {
            flow.add(sent);
            if turn.is_shared() {
                flow.take_share(sent);
            }
        }
        if let Some(reason) = broken {
            self.give_up(id, reason);
            return None;
        }
        let client = self.clients.get_mut(&id)?;
        (client.decoder, client.turn) = (Some(decoder), turn);
        piece.keep(rest);
        over.then_some(piece)
    }

    /// The stream of a client cannot be read any further.
    fn give_up(&self, id: c_int, reason: Broken) {
        self.close(id);
        let frame = self.limits.frame;
        self.log(match reason {
            Broken::TooLong if frame < LIMIT => "Recv socket message > gate_frame",
            Broken::TooLong => "Recv socket message > 16M",
            Broken::NoMemory => "Recv socket message : not enough memory",
        });
    }

    /// What the node answers to a command.
    pub(super) fn answer(&self, name: &CStr, text: String) -> Option<String> {
        let text = CString::new(text).ok()?;
        // SAFETY: the service is alive while it works.
        unsafe { limits::command(self.context, name, &text) }
    }

    /// A number that the node knows.
    fn ask(&self, name: &CStr, text: String) -> Option<u64> {
        let answer = self.answer(name, text)?;
        answer.split(' ').next()?.parse().ok()
    }

    /// The service that gets the frames of a client that has this agent; 0: none.
    fn receiver(&self, agent: u32) -> u32 {
        let to = [self.broker, agent, self.watchdog];
        to.into_iter().find(|to| *to != 0).unwrap_or(0)
    }

    /// What this client sends is counted for who gets it, from now on; that one, 0 for nobody. Were it counted later than it
    /// is sent, some that had been handled by then would be taken for such that waits, for ever.
    fn count_for(&mut self, id: c_int, agent: u32) -> u32 {
        let to = self.receiver(agent);
        let before = self.clients.get(&id).map_or(0, |client| client.counted);
        if before == to && (to == 0 || self.flows.get(to).is_some()) {
            return to;
        }
        let mut flows = std::mem::take(&mut self.flows);
        let counted = flows.change(before, to, || self.ask(c"HANDLED", format!(":{to:08x}")));
        self.flows = flows;
        if let Some(client) = self.clients.get_mut(&id) {
            client.counted = counted;
        }
        counted
    }

    /// The turn that a client may have now; none: it waits for who gets its frames, or until it has read what was written to
    /// it.
    fn next_turn(&mut self, id: c_int) -> Option<Turn> {
        let Some(client) = self.clients.get(&id) else {
            return Some(Turn::default());
        };
        let (limit, last_turn) = (client.limit, client.last_turn);
        let to = self.receiver(client.agent);
        if self.ask(c"OUTPUT", id.to_string()) > Some(MOST_UNREAD) {
            return None;
        }
        if self.waiting(to) <= limit {
            return Some(Turn::default());
        }
        let share = self.flows.get(to).map_or(0, |flow| flow.share());
        let is_due = limits::now().saturating_sub(last_turn) >= PATIENCE;
        (is_due && share > 0).then(|| Turn::shared(share))
    }

    /// Messages that wait for a service. It is known what waited when it looked last, and what it has handled.
    fn waiting(&mut self, to: u32) -> u64 {
        let text = format!(":{to:08x}");
        let Some(handled) = self.ask(c"HANDLED", text.clone()) else {
            return 0;
        };
        let flow = self.flows.get(to);
        let waiting = flow.map_or(0, |flow| flow.waiting(handled));
        waiting.max(self.ask(c"MQLEN", text).unwrap_or(0))
    }

    fn pause(&mut self, id: c_int) {
        if let Some(client) = self.clients.get_mut(&id)
            && !client.paused
            && !client.ending
        {
            client.paused = true;
            // SAFETY: the service is alive while it works.
            unsafe { skynet_socket_pause(self.context, id) };
        }
    }

    /// A client's turn is over: it waits for the next one if there is more of it, or if it has to.
    fn end_turn(&mut self, id: c_int, rest: Piece) {
        let behind = !self.begin_turn(id);
        if let Some(client) = self.clients.get_mut(&id) {
            client.held = behind || !rest.rest().is_empty();
            client.waiting.put_back(rest);
            if client.held {
                self.held.push_back(id);
                self.relieve_after(if behind { RELIEF } else { 0 });
            }
        }
        if behind {
            self.pause(id);
        }
    }

    /// A turn is over; the next one begins, or has to wait: false.
    fn begin_turn(&mut self, id: c_int) -> bool {
        if let Some(client) = self.clients.get_mut(&id) {
            if client.turn.frames() > 0 {
                client.limit = client.turn.limit();
                client.last_turn = limits::now();
            }
            client.turn = Turn::default();
        }
        let next = self.next_turn(id);
        let begins = next.is_some();
        if let (Some(client), Some(next)) = (self.clients.get_mut(&id), next) {
            client.turn = next;
        }
        begins
    }

    fn relieve_after(&mut self, time: u64) {
        if self.relief.is_none() {
            // SAFETY: the service is alive while it works.
            self.relief = unsafe { limits::timeout_ms(self.context, time) };
        }
    }

    /// Each of those who wait gets a turn, unless it still has to wait.
    pub(super) fn relieve(&mut self) {
        let mut idle = true;
        for _ in 0..self.held.len() {
            let Some(id) = self.held.pop_front() else {
                break;
            };
            if !self.clients.contains_key(&id) {
                continue;
            }
            if !self.begin_turn(id) {
                self.pause(id);
                self.held.push_back(id);
            } else if self.take_turn(id) {
                idle = false;
                self.held.push_back(id);
            }
        }
        if !self.held.is_empty() {
            // Many who wait cost no more than a few.
            let pause = RELIEF.max(self.held.len() as u64 / LOOKS);
            self.relieve_after(if idle { pause } else { 0 });
        }
    }

    /// A turn of a client that has waited. Whether it still waits.
    fn take_turn(&mut self, id: c_int) -> bool {
        while let Some(client) = self.clients.get_mut(&id) {
            let Some(piece) = client.waiting.pop() else {
                break;
            };
            if let Some(rest) = self.work(id, piece) {
                if let Some(client) = self.clients.get_mut(&id) {
                    client.waiting.put_back(rest);
                }
                return true;
            }
        }
        let Some(client) = self.clients.get_mut(&id) else {
            return false;
        };
        client.held = false;
        if client.ending {
            self.end(id);
        } else if std::mem::take(&mut client.paused) {
            // SAFETY: the service is alive while it works.
            unsafe { skynet_socket_start(self.context, id) };
        }
        false
    }
}
