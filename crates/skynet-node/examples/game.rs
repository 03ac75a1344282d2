//! A program with the command line of the `skynet` executable and a service in Rust inside: `game run main.lua`, `game test`.

use std::cell::Cell;
use std::process::ExitCode;

use skynet_node::Node;
use skynet_service::{Args, Ctx, error::BoxError, service};

struct Counter {
    value: Cell<i64>,
}

#[service]
impl Counter {
    async fn init(_: Ctx, args: Args) -> Result<Counter, BoxError> {
        Ok(Counter {
            value: Cell::new(args.parse()?),
        })
    }

    #[command]
    fn add(&self, number: i64) -> i64 {
        self.value.set(self.value.get() + number);
        self.value.get()
    }
}

fn main() -> ExitCode {
    Node::builder().service::<Counter>("counter").main()
}
