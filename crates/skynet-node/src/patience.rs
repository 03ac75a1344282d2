//! How long a test may take, and what is said of one that takes longer.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use skynet_service::{Ctx, Either, Handle, Kind, OwnedAddress, lua, select};

use crate::main_service::{AWAITS, FUTURE};

/// How long a test may take.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// In real time.
    pub(crate) patience: Duration,
    /// In virtual time.
    pub(crate) limit: Option<Duration>,
}

/// How long others are waited for that say what they do.
const SOON: Duration = Duration::from_secs(2);

impl Bounds {
    /// Waits until one of them is over; what the test waits for then.
    pub(crate) async fn are_over(self, ctx: Ctx) -> String {
        let real = real_time(self.patience);
        let over = match self.limit {
            None => {
                real.await;
                format!("it has taken {:?}", self.patience)
            }
            Some(limit) => match select(ctx.sleep(limit), real).await {
                Either::Left(()) => format!("{limit:?} of virtual time are over"),
                Either::Right(()) => format!("it has taken {:?} of real time", self.patience),
            },
        };
        over + &report(ctx).await
    }
}

/// Waits by the clock of the machine.
async fn real_time(time: Duration) {
    let state = Arc::new(Mutex::new((false, None::<Waker>)));
    let theirs = Arc::clone(&state);
    // It ends with the process.
    let thread = thread::Builder::new().name("skynet-node-test".to_string());
    let spawned = thread.spawn(move || {
        thread::sleep(time);
        let waker = {
            let mut state = theirs.lock().unwrap_or_else(PoisonError::into_inner);
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    });
    if spawned.is_err() {
        // Who has started this process ends it, later.
        return pending().await;
    }
    poll_fn(|context| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(context.waker().clone());
        Poll::Pending
    })
    .await;
}

/// A line for each request of the test that is open, and for what is known of whom it was sent to.
async fn report(ctx: Ctx) -> String {
    let waiting = ctx.waiting();
    let names = names(ctx).await;
    let mut text = String::new();
    for request in &waiting.requests {
        let task = request.task.as_deref().unwrap_or("a task");
        let handle = match &request.to {
            OwnedAddress::Handle(handle) => Some(*handle),
            OwnedAddress::Name(name) => ctx.query(name),
        };
        let name = handle.and_then(|handle| names.get(&handle));
        let name = name.map_or("no service that is there", String::as_str);
        let to = &request.to;
        let _ = write!(text, "\n  {task} waits for an answer of {to} ({name})");
        if let Some(handle) = handle.filter(|_| is_lua(name)) {
            for (_, stack) in tasks_of(ctx, handle).await {
                let _ = write!(
                    text,
                    "\n    a task of it: {}",
                    stack.replace('\n', "\n      ")
                );
            }
        }
    }
    for task in waiting.tasks.iter().filter(|task| *task != AWAITS) {
        let _ = write!(text, "\n  {task} waits, for no answer");
    }
    if waiting.requests.is_empty() && !waiting.tasks.iter().any(|task| task == FUTURE) {
        let _ = write!(text, "\n  {FUTURE} does not wait, but goes on for ever");
    }
    text
}

/// Whether that is how a Lua service was launched: the launcher knows its script, the node the module of one that was launched without it.
fn is_lua(line: &str) -> bool {
    line.split(' ').next() == Some("snlua")
}

/// What each service was launched as.
async fn names(ctx: Ctx) -> BTreeMap<Handle, String> {
    let mut names = BTreeMap::new();
    let list = ctx.command("SERVICES", None).ok().flatten();
    let list = String::from_utf8_lossy(&list.unwrap_or_default()).into_owned();
    for line in list.lines() {
        let mut words = line.split_whitespace();
        let handle = words.next().and_then(handle_of);
        if let (Some(handle), Some(module)) = (handle, words.next()) {
            names.insert(handle, module.to_string());
        }
    }
    // Of Lua services, their scripts.
    let scripts = ctx.call_lua::<BTreeMap<String, String>>(".launcher", &("LIST",));
    if let Ok(Ok(scripts)) = ctx.timeout(SOON, scripts).await {
        for (address, line) in scripts {
            if let Some(handle) = handle_of(&address) {
                names.insert(handle, line);
            }
        }
    }
    names
}

fn handle_of(address: &str) -> Option<Handle> {
    let digits = address.strip_prefix(':')?;
    Handle::new(u32::from_str_radix(digits, 16).ok()?)
}

/// Where the tasks of a Lua service stand, as the debug console asks.
async fn tasks_of(ctx: Ctx, handle: Handle) -> BTreeMap<String, String> {
    let Ok(question) = lua::pack(&("TASK",)) else {
        return BTreeMap::new();
    };
    let answer = ctx
        .timeout(SOON, ctx.call(handle, Kind::Debug, question))
        .await;
    let answer = answer.ok().and_then(Result::ok);
    let tasks = answer.and_then(|payload| lua::unpack(&payload).ok());
    tasks.unwrap_or_default()
}
