//! What services wait for that is done on other threads: the time of a test waits for it, too.
//!
//! A node whose time is virtual lets its clock jump when nothing is left to do. It knows what its services and its sockets do; of what other
//! threads do for a service it is told here, by the command `ELSEWHERE`. A node for unit tests counts it itself.

use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crate::context::Ctx;
use crate::sys;
#[cfg(any(test, feature = "testing"))]
use crate::testing::{NodeOfThread, node_of_thread};

/// The node has no virtual time, and is not told.
static IS_REAL: AtomicBool = AtomicBool::new(false);

/// Something is under way elsewhere, as long as this is there. It may be dropped on any thread.
pub(crate) struct Elsewhere {
    /// The node was told.
    told: bool,
    /// The node for unit tests whose service waits.
    #[cfg(any(test, feature = "testing"))]
    node: NodeOfThread,
}

impl Elsewhere {
    pub(crate) fn begin() -> Elsewhere {
        #[cfg(any(test, feature = "testing"))]
        let node = {
            let node = node_of_thread();
            node.work_begins();
            node
        };
        let told = !IS_REAL.load(Ordering::Relaxed) && tell(c"begin");
        if !told {
            // Time is virtual from the start, or never.
            IS_REAL.store(true, Ordering::Relaxed);
        }
        Elsewhere {
            told,
            #[cfg(any(test, feature = "testing"))]
            node,
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // Behind all that it has done: what it has woken is in a mailbox.
        #[cfg(any(test, feature = "testing"))]
        self.node.work_ends();
        if self.told {
            tell(c"end");
        }
    }
}

/// Whether the node's time is virtual. Cores that do not know the command have no such time.
fn tell(what: &std::ffi::CStr) -> bool {
    let Ok(api) = sys::try_api() else {
        return false;
    };
    // SAFETY: C strings. Without a context, which no core looks at before it knows the name of a command, any thread may ask this.
    let answer = unsafe { (api.command)(ptr::null_mut(), c"ELSEWHERE".as_ptr(), what.as_ptr()) };
    !answer.is_null()
}

/// See [`Ctx::elsewhere`].
#[must_use = "nothing is awaited before it is awaited"]
pub struct AwaitElsewhere<F> {
    future: F,
    under_way: Option<Elsewhere>,
}

impl<F: Future> Future for AwaitElsewhere<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the future is pinned with the whole, and never moved out; the other field is `Unpin`.
        let (future, under_way) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.under_way)
        };
        // Before it may begin anything.
        under_way.get_or_insert_with(Elsewhere::begin);
        let result = future.poll(context);
        if result.is_ready() {
            *under_way = None;
        }
        result
    }
}

impl Ctx {
    /// Awaits a future that other threads, or other runtimes, make ready. Without this it works as well, but the clock of a test does not wait for it.
    ///
    /// ```
    /// # use skynet_service::Ctx;
    /// async fn fetch(ctx: Ctx, runtime: tokio::runtime::Handle) -> String {
    ///     let job = runtime.spawn(async { "what only tokio can get".to_string() });
    ///     ctx.elsewhere(job).await.expect("it does not panic")
    /// }
    /// ```
    ///
    /// # Virtual time
    ///
    /// While one of these futures has been polled and is not ready, virtual time stands still, as it does for work of the services and for
    /// [`Ctx::offload`]: no timer fires before what is awaited. What lasts for longer than a second of real time lets the clock of a node go
    /// on as a real one does. For wakers of which nothing is known, time does not wait.
    pub fn elsewhere<F: Future>(self, future: F) -> AwaitElsewhere<F> {
        AwaitElsewhere {
            future,
            under_way: None,
        }
    }
}
