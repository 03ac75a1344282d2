//! A message that is kept belongs to who has kept it.

use skynet_service::Message;

fn main() {}

fn bytes(message: Message<'_>) -> usize {
    let bytes = message.bytes();
    let kept = message.keep();
    drop(kept);
    bytes.len()
}
