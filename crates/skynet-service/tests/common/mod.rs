//! A service that runs what a test gives to it.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use skynet_service::error::BoxError;
use skynet_service::testing::Node;
use skynet_service::{Args, Ctx, Handle, service};

type Script = Box<dyn FnOnce(Ctx) -> Pin<Box<dyn Future<Output = ()>>>>;

thread_local! {
    static SCRIPT: RefCell<Option<Script>> = const { RefCell::new(None) };
}

struct Runner;

#[service]
impl Runner {
    async fn init(ctx: Ctx, _: Args) -> Result<Runner, BoxError> {
        let script = SCRIPT.take().ok_or("no script")?;
        ctx.spawn(script(ctx));
        Ok(Runner)
    }
}

/// Begins a function as a task of a new service.
pub fn begin<R: 'static, F: Future<Output = R> + 'static>(
    node: &Node,
    script: impl FnOnce(Ctx) -> F + 'static,
) -> (Handle, Rc<RefCell<Option<R>>>) {
    let result = Rc::new(RefCell::new(None));
    let place = Rc::clone(&result);
    SCRIPT.set(Some(Box::new(move |ctx| {
        let future = script(ctx);
        Box::pin(async move {
            let result = future.await;
            *place.borrow_mut() = Some(result);
        })
    })));
    let service = node.launch::<Runner>("runner", "").expect("it starts");
    (service, result)
}

/// Runs a function as a task of a new service, to its end.
pub fn run<R: 'static, F: Future<Output = R> + 'static>(
    node: &Node,
    script: impl FnOnce(Ctx) -> F + 'static,
) -> R {
    let (_, result) = begin(node, script);
    node.run_until(|_| result.borrow_mut().take())
}
