//! The service whose task is the program's own future. It is the node's first one: starts those that every node has, and is told by a script
//! that takes the place of the application's when they run.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use skynet_service::error::{BoxError, JoinError};
use skynet_service::{Args, Ctx, Either, select, service};

use crate::error::Error;
use crate::patience::Bounds;

/// Name of the service.
pub(crate) const NAME: &str = "skynet_node_main";
/// What starts when the node is ready, in the place of the application's first service.
pub(crate) const READY: &str = "skynet_node_ready";
pub(crate) const READY_FILE: &str = "service/skynet_node_ready.lua";
pub(crate) const READY_SOURCE: &[u8] = br#"local skynet = require "skynet"
skynet.start(function()
	skynet.send(".skynet_node_main", "lua", "ready")
	skynet.exit()
end)
"#;

type Task = Pin<Box<dyn Future<Output = ()>>>;
type Job = Box<dyn FnOnce(Ctx) -> Task + Send>;

/// What the service is to do; there is one node in a process.
static JOB: Mutex<Option<Job>> = Mutex::new(None);

/// The task of the program's future, in the log.
pub(crate) const FUTURE: &str = "the main future";
/// The task that awaits that.
pub(crate) const AWAITS: &str = "the main service";

/// What has come of it.
pub(crate) struct Outcome<T>(Arc<Mutex<Option<Result<T, Error>>>>);

impl<T: Send + 'static> Outcome<T> {
    /// Makes this what the main service will do, and how long that may take.
    pub(crate) fn of<F, Fut>(main: F, bounds: Option<Bounds>) -> Outcome<T>
    where
        F: FnOnce(Ctx) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        let slot = Arc::new(Mutex::new(None));
        let outcome = Outcome(Arc::clone(&slot));
        let job: Job = Box::new(move |ctx| {
            Box::pin(async move {
                // A task of its own: a panic of it is a result.
                let task = ctx.spawn_named(FUTURE, async move { main(ctx).await });
                let result = match bounds {
                    None => task.await.map_err(failed),
                    Some(bounds) => match select(task, bounds.are_over(ctx)).await {
                        Either::Left(result) => result.map_err(failed),
                        Either::Right(report) => Err(Error::Late { report }),
                    },
                };
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                ctx.abort();
            })
        });
        *JOB.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
        outcome
    }

    /// The node has ended.
    pub(crate) fn take(self) -> Result<T, Error> {
        let result = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.unwrap_or(Err(Error::Ended))
    }
}

/// What a task without a result is to the program.
fn failed(error: JoinError) -> Error {
    match error {
        JoinError::Panicked { message } => Error::Panicked { message },
        _ => Error::Ended,
    }
}

pub(crate) struct Main {
    job: Cell<Option<Job>>,
}

#[service]
impl Main {
    async fn init(ctx: Ctx, _: Args) -> Result<Main, BoxError> {
        let job = JOB.lock().unwrap_or_else(PoisonError::into_inner).take();
        ctx.register(".skynet_node_main")?;
        ctx.launch("snlua bootstrap")?;
        Ok(Main {
            job: Cell::new(job),
        })
    }

    /// The services that every node has are there.
    #[command]
    fn ready(&self, ctx: Ctx) {
        if let Some(job) = self.job.take() {
            drop(ctx.spawn_named(AWAITS, job(ctx)));
        }
    }
}
