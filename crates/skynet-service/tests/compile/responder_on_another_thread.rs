//! A duty to answer stays in its service.

use skynet_service::{Ctx, Responder};

fn main() {}

fn offloaded(ctx: Ctx, responder: Responder) {
    let _ = ctx.offload(move || responder.respond("from elsewhere"));
}
