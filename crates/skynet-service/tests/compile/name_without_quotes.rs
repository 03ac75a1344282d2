//! The name of a service is a text.

#![allow(unused_imports)]

use skynet_service::error::BoxError;
use skynet_service::{Args, Ctx, service};

fn main() {}

struct Names;

#[service(names)]
impl Names {
    fn init(_: Ctx, _: Args) -> Result<Names, BoxError> {
        Ok(Names)
    }
}
