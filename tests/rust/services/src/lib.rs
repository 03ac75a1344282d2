//! Services of the tests in `tests/rust`.

mod counter;
mod probe;
mod sockets;
mod values;

/// The library runs on every release of the core.
#[global_allocator]
static ALLOCATOR: skynet_service::Malloc = skynet_service::Malloc;
