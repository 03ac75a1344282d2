//! The service `counter`.

use std::cell::Cell;

use skynet_service::error::BoxError;
use skynet_service::{Args, Caller, Ctx, service};

/// The C core's own crashes with some types (docs of `Malloc`). Changes nothing on skynet in Rust.
#[global_allocator]
static ALLOCATOR: skynet_service::Malloc = skynet_service::Malloc;

struct Counter {
    value: Cell<i64>,
}

#[service("counter")]
impl Counter {
    /// `skynet.launch("counter", 100)`
    async fn init(ctx: Ctx, args: Args) -> Result<Counter, BoxError> {
        let value = args.parse()?;
        log::info!("counter {} begins with {value}", ctx.handle());
        Ok(Counter {
            value: Cell::new(value),
        })
    }

    /// `skynet.call(counter, "lua", "add", 5)`
    #[command]
    fn add(&self, number: i64) -> i64 {
        self.value.set(self.value.get() + number);
        self.value.get()
    }

    /// Asks who calls for its name. Other messages are handled while it waits for the answer.
    #[command]
    async fn report(&self, ctx: Ctx, caller: Caller) -> Result<String, BoxError> {
        let asker = caller.source.ok_or("nobody to ask")?;
        let name: String = ctx.call_lua(asker, &"name").await?;
        Ok(format!("{name} has counted to {}", self.value.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::Counter;
    use skynet_service::lua;
    use skynet_service::testing::Node;

    #[test]
    fn it_counts() {
        let node = Node::new();
        let counter = node.launch::<Counter>("counter", "100").unwrap();
        assert_eq!(node.call_lua::<i64>(counter, &("add", 5)).unwrap(), 105);
        assert!(node.call_lua::<i64>(counter, &("add", "five")).is_err());
    }

    #[test]
    fn a_start_that_is_no_number_is_refused() {
        assert!(Node::new().launch::<Counter>("counter", "many").is_none());
    }

    #[test]
    fn values_are_those_of_lua() {
        let bytes = lua::pack(&("add", 5)).unwrap();
        assert_eq!(lua::unpack::<(String, i64)>(&bytes).unwrap(), ("add".to_string(), 5));
    }
}
