//! The bytes of a message are gone when its handler returns.

#![allow(unused_imports)]

use skynet_service::error::BoxError;
use skynet_service::{Args, Ctx, service};

fn main() {}

struct Names;

#[service("names")]
impl Names {
    fn init(_: Ctx, _: Args) -> Result<Names, BoxError> {
        Ok(Names)
    }

    #[command]
    async fn find(&self, ctx: Ctx, name: &str) -> usize {
        ctx.yield_now().await;
        name.len()
    }
}
