//! The same services as in `../services.c` and `../lua`, in Rust. `../run` says what they are for.

use std::cell::Cell;

use skynet_service::error::BoxError;
use skynet_service::{Args, Ctx, Handle, Kind, Message, service};

/// Begins: the text is the handle of the other side.
const GO: Kind = Kind::Other(40);
/// A message for which the sender awaits an acknowledgement.
const ASK: Kind = Kind::Other(41);
/// That.
const ACK: Kind = Kind::Other(42);

const BYTES: &[u8; 16] = b"0123456789abcdef";
/// Messages that a sender has under way, at most twice as many.
const WINDOW: u32 = 32;

/// The other side that the bytes of a message of the type [`GO`] name.
fn peer(bytes: &[u8]) -> Option<Handle> {
    Handle::new(std::str::from_utf8(bytes).ok()?.parse().ok()?)
}

fn ended(ctx: Ctx) {
    let _ = ctx.send(".main", Kind::Text, "end");
}

/// Sends each message back, and tells `.main` when so many have come.
struct Ping {
    left: Cell<i64>,
}

#[service("rping")]
impl Ping {
    fn init(_: Ctx, args: Args) -> Result<Ping, BoxError> {
        let left = Cell::new(args.parse()?);
        Ok(Ping { left })
    }

    fn message(&self, ctx: Ctx, message: Message<'_>) {
        if message.kind() == GO {
            if let Some(peer) = peer(message.bytes()) {
                let _ = ctx.send(peer, Kind::Text, BYTES);
            }
            return;
        }
        let left = self.left.get() - 1;
        self.left.set(left);
        if left == 0 {
            return ended(ctx);
        }
        if let Some(source) = message.source() {
            let _ = ctx.send(source, Kind::Text, message.into_payload());
        }
    }
}

/// Sends to one receiver, a window ahead of its acknowledgements.
struct Sender {
    receiver: Cell<Option<Handle>>,
}

#[service("rsender")]
impl Sender {
    fn init(_: Ctx, _: Args) -> Result<Sender, BoxError> {
        let receiver = Cell::new(None);
        Ok(Sender { receiver })
    }

    fn message(&self, ctx: Ctx, message: Message<'_>) {
        if message.kind() == GO {
            self.receiver.set(peer(message.bytes()));
            self.burst(ctx);
        }
        self.burst(ctx);
    }

    fn burst(&self, ctx: Ctx) {
        let Some(receiver) = self.receiver.get() else {
            return;
        };
        for _ in 1..WINDOW {
            let _ = ctx.send(receiver, Kind::Text, BYTES);
        }
        let _ = ctx.send(receiver, ASK, BYTES);
    }
}

/// Counts, and tells `.main` when so many have come; from then on it is silent.
struct Receiver {
    left: Cell<i64>,
}

#[service("rreceiver")]
impl Receiver {
    fn init(_: Ctx, args: Args) -> Result<Receiver, BoxError> {
        let left = Cell::new(args.parse()?);
        Ok(Receiver { left })
    }

    fn message(&self, ctx: Ctx, message: Message<'_>) {
        let left = self.left.get() - 1;
        self.left.set(left);
        if left == 0 {
            ended(ctx);
        }
        if left > 0
            && message.kind() == ASK
            && let Some(source) = message.source()
        {
            let _ = ctx.send(source, ACK, "");
        }
    }
}

/// Does nothing.
struct Idle;

#[service("ridle")]
impl Idle {
    fn init(_: Ctx, _: Args) -> Result<Idle, BoxError> {
        Ok(Idle)
    }

    fn message(&self, _: Ctx, _: Message<'_>) {}
}

/// Asks another one of its kind, one request after another.
struct Caller;

#[service("rcaller")]
impl Caller {
    fn init(_: Ctx, _: Args) -> Result<Caller, BoxError> {
        Ok(Caller)
    }

    #[command]
    async fn go(&self, ctx: Ctx, peer: u32, number: u32) -> Result<u32, BoxError> {
        let peer = Handle::new(peer).ok_or("no handle")?;
        for _ in 0..number {
            let (): () = ctx.call_lua(peer, &("echo", 1)).await?;
        }
        Ok(number)
    }

    #[command]
    fn echo(&self, number: u32) -> u32 {
        number
    }
}
