//! Only one of them could be called.

use skynet_service::error::BoxError;
use skynet_service::{Args, Ctx, service};

struct Twice;

#[service("twice")]
impl Twice {
    fn init(_: Ctx, _: Args) -> Result<Twice, BoxError> {
        Ok(Twice)
    }

    #[command]
    fn score(&self) -> u32 {
        1
    }

    #[command(name = "score")]
    async fn points(&self) -> u32 {
        2
    }
}

struct Named;

#[service("named")]
impl Named {
    fn init(_: Ctx, _: Args) -> Result<Named, BoxError> {
        Ok(Named)
    }

    #[command(name = "one")]
    #[command(name = "two")]
    fn both(&self) {}
}

/// The conditions leave both.
struct Conditions;

#[service("conditions")]
impl Conditions {
    fn init(_: Ctx, _: Args) -> Result<Conditions, BoxError> {
        Ok(Conditions)
    }

    #[cfg(not(any()))]
    #[command]
    fn score(&self) {}

    #[cfg(all())]
    #[command(name = "score")]
    fn points(&self) {}
}

/// The conditions leave one: this is no error.
struct Either;

#[service("either")]
impl Either {
    fn init(_: Ctx, _: Args) -> Result<Either, BoxError> {
        Ok(Either)
    }

    #[cfg(all())]
    #[command]
    fn score(&self) {}

    #[cfg(any())]
    #[command]
    fn score(&self) {}
}

fn main() {}
