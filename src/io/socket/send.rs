//! Sending: a thread that gets the handoff lock of a socket writes at once, or queues; the others hand their blocks over.

use super::addr::{Protocol, Text, UdpAddress};
use super::buffer::{Ask, Block, NoMemory, Payload};
use super::command::Command;
use super::flush::Flushed;
use super::handoff::{Entry, Leaving};
use super::queue::WriteQueue;
use super::shared::Shared;
use super::slot::Slot;
use super::state::Phase;
use super::sys::{self, Errno};
use std::fmt::{self, Write as _};
use std::sync::atomic::Ordering;

/// So many times the owner takes what others have handed over before it passes the socket to the I/O role.
const MAX_ROUNDS: usize = 2;

impl Shared {
    /// Sends a payload. `false`: there is no such socket (the payload is released, as in every other case).
    pub fn send(
        &self,
        id: i32,
        payload: Payload,
        low: bool,
        to: UdpAddress,
    ) -> Result<bool, NoMemory> {
        let slot = self.table.slot(id);
        match slot.state_of(id) {
            Some(state) if !state.closing => {}
            _ => return Ok(false),
        }
        // The common case first: no block has to be made when the kernel takes it all.
        if slot.handoff.try_enter() {
            let taken = self.offer(slot, id, payload, low, to, true);
            self.leave(slot);
            return taken;
        }
        match slot
            .handoff
            .enter_or_hand_over(Block::new(payload, id, low, to)?)
        {
            Entry::HandedOver => Ok(true),
            Entry::Owner(block) => {
                let (payload, low, to) = block.into_parts();
                let taken = self.offer(slot, id, payload, low, to, true);
                self.leave(slot);
                taken
            }
        }
    }

    /// I/O role, with the claim: becomes the owner of a handoff lock, with everything that was handed over before in the queue.
    /// `false`: a thread is the owner, which is not waited for.
    pub fn try_enter(&self, slot: &Slot) -> bool {
        if !slot.handoff.try_enter_claimed() {
            return false;
        }
        let idle = self.is_idle(slot);
        // SAFETY: this thread owns the handoff lock, and only blocks are handed over at the locks of the table.
        for block in unsafe { slot.handoff.take_handed::<Block>() } {
            self.take_over(slot, *block);
        }
        let tag = slot.tag();
        if idle && !self.is_idle(slot) && tag.state().phase.writable() {
            self.post(Command::Flush { id: tag.id() });
        }
        true
    }

    /// Leaves a handoff lock, after having seen to what was handed over.
    pub fn leave(&self, slot: &Slot) {
        let mut rounds = 0;
        loop {
            // SAFETY: only owners call this, and only blocks are handed over at the locks of the table.
            let handed = match unsafe { slot.handoff.try_leave::<Block>(rounds >= MAX_ROUNDS) } {
                Leaving::Left => return,
                // The claim had been left with this thread.
                Leaving::Passed { wanted: true } => return self.schedule(slot),
                // If the role was faster and the slot is another socket's by now, that does no harm.
                Leaving::Passed { wanted: false } => {
                    let id = slot.tag().id();
                    return self.post(Command::Flush { id });
                }
                Leaving::Stays(handed) => handed,
            };
            rounds += 1;
            let idle = self.is_idle(slot);
            for block in handed {
                self.take_over(slot, *block);
            }
            if idle && !self.is_idle(slot) {
                self.flush_for_others(slot);
            }
        }
    }

    /// Whether no block waits. The caller owns the handoff lock.
    fn is_idle(&self, slot: &Slot) -> bool {
        // SAFETY: the caller owns the handoff lock; the reference ends here.
        unsafe { slot.queue() }
            .as_ref()
            .is_none_or(|q| q.is_empty())
    }

    /// Queues a block that was handed over; writing is left to the end of the round. The caller owns the handoff lock.
    pub(super) fn take_over(&self, slot: &Slot, block: Block) {
        let id = block.id;
        match block.ask {
            Ask::Write => {}
            Ask::Uncork => return self.uncork(slot),
            Ask::Flush => return self.post(Command::Flush { id }),
            Ask::SetPeer => {
                if slot.state_of(id).is_some() {
                    // SAFETY: the caller owns the handoff lock; the reference ends here.
                    *unsafe { slot.peer() } = Some(Box::new(block.to));
                }
                return;
            }
        }
        let (payload, low, to) = block.into_parts();
        // What was handed over is in a block of its own, so that no memory is asked for.
        let _ = self.offer(slot, id, payload, low, to, false);
    }

