//! A service that does what services do: asks others in C, Lua and Rust, waits, works elsewhere, ends.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use skynet_service::error::BoxError;
use skynet_service::{Args, Ctx, Handle, Kind, Message, Responder, select, service};

/// Services that were dropped.
static DROPPED: AtomicUsize = AtomicUsize::new(0);
/// Jobs that run, each with the sender that lets it end.
static JOBS: Mutex<Vec<Sender<()>>> = Mutex::new(Vec::new());

struct Probe {
    unanswered: RefCell<Vec<Responder>>,
    panics_at_the_end: bool,
}

impl Drop for Probe {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics_at_the_end, "as asked");
    }
}

fn handle(number: u32) -> Result<Handle, BoxError> {
    Handle::new(number).ok_or_else(|| "no handle".into())
}

#[service("rs_probe")]
impl Probe {
    async fn init(ctx: Ctx, args: Args) -> Result<Probe, BoxError> {
        if &*args == "late" {
            ctx.sleep(Duration::from_millis(10)).await;
        }
        Ok(Probe {
            unanswered: RefCell::default(),
            panics_at_the_end: &*args == "panics at the end",
        })
    }

    /// Asks any service with text.
    #[command]
    async fn text(&self, ctx: Ctx, peer: u32, text: String) -> Result<String, BoxError> {
        let answer = ctx.call(handle(peer)?, Kind::Text, text).await?;
        Ok(String::from_utf8(answer.to_vec())?)
    }

    /// Asks any service with values; whether there was an answer, and which.
    #[command]
    async fn ask(
        &self,
        ctx: Ctx,
        peer: u32,
        question: String,
    ) -> Result<(bool, Option<String>), BoxError> {
        let answer = ctx.call_lua(handle(peer)?, &question).await;
        Ok((answer.is_ok(), answer.ok()))
    }

    /// Asks, but not for long.
    #[command]
    async fn ask_briefly(&self, ctx: Ctx, peer: u32) -> Result<bool, BoxError> {
        let call = ctx.call_lua::<()>(handle(peer)?, &"slowly");
        Ok(ctx.timeout(Duration::from_millis(20), call).await.is_ok())
    }

    /// As often as that: a request, and a timer beside it which is dropped.
    #[command]
    async fn race(&self, ctx: Ctx, peer: u32, rounds: u32) -> Result<usize, BoxError> {
        let peer = handle(peer)?;
        for round in 0..rounds {
            let call = ctx.call_lua::<u32>(peer, &("echo", round));
            let sleep = ctx.sleep(Duration::from_secs(100));
            match select(call, sleep).await {
                skynet_service::Either::Left(answer) => assert_eq!(answer?, round),
                skynet_service::Either::Right(()) => return Err("no answer".into()),
            }
        }
        Ok(ctx.stat().requests)
    }

    #[command]
    async fn echo(&self, number: u32) -> u32 {
        number
    }

    /// Work on another thread.
    #[command]
    async fn sum(&self, ctx: Ctx, to: u64) -> Result<u64, BoxError> {
        Ok(ctx.offload(move || (1..=to).sum()).await?)
    }

    /// Work that ends when `release_jobs` says so.
    #[command]
    async fn work(&self, ctx: Ctx) -> Result<&'static str, BoxError> {
        let (send, receive) = channel::<()>();
        let begun = ctx.offload(move || {
            JOBS.lock().unwrap().push(send);
            let _ = receive.recv();
            "done"
        });
        Ok(begun.await?)
    }

    #[command]
    fn jobs(&self) -> usize {
        JOBS.lock().unwrap().len()
    }

    #[command]
    fn release_jobs(&self) -> usize {
        std::mem::take(&mut *JOBS.lock().unwrap()).len()
    }

    /// So many tasks, each woken by a thread of its own, as often.
    #[command]
    async fn woken(&self, ctx: Ctx, tasks: usize, wakes: usize) -> Result<usize, BoxError> {
        let tasks: Vec<_> = (0..tasks)
            .map(|_| ctx.spawn(woken_by_a_thread(wakes)))
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await?;
        }
        Ok(sum)
    }

    #[command]
    fn dropped(&self) -> usize {
        DROPPED.load(Ordering::SeqCst)
    }

    #[command]
    fn exit(&self, ctx: Ctx) -> &'static str {
        ctx.exit();
        "bye"
    }

    #[command]
    fn environment(
        &self,
        ctx: Ctx,
        key: &str,
        value: &str,
    ) -> Result<(Option<String>, bool), BoxError> {
        ctx.set_env(key, value)?;
        Ok((ctx.env(key), ctx.set_env(key, "again").is_err()))
    }

    /// Starts another one, and ends it.
    #[command]
    async fn child(&self, ctx: Ctx) -> Result<(u32, bool), BoxError> {
        let child = ctx.launch("rs_probe late")?;
        ctx.name(".rs_child", child)?;
        let echo = ctx.call_lua(".rs_child", &("echo", 5)).await?;
        ctx.kill(child);
        let gone = ctx.call_lua::<()>(child, &("echo", 5)).await.is_err();
        Ok((echo, gone))
    }

    /// Keeps the duty to answer.
    fn message(&self, _: Ctx, message: Message<'_>) {
        self.unanswered.borrow_mut().extend(message.responder());
    }
}

/// Ready after so many wakes by another thread; the number of polls that were not for nothing.
async fn woken_by_a_thread(wakes: usize) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    let (theirs, place) = (Arc::clone(&count), Arc::clone(&waker));
    let mut thread = Some(move || {
        while theirs.load(Ordering::SeqCst) < wakes {
            // One after another: the next when the task has been polled.
            let waker = place.lock().unwrap().take();
            match waker {
                Some(waker) => {
                    theirs.fetch_add(1, Ordering::SeqCst);
                    waker.wake();
                }
                None => std::thread::yield_now(),
            }
        }
    });
    std::future::poll_fn(move |context| {
        if count.load(Ordering::SeqCst) >= wakes {
            return Poll::Ready(wakes);
        }
        *waker.lock().unwrap() = Some(context.waker().clone());
        if let Some(thread) = thread.take() {
            std::thread::spawn(thread);
        }
        Poll::Pending
    })
    .await
}
