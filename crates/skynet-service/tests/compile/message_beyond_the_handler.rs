//! The bytes of a message that is not kept are gone when the handler returns.

use std::rc::Rc;

use skynet_service::error::BoxError;
use skynet_service::{Args, Ctx, Message, Service};

fn main() {}

struct Keeper;

impl Service for Keeper {
    async fn init(_: Ctx, _: Args) -> Result<Keeper, BoxError> {
        Ok(Keeper)
    }

    fn message(self: &Rc<Self>, ctx: Ctx, message: Message<'_>) {
        ctx.spawn(async move {
            message.bytes().len();
        });
    }
}
