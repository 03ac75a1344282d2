//! What panics has one owner still, and takes nobody with it.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::panic_any;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{begin, run};
use skynet_service::context::JoinHandle;
use skynet_service::error::{BoxError, CallError, CommandError};
use skynet_service::testing::{Node, Received};
use skynet_service::{Args, Ctx, Handle, Kind, Message, OwnedMessage, Payload, service};

const BYTES: [u8; 4000] = [b'x'; 4000];

/// A value whose destructor panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(thread::panicking(), "the destructor of a bomb");
    }
}

#[test]
fn an_answer_whose_waker_panics_is_there_once() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("not this one");
        }
    }
    let node = Node::new();
    let echo = node.peer(|message: &Received| Some(Ok(Payload::copy_from(&message.payload))));
    let answer = run(&node, move |ctx| async move {
        let mut call = ctx.call(echo, Kind::Text, &BYTES);
        let waker = Waker::from(Arc::new(Panics));
        let first = Pin::new(&mut call).poll(&mut Context::from_waker(&waker));
        assert!(first.is_pending());
        ctx.sleep(Duration::from_millis(10)).await;
        call.await.unwrap().to_vec()
    });
    assert!(answer == BYTES);
    assert!(node.log().iter().any(|line| line.contains("not this one")));
}

thread_local! {
    static KEPT: RefCell<Option<OwnedMessage>> = const { RefCell::new(None) };
}

/// Keeps what it gets, and panics with something that panics.
struct Keeper;

#[service]
impl Keeper {
    async fn init(_: Ctx, _: Args) -> Result<Keeper, BoxError> {
        Ok(Keeper)
    }

    fn message(&self, _: Ctx, message: Message<'_>) {
        struct Twice;
        impl Drop for Twice {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        KEPT.set(Some(message.keep()));
        panic_any(Twice);
    }
}

#[test]
fn a_message_that_was_kept_before_a_panic_is_there_once() {
    let node = Node::new();
    let keeper = node.launch::<Keeper>("keeper", "").unwrap();
    node.send(keeper, Kind::Text, 0, &BYTES).unwrap();
    node.run();
    let kept = KEPT.take().unwrap();
    assert!(kept[..] == BYTES);
}

/// Panics before it has looked for who waits.
struct Hasty;

#[service]
impl Hasty {
    async fn init(_: Ctx, _: Args) -> Result<Hasty, BoxError> {
        Ok(Hasty)
    }

