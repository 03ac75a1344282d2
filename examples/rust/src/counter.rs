//! A number that Lua counts with.

use std::cell::Cell;

use skynet_service::error::BoxError;
use skynet_service::{Args, Caller, Ctx, service};

struct Counter {
    value: Cell<i64>,
}

#[service("counter")]
impl Counter {
    /// `skynet.launch("counter", 100)`
    async fn init(_: Ctx, args: Args) -> Result<Counter, BoxError> {
        Ok(Counter {
            value: Cell::new(args.parse()?),
        })
    }

    /// `skynet.call(counter, "lua", "add", 5)`
    #[command]
    fn add(&self, number: i64) -> i64 {
        self.value.set(self.value.get() + number);
        self.value.get()
    }

    /// Asks who has asked for its name, and answers with both.
    #[command]
    async fn report(&self, ctx: Ctx, caller: Caller) -> Result<String, BoxError> {
        let asker = caller.source.ok_or("nobody to ask")?;
        let name: String = ctx.call_lua(asker, &"name").await?;
        Ok(format!("{name} has counted to {}", self.value.get()))
    }
}
