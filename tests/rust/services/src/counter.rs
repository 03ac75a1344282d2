//! A service that Lua calls by names.

use std::cell::Cell;
use std::time::Duration;

use skynet_service::error::BoxError;
use skynet_service::{Args, Caller, Ctx, Handle, Message, service};

/// A number.
struct Counter {
    value: Cell<i64>,
}

#[service("rs_counter")]
impl Counter {
    async fn init(ctx: Ctx, args: Args) -> Result<Counter, BoxError> {
        let value = if args.is_empty() { 0 } else { args.parse()? };
        log::info!("counter {} begins with {value}", ctx.handle());
        Ok(Counter {
            value: Cell::new(value),
        })
    }

    #[command]
    fn add(&self, number: i64) -> i64 {
        self.value.set(self.value.get() + number);
        self.value.get()
    }

    #[command]
    async fn later(&self, ctx: Ctx, number: i64) -> i64 {
        ctx.sleep(Duration::from_millis(20)).await;
        self.add(number)
    }

    #[command]
    async fn ask(&self, ctx: Ctx, peer: u32, question: String) -> Result<(String, i64), BoxError> {
        let peer = Handle::new(peer).ok_or("no handle")?;
        let answer = ctx.call_lua(peer, &("question", question)).await?;
        Ok((answer, self.value.get()))
    }

    #[command]
    fn fail(&self, text: String) -> Result<(), BoxError> {
        Err(text.into())
    }

    #[command]
    fn panic(&self, caller: Caller) {
        panic!("asked by {:?}", caller.source);
    }

    fn message(&self, _ctx: Ctx, message: Message<'_>) {
        if let Some(responder) = message.responder() {
            responder.respond(message.into_payload());
        }
    }
}
