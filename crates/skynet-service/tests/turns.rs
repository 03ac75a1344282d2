//! The turn of a service: what reaches its handler, and where a `Ctx` works.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use skynet_service::error::BoxError;
use skynet_service::testing::Node;
use skynet_service::{Args, Ctx, Handle, Kind, Message, Payload, service};

thread_local! {
    /// The types that the service has got. (A test has one thread, and so have its services.)
    static KINDS: RefCell<Vec<Kind>> = const { RefCell::new(Vec::new()) };
    /// What no service may do, but a test: a `Ctx` out of its turn.
    static LEAKED: Cell<Option<Ctx>> = const { Cell::new(None) };
}

/// Its init waits for nothing, and it has no tasks.
struct Plain;

#[service]
impl Plain {
    fn init(_: Ctx, _: Args) -> Result<Plain, BoxError> {
        Ok(Plain)
    }

    fn message(&self, ctx: Ctx, message: Message<'_>) {
        KINDS.with_borrow_mut(|kinds| kinds.push(message.kind()));
        let before = LEAKED.replace(Some(ctx));
        if let (Some(before), Some(source)) = (before, message.source()) {
            before.send(source, Kind::Text, "from whom?").unwrap();
        }
    }
}

/// The same behind an init that waits, with a task.
struct Waits;

#[service]
impl Waits {
    async fn init(ctx: Ctx, _: Args) -> Result<Waits, BoxError> {
        ctx.sleep(std::time::Duration::from_millis(10)).await;
        Ok(Waits)
    }

    async fn message(&self, _: Ctx, message: skynet_service::OwnedMessage) {
        KINDS.with_borrow_mut(|kinds| kinds.push(message.kind()));
    }
}

fn all_kinds() -> Vec<Kind> {
    let is_for_handlers = |kind: &Kind| !matches!(kind, Kind::Response | Kind::Error);
    (0..=u8::MAX)
        .map(Kind::from_number)
        .filter(is_for_handlers)
        .collect()
}

fn gets_all(node: &Node, service: Handle) {
    for kind in all_kinds() {
        node.send(service, kind, 0, "bytes").unwrap();
    }
    node.run();
    assert_eq!(KINDS.take(), all_kinds());
}

#[test]
fn all_types_but_answers_are_for_the_handler() {
    let node = Node::new();
    let service = node.launch::<Plain>("plain", "").unwrap();
    gets_all(&node, service);
    for kind in [Kind::Response, Kind::Error] {
        node.send(service, kind, 0, "nobody waits for it").unwrap();
        node.send(service, kind, 7, "nor for this").unwrap();
    }
    node.run();
    assert_eq!(KINDS.take(), []);
    // And again: what was passed on did not change what the runtime takes.
    gets_all(&node, service);
}

#[test]
fn what_came_before_the_service_was_there_is_for_the_handler_too() {
    let node = Node::new();
    let service = node.launch::<Waits>("waits", "").unwrap();
    for kind in all_kinds() {
        node.send(service, kind, 0, "early").unwrap();
    }
    node.advance(std::time::Duration::from_millis(20));
    assert_eq!(KINDS.take(), all_kinds());
    gets_all(&node, service);
}

#[test]
fn a_ctx_is_of_no_use_outside_of_a_turn() {
    let node = Node::new();
    let service = node.launch::<Plain>("plain", "").unwrap();
    node.send(service, Kind::Text, 0, "").unwrap();
    node.run();
    let ctx = LEAKED.take().unwrap();
    for address in [":1", ".name"] {
        // The payload is freed all the same, which Miri looks at.
        let send = || ctx.send(address, Kind::Text, Payload::from("bytes"));
        let panic = catch_unwind(AssertUnwindSafe(send)).unwrap_err();
        let text = panic.downcast_ref::<&str>().unwrap();
        assert!(text.starts_with("a Ctx works only while its service runs"));
    }
    assert!(Ctx::current().is_none());
}

#[test]
fn a_ctx_means_the_service_whose_turn_it_is() {
    let node = Node::new();
    let first = node.launch::<Plain>("plain", "").unwrap();
    let second = node.launch::<Plain>("plain", "").unwrap();
    for service in [first, second] {
        node.send(service, Kind::Text, 0, "").unwrap();
        node.run();
    }
    let answer = node.received().unwrap();
    assert_eq!(answer.source, Some(second));
    assert!(node.received().is_none());
}
