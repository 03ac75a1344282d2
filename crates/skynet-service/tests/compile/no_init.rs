//! A service begins with `init`.

use skynet_service::service;

fn main() {}

struct Nothing;

#[service("nothing")]
impl Nothing {
    #[command]
    fn add(&self) {}
}
