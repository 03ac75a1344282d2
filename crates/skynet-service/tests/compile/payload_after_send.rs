//! A payload that was sent belongs to the core.

use skynet_service::{Ctx, Handle, Kind, Payload};

fn main() {}

fn twice(ctx: Ctx, to: Handle, payload: Payload) {
    let _ = ctx.send(to, Kind::Text, payload);
    let _ = payload.len();
}
