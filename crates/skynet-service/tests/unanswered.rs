//! A request has one answer, also when a service lets go of it.

mod common;

use std::cell::RefCell;
use std::thread;
use std::time::Duration;

use common::run;
use skynet_service::error::BoxError;
use skynet_service::testing::{Node, Received};
use skynet_service::{Args, Ctx, Handle, Kind, Message, OwnedMessage, Payload, service};

/// Does with a message what the message says.
struct Careless {
    kept: RefCell<Vec<OwnedMessage>>,
    store: Option<Handle>,
}

#[service]
impl Careless {
    fn init(ctx: Ctx, _: Args) -> Result<Careless, BoxError> {
        let kept = RefCell::default();
        let store = ctx.query(".store");
        Ok(Careless { kept, store })
    }

    fn message(&self, ctx: Ctx, message: Message<'_>) {
        match message.bytes() {
            b"nothing" => {}
            b"take the bytes" => drop(message.into_payload()),
            b"drop" => drop(message.keep()),
            b"drop elsewhere" => {
                let kept = message.keep();
                thread::spawn(move || drop(kept)).join().unwrap();
            }
            b"drop in a job" => {
                let kept = message.keep();
                drop(ctx.spawn(ctx.offload(move || drop(kept))));
            }
            b"keep" => self.kept.borrow_mut().push(message.keep()),
            b"answer what was kept" => {
                for kept in self.kept.take() {
                    kept.responder().expect("a request").respond("late");
                }
            }
            b"drop what was kept" => self.kept.borrow_mut().clear(),
            b"drop the responder" => drop(message.responder()),
            b"by its numbers" => {
                let caller = message.responder().expect("a request").into_caller();
                let asker = caller.source.expect("somebody");
                ctx.respond(asker, caller.session, "by hand");
            }
            b"pass on" | b"pass on to nobody" => {
                let to_nobody = message.bytes().ends_with(b"nobody");
                let store = self.store.filter(|_| !to_nobody);
                let to = store.or(Handle::new(0xfff_fff)).expect("a handle");
                let responder = message.responder().expect("a request");
                let passed = responder.redirect(to, Kind::Text, message.into_payload());
                assert_eq!(passed.is_err(), to_nobody);
            }
            _ => {
                if let Some(responder) = message.responder() {
                    responder.respond(message.into_payload());
                }
            }
        }
    }
}

fn start() -> (Node, Handle) {
    let node = Node::new();
    let store = node.peer(|message: &Received| Some(Ok(Payload::copy_from(&message.payload))));
    node.name(".store", store);
    let careless = node.launch::<Careless>("careless", "").unwrap();
    (node, careless)
}

/// The lines about requests that were let go of.
fn lines(node: &Node) -> Vec<String> {
    let mut log = node.log();
    log.retain(|line| line.contains("dropped without an answer"));
    log
}

#[test]
fn a_request_that_a_handler_leaves_is_an_error_and_a_line_in_the_log() {
    let (node, careless) = start();
    for (count, what) in ["nothing", "take the bytes", "drop"].iter().enumerate() {
        assert!(node.call(careless, Kind::Text, *what).is_err(), "{what}");
        let lines = lines(&node);
        assert_eq!(lines.len(), count + 1, "{what}: {lines:?}");
        let line = lines.last().unwrap();
        assert!(line.contains("service careless: the request"), "{line}");
        assert!(line.contains("of type Text from"), "{line}");
        assert!(line.contains(&node.handle().to_string()), "{line}");
    }
    assert!(node.received().is_none(), "one answer for each");
}

#[test]
fn a_request_that_is_dropped_on_another_thread_is_an_error() {
    let (node, careless) = start();
    assert!(node.call(careless, Kind::Text, "drop elsewhere").is_err());
    // Of this thread the node for tests knows what it writes.
    assert!(node.call(careless, Kind::Text, "drop in a job").is_err());
    let lines = lines(&node);
    let whose = format!("service {careless}: the request");
    assert!(lines.iter().any(|line| line.contains(&whose)), "{lines:?}");
}

#[test]
fn a_request_that_is_kept_is_answered_once_whenever_that_is() {
    let (node, careless) = start();
    for (what, answer) in [
        ("answer what was kept", Ok(b"late".to_vec())),
        ("drop what was kept", Err(())),
    ] {
        let asked = run(&node, move |ctx| async move {
            let call = ctx.spawn(ctx.call(careless, Kind::Text, "keep"));
            ctx.sleep(Duration::from_secs(1)).await;
            assert!(!call.is_finished());
            ctx.send(careless, Kind::Text, what).unwrap();
            let answer = call.await.unwrap();
            answer.map(|bytes| bytes.to_vec()).map_err(drop)
        });
        assert_eq!(asked, answer, "{what}");
    }
    assert_eq!(lines(&node).len(), 1);
}

#[test]
fn who_takes_the_duty_needs_no_line_in_the_log() {
    let (node, careless) = start();
    assert!(
        node.call(careless, Kind::Text, "drop the responder")
            .is_err()
    );
    let by_hand = node.call(careless, Kind::Text, "by its numbers").unwrap();
    assert_eq!(&*by_hand, b"by hand");
    assert_eq!(&*node.call(careless, Kind::Text, "echo").unwrap(), b"echo");
    assert_eq!(lines(&node), [""; 0]);
    assert!(node.received().is_none(), "one answer for each");
}

#[test]
fn a_request_is_passed_on_with_its_duty() {
    let (node, careless) = start();
    assert_eq!(
        &*node.call(careless, Kind::Text, "pass on").unwrap(),
        b"pass on"
    );
    assert!(
        node.call(careless, Kind::Text, "pass on to nobody")
            .is_err()
    );
    assert_eq!(lines(&node), [""; 0]);
}

#[test]
fn what_has_a_number_and_is_no_request_is_not_answered() {
    let (node, careless) = start();
    // As a gate and a channel send them: the number of a connection, and of the channel.
    for kind in [Kind::Client, Kind::Multicast] {
        node.send(careless, kind, 7, "nothing").unwrap();
        node.send(careless, kind, 7, "drop").unwrap();
    }
    node.send(careless, Kind::Text, 0, "nothing").unwrap();
    node.run();
    assert_eq!(node.log(), [""; 0]);
    assert!(node.answer(7).is_none());
    // But a service may ask by the type of clients, as gates for logins do.
    let answer = node.call(careless, Kind::Client, "a request").unwrap();
    assert_eq!(&*answer, b"a request");
}

/// Handles each message in a task.
struct InTasks;

#[service]
impl InTasks {
    fn init(_: Ctx, _: Args) -> Result<InTasks, BoxError> {
        Ok(InTasks)
    }

    async fn message(&self, ctx: Ctx, message: OwnedMessage) {
        ctx.yield_now().await;
        assert!(&*message != b"panic", "as it was told");
    }
}

#[test]
fn a_task_that_ends_without_an_answer_is_an_error_and_one_line() {
    let node = Node::new();
    let service = node.launch::<InTasks>("in_tasks", "").unwrap();
    assert!(node.call(service, Kind::Text, "x").is_err());
    assert_eq!(lines(&node).len(), 1);
    assert!(node.call(service, Kind::Text, "panic").is_err());
    let log = node.log();
    assert_eq!(log.len(), 2, "a panic says it itself: {log:?}");
}
