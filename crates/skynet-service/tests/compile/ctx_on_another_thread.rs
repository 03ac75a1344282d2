//! A `Ctx` stays on the threads of its service.

use skynet_service::Ctx;

fn main() {}

fn offloaded(ctx: Ctx) {
    let _ = ctx.offload(move || ctx.exit());
}

fn spawned(ctx: Ctx) {
    std::thread::spawn(move || ctx.exit());
}
