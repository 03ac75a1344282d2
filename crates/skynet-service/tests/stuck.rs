//! A test that waits for what never comes fails, and says what is open.

mod common;

use std::cell::RefCell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::begin;
use skynet_service::error::BoxError;
use skynet_service::testing::Node;
use skynet_service::{Args, Ctx, Handle, Kind, Message, Responder, service};

/// Asks others, and keeps what it is asked.
struct Chain {
    kept: RefCell<Vec<Responder>>,
}

#[service]
impl Chain {
    fn init(_: Ctx, _: Args) -> Result<Chain, BoxError> {
        let kept = RefCell::default();
        Ok(Chain { kept })
    }

    #[command]
    async fn ask(&self, ctx: Ctx, other: Handle) -> Result<(), BoxError> {
        ctx.call(other, Kind::Text, "x").await?;
        Ok(())
    }

    #[command]
    async fn tick(&self, ctx: Ctx) {
        loop {
            ctx.sleep(Duration::from_secs(1)).await;
        }
    }

    #[command]
    async fn turn(&self, ctx: Ctx) {
        loop {
            ctx.yield_now().await;
        }
    }

    #[command]
    fn begin_turns(&self, ctx: Ctx) -> i64 {
        drop(ctx.spawn(async move {
            loop {
                ctx.yield_now().await;
            }
        }));
        1
    }

    #[command]
    async fn never(&self) {
        pending().await
    }

    fn message(&self, _: Ctx, message: Message<'_>) {
        self.kept.borrow_mut().extend(message.responder());
    }
}

/// What a test says that fails.
fn failure(test: impl FnOnce()) -> String {
    let failed = catch_unwind(AssertUnwindSafe(test)).expect_err("it fails");
    *failed.downcast::<String>().expect("a text")
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_call_that_nobody_answers_fails_with_all_that_is_open() {
    let node = Node::new();
    let first = node.launch::<Chain>("first", "").unwrap();
    let second = node.launch::<Chain>("second", "").unwrap();
    let begun = Instant::now();
    let text = failure(|| drop(node.call_lua::<()>(first, &("ask", second))));
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "it waits for nothing"
    );
    has(
        &text,
        &[
            &format!("no answer of first ({first}): nothing is left to do, and no timer runs"),
            &format!("first ({first}): command ask waits for an answer of second ({second})"),
            &format!("second ({second}): has no task that waits"),
        ],
    );
    let silent = node.peer(|_| None);
    let text = failure(|| drop(node.call_lua::<()>(second, &("ask", silent))));
    has(
        &text,
        &[&format!("of a function of the test ({silent}, Node::peer)")],
    );
}

#[test]
fn a_task_that_ticks_for_ever_is_bound_by_the_nodes_time() {
    let node = Node::new();
    let chain = node.launch::<Chain>("chain", "").unwrap();
    node.set_limit(Duration::from_secs(3600));
    let text = failure(|| drop(node.call_lua::<()>(chain, &("tick",))));
    has(
        &text,
        &[
            "1 hours of the node's time are over",
            &format!("chain ({chain}): command tick waits, for no answer"),
        ],
    );
}

#[test]
fn services_that_never_rest_are_bound_by_patience() {
    let node = Node::new();
    let chain = node.launch::<Chain>("chain", "").unwrap();
    node.set_patience(Duration::from_millis(50));
    let text = failure(|| drop(node.call_lua::<()>(chain, &("turn",))));
    has(&text, &["the services have worked all the time"]);
}

#[test]
fn a_waker_that_somebody_has_is_waited_for() {
    let node = Node::new();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let (_, done) = begin(&node, move |_| async move { receiver.await.unwrap() });
    let thread = std::thread::spawn(move || {
        // Later than a test waits for nobody.
        std::thread::park_timeout(Duration::from_millis(1500));
        sender.send(7).unwrap();
    });
    assert_eq!(node.run_until(|_| done.take()), 7);
    thread.join().unwrap();
}

#[test]
fn what_a_service_waits_for_can_be_asked() {
    let node = Node::new();
    let silent = node.peer(|_| None);
    let (_, done) = begin(&node, move |ctx| async move {
        drop(ctx.spawn_named("the lender", async move {
            ctx.call(silent, Kind::Text, "").await
        }));
        drop(ctx.spawn_named("the sleeper", ctx.sleep(Duration::from_secs(9))));
        let unawaited = ctx.call(".silent", Kind::Text, "");
        ctx.yield_now().await;
        let waiting = ctx.waiting();
        drop(unawaited);
        waiting
    });
    node.name(".silent", silent);
    let waiting = node.run_until(|_| done.take());
    assert_eq!(waiting.requests.len(), 1, "{waiting:?}");
    assert_eq!(waiting.requests[0].to, silent.into());
    assert_eq!(waiting.requests[0].task.as_deref(), Some("the lender"));
    assert!(
        waiting.tasks.contains(&"the sleeper".to_string()),
        "{waiting:?}"
    );
    has(
        &waiting.to_string(),
        &["the lender waits for", "the sleeper waits, for no answer"],
    );
}

#[test]
fn time_that_a_test_lets_pass_waits_for_other_threads() {
    let node = Node::new();
    let second = Duration::from_secs(1);
    let (_, done) = begin(&node, move |ctx| async move {
        let begun = ctx.now();
        ctx.offload(move || thread::sleep(second / 20))
            .await
            .unwrap();
        let (sender, receiver) = futures::channel::oneshot::channel();
        thread::spawn(move || {
            thread::sleep(second / 20);
            sender.send(())
        });
        ctx.elsewhere(receiver).await.unwrap();
        let worked = ctx.now() - begun;
        ctx.sleep(second).await;
        (worked, ctx.now() - begun)
    });
    node.advance(second);
    assert_eq!(done.take(), Some((Duration::ZERO, second)));
}

#[test]
fn the_time_of_a_node_waits_for_no_other_node() {
    let (open, gate) = mpsc::channel::<()>();
    let busy = Node::new();
    let (_, job) = begin(&busy, move |ctx| ctx.offload(move || gate.recv()));
    busy.run();
    let node = Node::new();
    node.set_patience(Duration::from_millis(100));
    node.advance(Duration::from_secs(1));
    drop(open);
    assert!(busy.run_until(|_| job.take()).unwrap().is_err());
}

#[test]
fn a_service_that_always_has_something_to_do_answers_and_ends_no_wait_in_silence() {
    let node = Node::new();
    let service = node.launch::<Chain>("service", "").unwrap();
    node.set_patience(Duration::from_millis(200));
    for _ in 0..2 {
        let answer = node.call_lua::<i64>(service, &("begin_turns",)).unwrap();
        assert_eq!(answer, 1);
    }
    for wait in [Node::run, |node: &Node| {
        node.advance(Duration::from_secs(1))
    }] {
        has(&failure(|| wait(&node)), &["worked all the time"]);
    }
}

/// No later time is left for it: each sleep is over at once.
#[test]
fn sleeps_at_the_end_of_time_end_the_test_and_not_its_process() {
    let node = Node::new();
    let service = node.launch::<Chain>("service", "").unwrap();
    node.set_patience(Duration::from_millis(200));
    node.advance(Duration::MAX);
    let text = failure(|| drop(node.call_lua::<()>(service, &("tick",))));
    has(&text, &["worked all the time"]);
}
