//! How much may be written to a socket, and the way to the core.
//!
//! The core takes whatever it gets, and says with a message when more than a mebibyte waits, and when nothing does any more. So a writer lets
//! messages have their turn after each [`PIECE`], waits when too much waits, and goes on when all was sent. The earliest release does not say
//! the latter: there it is tried again, after a time that doubles.

use std::ffi::c_char;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::socket::Socket;
use crate::context::Ctx;
use crate::payload::Payload;
use crate::runtime::core::current;
use crate::sys;
use crate::sys::sockets::{MEMORY, SendBuffer, need};

/// So many bytes are written before messages have their turn.
const PIECE: usize = 256 << 10;
/// So many when too much has waited before, and nobody will say that it does not any more.
const TRIAL: usize = 16 << 10;
/// The time to the next trial: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What a socket knows of what goes out.
pub(super) struct Output {
    /// Too much waits to be sent.
    pub(super) blocked: bool,
    /// Written since messages had their turn.
    written: usize,
    /// They have it, or the time to the next trial passes.
    pausing: bool,
    /// The latter.
    trying: bool,
    wait: Duration,
}

impl Output {
    pub(super) const fn new() -> Output {
        Output {
            blocked: false,
            written: 0,
            pausing: false,
            trying: false,
            wait: FIRST_WAIT,
        }
    }

    /// How much may be written now; or how long to pause, if no pause has begun and nobody will wake the writer.
    fn room(&mut self, tells_when_drained: bool) -> Result<usize, Option<Duration>> {
        if self.pausing || self.blocked && tells_when_drained {
            return Err(None);
        }
        let most = if self.wait == FIRST_WAIT {
            PIECE
        } else {
            TRIAL
        };
        if self.written < most && !self.blocked {
            return Ok(most - self.written);
        }
        self.pausing = true;
        self.trying = self.blocked;
        if self.blocked {
            let wait = self.wait;
            self.wait = (wait * 2).min(LAST_WAIT);
            Err(Some(wait))
        } else {
            self.wait = FIRST_WAIT;
            Err(Some(Duration::ZERO))
        }
    }

    /// The pause is over.
    fn resume(&mut self) {
        self.pausing = false;
        self.written = 0;
        // Too much may have begun to wait during a pause that was for messages.
        self.blocked &= !std::mem::take(&mut self.trying);
    }
}

impl Socket {
    /// How many bytes may be written now; `None`: later.
    pub(super) fn room(self: &Rc<Self>) -> io::Result<Option<usize>> {
        if let Some(error) = self.error() {
            return Err(error);
        }
        if self.is_closed() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let drained = sys::api().sockets.tells_when_drained;
        let room = self.state().output.room(drained);
        match room {
            Ok(room) => Ok(Some(room)),
            Err(wait) => {
                if let Some(wait) = wait {
                    self.pause_writer(wait);
                }
                Ok(None)
            }
        }
    }

    /// Waits for room.
    pub(super) fn poll_room(self: &Rc<Self>, context: &Context<'_>) -> Poll<io::Result<usize>> {
        match self.room() {
            Ok(Some(room)) => Poll::Ready(Ok(room)),
            Ok(None) => self.wait_to_write(context),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn pause_writer(self: &Rc<Self>, wait: Duration) {
        let Some(ctx) = Ctx::current() else { return };
        let socket = Rc::downgrade(self);
        drop(ctx.spawn_named("a writer's pause", async move {
            ctx.sleep(wait).await;
            let Some(socket) = socket.upgrade() else {
                return;
            };
            socket.state().output.resume();
            socket.wake_writer();
        }));
    }

    /// Hands bytes over to the core.
    pub(super) fn hand_over(&self, payload: Payload) -> io::Result<()> {
        let sockets = &sys::api().sockets;
        let id = self.id;
        self.state().output.written += payload.len();
        let sent = match (sockets.sendbuffer, sockets.send) {
            (Some(send), _) => {
                let mut buffer = buffer(id, payload);
                // SAFETY: the context of the service whose turn it is, and a block that is handed over.
                current(|core| unsafe { send(core.context(), &raw mut buffer) })
            }
            (None, send) => {
                let send = need(send, "skynet_socket_sendbuffer", "v1.3.0")?;
                let (data, len) = short(payload)?;
                // SAFETY: as above.
                current(|core| unsafe { send(core.context(), id, data.cast(), len) })
            }
        };
        sent_or_gone(sent)
    }

    /// Hands a datagram over, to an address. (One for the peer of a connected socket goes as the bytes of a stream do.)
    pub(super) fn hand_over_to(&self, address: &[u8; 19], payload: Payload) -> io::Result<()> {
        let sockets = &sys::api().sockets;
        let id = self.id;
        self.state().output.written += payload.len();
        let address: *const c_char = address.as_ptr().cast();
        let sent = match (sockets.udp_sendbuffer, sockets.udp_send) {
            (Some(send), _) => {
                let mut buffer = buffer(id, payload);
                // SAFETY: as above; the address is as long as its first byte says.
                current(|core| unsafe { send(core.context(), address, &raw mut buffer) })
            }
            (None, send) => {
                let send = need(send, "skynet_socket_udp_sendbuffer", "v1.3.0")?;
                let (data, len) = short(payload)?;
                // SAFETY: as above.
                current(|core| unsafe { send(core.context(), id, address, data.cast(), len) })
            }
        };
        sent_or_gone(sent)
    }
}

fn buffer(id: i32, payload: Payload) -> SendBuffer {
    let (data, len) = payload.into_raw();
    SendBuffer {
        id,
        kind: MEMORY,
        buffer: data.cast(),
        len,
    }
}

/// A block for the functions of releases that count in `int`.
fn short(payload: Payload) -> io::Result<(*mut u8, i32)> {
    let len =
        i32::try_from(payload.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok((payload.into_raw().0, len))
}

fn sent_or_gone(sent: i32) -> io::Result<()> {
    if sent < 0 {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FIRST_WAIT, LAST_WAIT, Output, PIECE, TRIAL};
    use std::time::Duration;

    #[test]
    fn messages_have_their_turn_after_each_piece() {
        let mut output = Output::new();
        assert_eq!(output.room(true), Ok(PIECE));
        output.written = PIECE;
        assert_eq!(output.room(true), Err(Some(Duration::ZERO)));
        assert_eq!(output.room(true), Err(None));
        output.resume();
        assert_eq!(output.room(true), Ok(PIECE));
    }

    #[test]
    fn a_writer_waits_until_all_was_sent() {
        let mut output = Output::new();
        output.blocked = true;
        assert_eq!(output.room(true), Err(None));
        output.resume();
        assert_eq!(output.room(true), Err(None));
        output.blocked = false;
        assert_eq!(output.room(true), Ok(PIECE));
    }

    #[test]
    fn where_nobody_says_so_it_is_tried_again_less_and_less_often() {
        let mut output = Output::new();
        let mut wait = FIRST_WAIT;
        for _ in 0..10 {
            output.blocked = true;
            assert_eq!(output.room(false), Err(Some(wait)));
            output.resume();
            assert_eq!(output.room(false), Ok(TRIAL));
            wait = (wait * 2).min(LAST_WAIT);
        }
        output.written = TRIAL;
        assert_eq!(output.room(false), Err(Some(Duration::ZERO)));
        output.blocked = true;
        output.resume();
        assert_eq!(output.room(false), Err(Some(FIRST_WAIT)));
        output.resume();
        assert_eq!(output.room(false), Ok(TRIAL));
    }
}