    async fn message(&self, _: Ctx, message: OwnedMessage) {
        assert!(message.is_empty(), "bytes are not expected");
        if let Some(waiting) = message.responder() {
            waiting.respond("fine");
        }
    }
}

#[test]
fn who_asks_a_task_that_panics_gets_an_error() {
    let node = Node::new();
    let hasty: Handle = node.launch::<Hasty>("hasty", "").unwrap();
    assert!(node.call(hasty, Kind::Text, "x").is_err());
    assert_eq!(&*node.call(hasty, Kind::Text, "").unwrap(), b"fine");
}

#[test]
fn a_task_that_has_its_own_handle_is_dropped_once() {
    struct Owns {
        handle: Rc<RefCell<Option<JoinHandle<()>>>>,
        dropped: Rc<Cell<u32>>,
    }
    impl Future for Owns {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    impl Drop for Owns {
        fn drop(&mut self) {
            self.dropped.set(self.dropped.get() + 1);
            self.handle.take();
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let node = Node::new();
    let count = Rc::clone(&dropped);
    let (service, _) = begin(&node, move |ctx| async move {
        let handle = Rc::new(RefCell::new(None));
        let task = ctx.spawn(Owns {
            handle: Rc::clone(&handle),
            dropped: count,
        });
        handle.replace(Some(task));
    });
    node.run();
    node.kill(service);
    assert_eq!(dropped.get(), 1);
}

#[test]
fn the_panic_of_a_result_that_nobody_takes_is_in_the_log() {
    let node = Node::new();
    run(&node, |ctx| async move {
        drop(ctx.spawn_named("before", async move {
            ctx.yield_now().await;
            Bomb
        }));
        let task = ctx.spawn_named("behind", async { Bomb });
        ctx.sleep(Duration::from_millis(10)).await;
        assert!(task.is_finished());
        drop(task);
    });
    let log = node.log();
    let line = |task: &str| {
        let begin = format!("error: service runner: {task} panicked: the destructor of a bomb");
        log.iter().filter(|line| line.starts_with(&begin)).count()
    };
    assert_eq!((line("before"), line("behind")), (1, 1), "{log:?}");
}

#[test]
fn a_job_that_panics_when_nobody_awaits_it_is_in_the_log() {
    let node = Node::new();
    run(&node, |ctx| async move {
        for is_late in [false, true] {
            let (begun, has_begun) = mpsc::channel();
            let (end, ended) = mpsc::channel::<()>();
            let mut job = Box::pin(ctx.offload(move || {
                let _ = (begun.send(()), ended.recv());
                panic!("a job, late: {is_late}");
            }));
            poll_fn(|context| {
                let polled: Poll<Result<(), _>> = job.as_mut().poll(context);
                assert!(polled.is_pending());
                Poll::Ready(())
            })
            .await;
            has_begun.recv().unwrap();
            if is_late {
                // The result is there when its service is woken.
                end.send(()).unwrap();
                pending_once().await;
                drop(job);
            } else {
                drop(job);
                end.send(()).unwrap();
            }
            // What the thread has said is in the log when it has done this.
            ctx.offload(|| ()).await.unwrap();
        }
    });
    for is_late in [false, true] {
        let line = format!(
            "error: service runner: the offloaded job panicked: a job, late: {is_late}; nobody awaits it any more"
        );
        node.run_until(|node| node.log().contains(&line).then_some(()));
    }
}

/// Until the task is woken.
async fn pending_once() {
    let mut is_first = true;
    poll_fn(|_| {
        if std::mem::take(&mut is_first) {
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

#[test]
#[cfg_attr(miri, ignore = "it is long")]
fn jobs_whose_results_panic_take_no_thread_away() {
    let node = Node::new();
    let sum = run(&node, |ctx| async move {
        for _ in 0..2 * thread::available_parallelism().map_or(1, usize::from) {
            let (begun, has_begun) = mpsc::channel();
            let (end, ended) = mpsc::channel::<()>();
            {
                let mut job = pin!(ctx.offload(move || {
                    let _ = (begun.send(()), ended.recv());
                    Bomb
                }));
                poll_fn(|context| {
                    assert!(job.as_mut().poll(context).is_pending());
                    Poll::Ready(())
                })
                .await;
                has_begun.recv().unwrap();
            }
            // Nobody waits any more, so the thread drops the result.
            end.send(()).unwrap();
        }
        // What the threads have said is in the log when they have done this.
        ctx.offload(|| 1 + 1).await.unwrap()
    });
    assert_eq!(sum, 2);
    let log = node.log();
    let line = "error: service runner: an offloaded job panicked behind its result";
    assert!(log.iter().any(|text| text.starts_with(line)), "{log:?}");
}

/// Keeps a request, and does not answer.
struct Forgetful(RefCell<Vec<OwnedMessage>>);

#[service]
impl Forgetful {
    async fn init(_: Ctx, _: Args) -> Result<Forgetful, BoxError> {
        Ok(Forgetful(RefCell::default()))
    }

    fn message(&self, _: Ctx, message: Message<'_>) {
        let kept = message.keep();
        let elsewhere = thread::scope(|scope| {
            let look = move || (kept.responder().is_none(), kept);
            scope.spawn(look).join().unwrap()
        });
        assert!(elsewhere.0, "there is no service to answer in");
        self.0.borrow_mut().push(elsewhere.1);
    }
}

#[test]
fn a_kept_request_is_answered_with_an_error_at_the_end() {
    let node = Node::new();
    let forgetful = node.launch::<Forgetful>("forgetful", "").unwrap();
    let failed = run(&node, move |ctx| async move {
        let call = ctx.spawn(ctx.call(forgetful, Kind::Text, "x"));
        ctx.sleep(Duration::from_millis(10)).await;
        assert!(!call.is_finished());
        ctx.kill(forgetful);
        call.await.unwrap().is_err()
    });
    assert!(failed);
}

#[test]
fn parameters_that_no_stack_holds_are_refused() {
    let node = Node::new();
    run(&node, |ctx| async move {
        let long = "x".repeat((1 << 20) + 1);
        assert_eq!(
            ctx.launch(&long),
            Err(CommandError::TooLong { bytes: long.len() })
        );
        assert!(ctx.set_env(&long, "y").is_err());
    });
}

/// What no log can have.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("not to be said")
    }
}

impl std::error::Error for Unspeakable {}

impl Drop for Unspeakable {
    fn drop(&mut self) {
        assert!(thread::panicking(), "nor to be dropped");
    }
}

struct Fails;

#[service]
impl Fails {
    async fn init(ctx: Ctx, args: Args) -> Result<Fails, BoxError> {
        if args.as_str() == "later" {
            ctx.sleep(Duration::from_secs(1)).await;
        }
        Err(Unspeakable.into())
    }
}

struct FailsAtOnce;

#[service]
impl FailsAtOnce {
    fn init(_: Ctx, _: Args) -> Result<FailsAtOnce, BoxError> {
        Err(Unspeakable.into())
    }
}

#[test]
fn a_service_ends_whose_init_fails_with_an_error_that_panics() {
    let node = Node::new();
    assert_eq!(node.launch::<Fails>("fails", ""), None);
    assert_eq!(node.launch::<FailsAtOnce>("at once", ""), None);
    let late = node.launch::<Fails>("late", "later").unwrap();
    assert!(node.is_alive(late));
    // Who has asked meanwhile gets an answer.
    let asked = node.call(late, Kind::Text, "");
    assert!(matches!(asked, Err(CallError::Failed { .. })), "{asked:?}");
    assert!(!node.is_alive(late));
    for name in ["fails", "at once", "late"] {
        let begin = format!("error: service {name}: init failed: ");
        let line = node.log().into_iter().find(|line| line.starts_with(&begin));
        assert!(line.unwrap().ends_with("not to be said"));
    }
}