    /// Writes what was handed over, all at once. The caller owns the handoff lock.
    pub(super) fn flush_for_others(&self, slot: &Slot) {
        let tag = slot.tag();
        if !tag.state().phase.writable() {
            return;
        }
        let id = tag.id();
        match self.flush(slot, id, 1) {
            Flushed::Empty { warned: false } => {}
            Flushed::Empty { warned: true } => self.post(Command::Warn { id, kib: 0 }),
            Flushed::Blocked | Flushed::Failed(_) => self.post(Command::Flush { id }),
        }
    }

    /// Writes or queues a payload. The caller owns the handoff lock.
    /// With `direct` it writes at once if nothing waits, and has the I/O thread told if something does; without, the
    /// caller sees to the queue.
    fn offer(
        &self,
        slot: &Slot,
        id: i32,
        payload: Payload,
        low: bool,
        to: UdpAddress,
        direct: bool,
    ) -> Result<bool, NoMemory> {
        let Some(state) = slot.state_of(id) else {
            return Ok(false);
        };
        if state.closing || slot.overflowed.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match state.phase {
            // Dropped in silence, as the owner of a connection may not know yet whether it was started.
            Phase::Accepted if !slot.starting.load(Ordering::Relaxed) => return Ok(true),
            Phase::WriteClosed => return Ok(true),
            Phase::PreListen | Phase::Listen => {
                (self.report)(&format!("socket-server error: write to listen fd {id}."));
                return Ok(true);
            }
            _ => {}
        }
        let direct = direct && state.phase.writable();
        if slot.protocol() != Protocol::Tcp {
            return self.offer_datagram(slot, id, payload, low, to, direct);
        }
        let bytes = payload.bytes();
        if bytes.is_empty() {
            return Ok(true);
        }
        if direct && slot.corked.load(Ordering::Relaxed) {
            let queued = slot.backlog.load(Ordering::Relaxed);
            if !low && self.may_hold_back(slot, queued, bytes.len()) {
                let block = Block::new(payload, id, low, UdpAddress::NONE)?;
                self.enqueue(slot, id, block, false);
                return Ok(true);
            }
            self.uncork(slot);
        }
        let mut written = 0;
        // What waits goes first.
        if direct && self.is_idle(slot) {
            if state.phase != Phase::Bound && self.is_to_cork(slot, low, bytes.len()) {
                let block = Block::new(payload, id, low, UdpAddress::NONE)?;
                self.enqueue(slot, id, block, false);
                self.cork(slot, id);
                return Ok(true);
            }
            // An error is left to the I/O thread, which meets it again and reports it.
            written = sys::send(slot.fd.load(Ordering::Relaxed), bytes).unwrap_or(0);
            self.count_written(slot, written);
            if written == bytes.len() {
                return Ok(true);
            }
        }
        let size = bytes.len();
        let mut block = match Block::new(payload, id, low, UdpAddress::NONE) {
            Ok(block) => block,
            Err(NoMemory) => {
                if written != 0 {
                    self.cut(slot, id, size - written);
                }
                return Err(NoMemory);
            }
        };
        block.advance(written);
        self.enqueue(slot, id, block, direct);
        Ok(true)
    }

