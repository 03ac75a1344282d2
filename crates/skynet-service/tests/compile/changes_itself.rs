//! Tasks share a service, so no command has it alone.

#![allow(unused_imports)]

use skynet_service::error::BoxError;
use skynet_service::{Args, Ctx, service};

fn main() {}

struct Counter {
    value: i64,
}

#[service("counter")]
impl Counter {
    fn init(_: Ctx, _: Args) -> Result<Counter, BoxError> {
        Ok(Counter { value: 0 })
    }

    #[command]
    fn add(&mut self, number: i64) -> i64 {
        self.value += number;
        self.value
    }
}
