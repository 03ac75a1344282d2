//! Tasks, requests and time of a service.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{begin, run};
use skynet_service::error::{CallError, Elapsed, JoinError, SendError};
use skynet_service::testing::{Node, Received};
use skynet_service::{Ctx, Either, Handle, Kind, Payload, select};

/// A peer that answers with what it gets.
fn echo(node: &Node) -> Handle {
    node.peer(|message: &Received| Some(Ok(Payload::copy_from(&message.payload))))
}

/// A peer that never answers.
fn silent(node: &Node) -> Handle {
    node.peer(|_| None)
}

#[test]
fn tasks_of_a_service_share_cells() {
    let node = Node::new();
    let sum = run(&node, |ctx| async move {
        let sum = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (1..=10)
            .map(|number| {
                let sum = Rc::clone(&sum);
                ctx.spawn(async move {
                    ctx.sleep(Duration::from_millis(10 * (11 - number))).await;
                    sum.set(sum.get() + number);
                    number
                })
            })
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        assert_eq!(results, (1..=10).collect::<Vec<_>>());
        sum.get()
    });
    assert_eq!(sum, 55);
}

#[test]
fn an_answer_wakes_the_task_that_asked() {
    let node = Node::new();
    let peer = echo(&node);
    let answers = run(&node, move |ctx| async move {
        let first = ctx.call(peer, Kind::Text, "first");
        let second = ctx.call(peer, Kind::Text, "second");
        let second = second.await.unwrap();
        (first.await.unwrap().to_vec(), second.to_vec())
    });
    assert_eq!(answers, (b"first".to_vec(), b"second".to_vec()));
}

#[test]
fn a_peer_that_fails_or_is_gone_is_an_error() {
    let node = Node::new();
    let failing = node.peer(|_| Some(Err(())));
    let dead = echo(&node);
    node.kill(dead);
    run(&node, move |ctx| async move {
        let failed = ctx.call(failing, Kind::Text, "").await;
        assert_eq!(
            failed.unwrap_err(),
            CallError::Failed {
                address: failing.into()
            }
        );
        let gone = ctx.call(dead, Kind::Text, "").await.unwrap_err();
        let unreachable = SendError::Unreachable {
            address: dead.into(),
        };
        assert_eq!(gone, CallError::Send(unreachable.clone()));
        assert_eq!(ctx.send(dead, Kind::Text, ""), Err(unreachable));
        assert!(ctx.call(".nobody", Kind::Text, "").await.is_err());
        assert!(ctx.send("a\0b", Kind::Text, "x").is_err());
    });
}

#[test]
fn the_end_of_a_peer_fails_what_it_was_asked() {
    let node = Node::new();
    let peer = silent(&node);
    let other = silent(&node);
    let (asker, failed) = begin(&node, move |ctx| async move {
        let waiting = ctx.spawn(async move { ctx.call(other, Kind::Text, "").await });
        let failed = ctx.call(peer, Kind::Text, "").await.is_err();
        (failed, waiting.is_finished())
    });
    node.run();
    // As releases before v1.8.0 say it: an error without a session.
    node.peer_ends(peer, asker);
    node.run();
    assert_eq!(failed.take(), Some((true, false)));
}