    fn offer_datagram(
        &self,
        slot: &Slot,
        id: i32,
        payload: Payload,
        low: bool,
        to: UdpAddress,
        direct: bool,
    ) -> Result<bool, NoMemory> {
        // SAFETY: the caller owns the handoff lock; the reference ends here.
        let peer = unsafe { slot.peer() }.as_deref().copied();
        let to = if to == UdpAddress::NONE {
            peer.unwrap_or(UdpAddress::NONE)
        } else {
            to
        };
        if to.protocol() != slot.protocol() {
            if to == UdpAddress::NONE {
                (self.report)(&format!(
                    "socket-server : set udp ({id}) error: address first."
                ));
            } else {
                (self.report)(&format!(
                    "socket-server: udp socket ({id}) error: type mismatch."
                ));
            }
            return Ok(false);
        }
        if direct
            && self.is_idle(slot)
            && let Some(addr) = to.to_sock()
        {
            match sys::send_to(slot.fd.load(Ordering::Relaxed), payload.bytes(), &addr) {
                Ok(n) => {
                    self.count_written(slot, n);
                    return Ok(true);
                }
                Err(e) if e.is_temporary() => {}
                Err(e) => {
                    self.report_datagram(id, e);
                    return Ok(true);
                }
            }
        }
        self.enqueue(slot, id, Block::new(payload, id, low, to)?, direct);
        Ok(true)
    }

    pub(super) fn report_datagram(&self, id: i32, e: Errno) {
        let text = e.text();
        let text = String::from_utf8_lossy(text.as_bytes());
        (self.report)(&format!("socket-server : udp ({id}) sendto error {text}."));
    }

    pub(super) fn count_written(&self, slot: &Slot, n: usize) {
        if n != 0 {
            // The handoff lock has one owner at a time, so this needs no atomic addition.
            slot.written.store(
                slot.written.load(Ordering::Relaxed) + n as u64,
                Ordering::Relaxed,
            );
        }
        slot.write_time.store(self.now(), Ordering::Relaxed);
    }

    /// Appends to the write queue. With `notify` the I/O thread hears of it if the queue was empty. The caller owns the handoff
    /// lock.
    fn enqueue(&self, slot: &Slot, id: i32, block: Box<Block>, notify: bool) {
        let size = block.rest().len();
        // SAFETY: the caller owns the handoff lock; the reference ends with this function.
        let queue = unsafe { slot.queue() }.get_or_insert_with(|| Box::new(WriteQueue::new()));
        let was_empty = queue.is_empty();
        let limit = self.limit_of(slot);
        let total = self.limits.total.load(Ordering::Relaxed);
        if queue.bytes().saturating_add(size) > limit {
            let bytes = queue.bytes();
            return self.overflow(slot, id, limit, bytes, "socket");
        }
        if self.queued.load(Ordering::Relaxed).saturating_add(size) > total {
            let bytes = self.queued.load(Ordering::Relaxed);
            return self.overflow(slot, id, total, bytes, "node");
        }
        let warning = match slot.protocol() {
            Protocol::Tcp => queue.push_bytes(block),
            _ => queue.push(block),
        };
        slot.backlog.store(queue.bytes(), Ordering::Relaxed);
        self.queued.fetch_add(size, Ordering::Relaxed);
        if let Some(kib) = warning {
            self.post(Command::Warn { id, kib });
        }
        if was_empty && notify {
            self.post(Command::Flush { id });
        }
    }

    /// What was to be queued is over a limit. The caller owns the handoff lock, and drops it.
    #[cold]
    fn overflow(&self, slot: &Slot, id: i32, limit: usize, bytes: usize, whose: &str) {
        if slot.protocol() != Protocol::Tcp {
            // A datagram may get lost: what is queued stays in order without it.
            self.totals.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.totals.overflows.fetch_add(1, Ordering::Relaxed);
        self.end_stream(
            slot,
            id,
            format_args!(
                "write buffer limit exceeded: {bytes} bytes wait, the limit of the {whose} is {limit}"
            ),
        );
    }

    /// There is no memory for the rest of what is partly out. The caller owns the handoff lock.
    #[cold]
    fn cut(&self, slot: &Slot, id: i32, rest: usize) {
        self.end_stream(
            slot,
            id,
            format_args!("not enough memory for {rest} bytes that wait"),
        );
    }

    /// The stream has a hole from here on, so nothing of it may go out any more: the I/O thread closes the socket.
    #[cold]
    fn end_stream(&self, slot: &Slot, id: i32, why: fmt::Arguments<'_>) {
        slot.overflowed.store(true, Ordering::Relaxed);
        let mut text = Text::new();
        let _ = text.write_fmt(why);
        self.post(Command::Overflow { id, text });
    }
}