#[test]
fn a_dropped_request_is_withdrawn_and_its_late_answer_freed() {
    let node = Node::new();
    let peer = echo(&node);
    run(&node, move |ctx| async move {
        let before = ctx.stat().requests;
        let mut call = ctx.call(peer, Kind::Text, vec![7; 100_000]);
        poll_fn(|context| {
            assert!(std::pin::pin!(&mut call).poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(ctx.stat().requests, before + 1);
        drop(call);
        assert_eq!(ctx.stat().requests, before);
        // The answer comes before this one.
        assert_eq!(&*ctx.call(peer, Kind::Text, "next").await.unwrap(), b"next");
        assert_eq!(ctx.stat().requests, before);
    });
}

#[test]
fn a_timeout_withdraws_what_it_waited_for() {
    let node = Node::new();
    let peer = silent(&node);
    let fast = echo(&node);
    run(&node, move |ctx| async move {
        let begun = ctx.now();
        let call = ctx.call(peer, Kind::Text, "");
        let late = ctx.timeout(Duration::from_millis(495), call).await;
        assert_eq!(late.unwrap_err(), Elapsed);
        assert_eq!(ctx.now() - begun, Duration::from_millis(500), "rounded up");
        assert_eq!(ctx.stat().requests, 0);
        let call = ctx.call(fast, Kind::Text, "soon");
        let soon = ctx.timeout(Duration::from_secs(1), call).await;
        assert_eq!(&*soon.unwrap().unwrap(), b"soon");
        assert_eq!(ctx.stat().requests, 0);
    });
}

#[test]
fn numbers_that_begin_again_spare_requests_that_wait() {
    let node = Node::new();
    let peer = silent(&node);
    let fast = echo(&node);
    let (service, done) = begin(&node, move |ctx| async move {
        // Sessions 1 and 3; the task itself has slept with 2.
        let first = ctx.call(peer, Kind::Text, "");
        ctx.sleep(Duration::from_secs(10)).await;
        let third = ctx.call(peer, Kind::Text, "");
        ctx.sleep(Duration::from_secs(10)).await;
        for round in 0..6 {
            let text = format!("round {round}");
            let answer = ctx.call(fast, Kind::Text, text.clone()).await.unwrap();
            assert_eq!(&*answer, text.as_bytes());
            ctx.sleep(Duration::from_millis(10)).await;
        }
        drop((first, third));
    });
    node.run();
    node.advance(Duration::from_secs(10));
    node.set_session(service, i32::MAX - 3);
    node.run_until(|_| done.take());
}

#[test]
fn select_drops_the_slower_one() {
    let node = Node::new();
    let peer = silent(&node);
    run(&node, move |ctx| async move {
        let call = ctx.call(peer, Kind::Text, "");
        let sleep = ctx.sleep(Duration::from_millis(10));
        assert!(matches!(select(call, sleep).await, Either::Right(())));
        let mut call = futures::FutureExt::fuse(ctx.call(peer, Kind::Text, ""));
        let mut sleep = futures::FutureExt::fuse(ctx.sleep(Duration::from_millis(10)));
        futures::select! {
            _ = call => panic!("nobody answers"),
            () = sleep => {}
        }
    });
}

#[test]
fn aborting_drops_the_future_and_says_so() {
    struct Flag(Rc<Cell<bool>>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let node = Node::new();
    run(&node, |ctx| async move {
        let dropped = Rc::new(Cell::new(false));
        let flag = Flag(Rc::clone(&dropped));
        let task = ctx.spawn(async move {
            let _flag = flag;
            pending::<()>().await;
        });
        ctx.yield_now().await;
        assert!(!dropped.get());
        task.abort();
        assert_eq!(task.await, Err(JoinError::Aborted));
        assert!(dropped.get());
        let done = ctx.spawn(async { 5 });
        ctx.yield_now().await;
        done.abort();
        assert_eq!(done.await, Ok(5), "too late");
        // A task that aborts itself ends when it waits next.
        let own = Rc::new(RefCell::new(
            None::<skynet_service::context::JoinHandle<()>>,
        ));
        let handle = Rc::clone(&own);
        let task = ctx.spawn(async move {
            handle.borrow().as_ref().unwrap().abort();
            pending::<()>().await;
        });
        *own.borrow_mut() = Some(task);
        ctx.yield_now().await;
        assert!(own.borrow().as_ref().unwrap().is_finished());
    });
}

#[test]
fn a_panic_ends_one_task() {
    let node = Node::new();
    run(&node, |ctx| async move {
        let bad = ctx.spawn_named("divide", async { panic!("by zero") });
        let message = "by zero".to_string();
        assert_eq!(bad.await, Err::<(), _>(JoinError::Panicked { message }));
        assert_eq!(ctx.spawn(async { 1 }).await, Ok(1));
    });
    let log = node.log();
    assert!(
        log.contains(&"error: service runner: divide panicked: by zero".to_string()),
        "{log:?}"
    );
}

#[test]
fn a_result_nobody_takes_is_dropped_in_the_service() {
    let node = Node::new();
    let count = run(&node, |ctx| async move {
        let kept = Rc::new(());
        for _ in 0..3 {
            let kept = Rc::clone(&kept);
            // Dropped before and after its result is there.
            drop(ctx.spawn(async move { kept }));
        }
        let after = Rc::clone(&kept);
        let task = ctx.spawn(async move { after });
        ctx.yield_now().await;
        drop(task);
        Rc::strong_count(&kept)
    });
    assert_eq!(count, 1);
}

#[test]
fn many_tasks_wait_for_each_other() {
    let node = Node::new();
    let depth = run(&node, |ctx| async move {
        fn chain(ctx: Ctx, depth: u32) -> std::pin::Pin<Box<dyn Future<Output = u32>>> {
            Box::pin(async move {
                if depth == 0 {
                    ctx.yield_now().await;
                    return 0;
                }
                ctx.spawn(chain(ctx, depth - 1)).await.unwrap() + 1
            })
        }
        chain(ctx, 600).await
    });
    assert_eq!(depth, 600);
}

/// A future that is ready when its flag is set, and shows its waker.
fn flagged(flag: &Arc<AtomicBool>, send: mpsc::Sender<Waker>) -> impl Future<Output = ()> + use<> {
    let flag = Arc::clone(flag);
    poll_fn(move |context| {
        if flag.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let _ = send.send(context.waker().clone());
        Poll::Pending
    })
}

#[test]
fn other_threads_wake_a_service_with_one_message() {
    let node = Node::new();
    let flag = Arc::new(AtomicBool::new(false));
    let (send, wakers) = mpsc::channel();
    let theirs = Arc::clone(&flag);
    let (service, done) = begin(&node, move |ctx| async move {
        let tasks: Vec<_> = (0..8)
            .map(|_| ctx.spawn(flagged(&theirs, send.clone())))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    node.run();
    flag.store(true, Ordering::Release);
    let threads: Vec<_> = wakers
        .try_iter()
        .map(|waker| {
            thread::spawn(move || {
                for _ in 0..10 {
                    waker.wake_by_ref();
                }
            })
        })
        .collect();
    assert_eq!(threads.len(), 8);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(node.waiting(service), 1);
    node.run();
    assert_eq!(done.take(), Some(()));
    assert_eq!(node.waiting(service), 0);
}

#[test]
fn a_waker_outlives_its_service() {
    let node = Node::new();
    let flag = Arc::new(AtomicBool::new(false));
    let (send, wakers) = mpsc::channel();
    let (service, _) = begin(&node, {
        let flag = Arc::clone(&flag);
        move |_| flagged(&flag, send)
    });
    node.run();
    let waker = wakers.recv().unwrap();
    node.kill(service);
    thread::spawn(move || {
        waker.wake_by_ref();
        let another = waker.clone();
        drop(waker);
        another.wake();
    })
    .join()
    .unwrap();
    drop(node);
}

#[test]
fn offloaded_work_comes_back() {
    let node = Node::new();
    run(&node, |ctx| async move {
        let service = thread::current().id();
        let (elsewhere, sum) = ctx
            .offload(move || (thread::current().id() != service, (1..=100).sum::<u32>()))
            .await
            .unwrap();
        assert!(elsewhere);
        assert_eq!(sum, 5050);
        let failed = ctx.offload(|| -> u32 { panic!("too hard") }).await;
        assert_eq!(failed.unwrap_err().message, "too hard");
        assert!(ctx.offload(|| Ctx::current().is_none()).await.unwrap());
    });
}

#[test]
#[cfg_attr(miri, ignore = "epoll")]
fn time_waits_for_what_is_under_way_elsewhere() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let handle = runtime.handle().clone();
    let node = Node::new();
    run(&node, move |ctx| async move {
        let begun = ctx.now();
        let hour = Duration::from_secs(3600);
        let job = ctx.offload(|| thread::sleep(Duration::from_millis(30)));
        assert!(ctx.timeout(hour, job).await.is_ok());
        let job = handle.spawn(async { tokio::time::sleep(Duration::from_millis(30)).await });
        let job = ctx.timeout(hour, ctx.elsewhere(job)).await;
        assert!(job.is_ok_and(|job| job.is_ok()));
        assert_eq!(ctx.now(), begun);
        // One that nobody awaits yet is not under way.
        let later = ctx.offload(|| ());
        ctx.sleep(hour).await;
        assert_eq!(ctx.now(), begun + hour);
        later.await.unwrap();
    });
}

#[test]
fn more_jobs_than_the_queue_takes_wait_their_turn() {
    let node = Node::new();
    let jobs: u32 = if cfg!(miri) { 40 } else { 3000 };
    let sum = run(&node, move |ctx| async move {
        let jobs: Vec<_> = (0..jobs)
            .map(|number| ctx.spawn(ctx.offload(move || number)))
            .collect();
        let mut sum = 0;
        for job in jobs {
            sum += job.await.unwrap().unwrap();
        }
        sum
    });
    assert_eq!(sum, jobs * (jobs - 1) / 2);
}

#[test]
fn a_service_ends_while_its_jobs_run() {
    let node = Node::new();
    let (release, wait) = mpsc::channel::<()>();
    let (begun, started) = mpsc::channel();
    let (service, _) = begin(&node, move |ctx| async move {
        ctx.offload(move || {
            begun.send(()).unwrap();
            let _ = wait.recv();
            vec![1u8; 1000]
        })
        .await
        .unwrap()
    });
    node.run();
    started.recv().unwrap();
    node.kill(service);
    assert!(!node.is_alive(service));
    drop(release);
}

#[test]
#[cfg_attr(miri, ignore = "epoll")]
fn futures_of_tokio_wake_a_service() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let handle = runtime.handle().clone();
    let node = Node::new();
    let answers = run(&node, move |ctx| async move {
        // Work of the runtime, a channel of it, and its clock.
        let job = handle.spawn(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            7
        });
        let (send, receive) = tokio::sync::oneshot::channel();
        handle.spawn(async move { send.send("sent").unwrap() });
        let own = ctx.spawn(async move { receive.await.unwrap() });
        (job.await.unwrap(), own.await.unwrap())
    });
    assert_eq!(answers, (7, "sent"));
}

#[test]
fn a_task_that_wakes_itself_lets_those_in_that_others_wake() {
    let node = Node::new();
    run(&node, |ctx| async move {
        let job = ctx.spawn(ctx.offload(|| ()));
        poll_fn(|context| {
            if job.is_finished() {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    });
}
