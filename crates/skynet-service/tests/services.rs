//! The life of a service: init, messages, what goes wrong, release.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use skynet_service::error::{BoxError, CallError, SendError};
use skynet_service::testing::{Node, Received};
use skynet_service::{
    Args, Caller, Ctx, Handle, Kind, Message, OwnedMessage, Payload, Responder, service,
};

thread_local! {
    /// What the services of this thread's test did. (A test has one thread, and so have its services.)
    static EVENTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn note(event: impl Into<String>) {
    EVENTS.with_borrow_mut(|events| events.push(event.into()));
}

fn events() -> Vec<String> {
    EVENTS.take()
}

/// Its arguments say what it does.
struct Actor {
    text: String,
    waiting: RefCell<Vec<Responder>>,
    cell: Cell<u32>,
}

impl Drop for Actor {
    fn drop(&mut self) {
        note("drop");
        if self.text == "panics at the end" {
            panic!("at the end");
        }
    }
}

#[service]
impl Actor {
    async fn init(ctx: Ctx, args: Args) -> Result<Actor, BoxError> {
        note("init");
        match &*args {
            "fails" => return Err("no way".into()),
            "panics" => panic!("in init"),
            "waits" => ctx.sleep(Duration::from_secs(1)).await,
            "waits and fails" => {
                ctx.sleep(Duration::from_secs(1)).await;
                return Err("after a while".into());
            }
            _ => {}
        }
        note("ready");
        Ok(Actor {
            text: args.to_string(),
            waiting: RefCell::default(),
            cell: Cell::new(0),
        })
    }

    #[command]
    fn count(&self) -> u32 {
        self.cell.set(self.cell.get() + 1);
        self.cell.get()
    }

    #[command(name = "both")]
    async fn two_values(self: &Rc<Self>, caller: Caller, text: String) -> (String, bool) {
        (text, caller.source.is_some())
    }

    #[command]
    fn length(&self, text: &str) -> usize {
        text.len()
    }

    #[command]
    async fn never(&self) -> u32 {
        std::future::pending().await
    }

    #[command]
    async fn explode(&self, ctx: Ctx) {
        ctx.yield_now().await;
        panic!("boom");
    }

    #[command]
    fn end(&self, ctx: Ctx) -> &'static str {
        ctx.exit();
        "last words"
    }

    fn message(&self, _: Ctx, message: Message<'_>) {
        match (message.kind(), message.bytes()) {
            (Kind::Text, b"panic") => panic!("in the handler"),
            (Kind::Text, b"keep the duty") => self.waiting.borrow_mut().extend(message.responder()),
            (Kind::Text, bytes) => {
                note(String::from_utf8_lossy(bytes));
                if let Some(responder) = message.responder() {
                    responder.respond(message.into_payload());
                }
            }
            (kind, _) => note(format!("{kind:?}")),
        }
    }

    fn signal(&self, _: Ctx, signal: i32) {
        note(format!("signal {signal}"));
    }
}

/// Handles each message in a task, and begins without one.
struct Slow;

#[service]
impl Slow {
    fn init(_: Ctx, args: Args) -> Result<Slow, &'static str> {
        match args.as_str() {
            "fails" => Err("no way"),
            "panics" => panic!("in init"),
            _ => Ok(Slow),
        }
    }

    async fn message(&self, ctx: Ctx, message: OwnedMessage) {
        ctx.yield_now().await;
        if let Some(responder) = message.responder() {
            responder.respond(message.into_payload());
        }
    }
}

#[test]
fn commands_take_values_and_give_values() {
    let node = Node::new();
    let actor = node.launch::<Actor>("actor", "").unwrap();
    assert_eq!(node.call_lua(actor, &("count",)), Ok(1));
    assert_eq!(node.call_lua(actor, "count"), Ok(2));
    assert_eq!(node.call_lua(actor, &("length", "text")), Ok(4));
    let both: (String, bool) = node.call_lua(actor, &("both", "text")).unwrap();
    assert_eq!(both, ("text".to_string(), true));
    assert!(node.call_lua::<()>(actor, &("nothing",)).is_err());
    assert!(node.call_lua::<()>(actor, &("both", 5)).is_err());
    assert!(node.call_lua::<()>(actor, &(7, "both")).is_err());
    let begin = "error: service actor: ";
    assert_eq!(
        node.log(),
        [
            format!(
                "{begin}command \"nothing\": there is no such command; there are count, both, length, never, explode, end"
            ),
            format!(
                "{begin}command \"both\": value 1: invalid type: integer `5`, expected a string"
            ),
            format!(
                "{begin}a message of type Lua from {} does not begin with the name of a command: invalid type: integer `7`, expected a string",
                node.handle()
            ),
        ]
    );
}

#[test]
fn messages_wait_for_an_init_that_waits() {
    let node = Node::new();
    let actor = node.launch::<Actor>("actor", "waits").unwrap();
    for text in ["one", "two"] {
        node.send(actor, Kind::Text, 0, text).unwrap();
    }
    node.run();
    assert_eq!(events(), ["init"]);
    assert_eq!(&*node.call(actor, Kind::Text, "three").unwrap(), b"three");
    assert_eq!(events(), ["ready", "one", "two", "three"]);
}

#[test]
fn an_init_that_fails_is_a_service_that_is_not_there() {
    let node = Node::new();
    assert_eq!(node.launch::<Actor>("actor", "fails"), None);
    assert_eq!(node.launch::<Actor>("actor", "panics"), None);
    let log = node.log();
    assert_eq!(
        log,
        [
            "error: service actor: init failed: no way",
            "error: service actor: init panicked: in init"
        ]
    );
    let late = node.launch::<Actor>("actor", "waits and fails").unwrap();
    assert!(node.call(late, Kind::Text, "hello").is_err());
    assert!(!node.is_alive(late));
    assert_eq!(
        node.log()[2],
        "error: service actor: init failed: after a while"
    );
}

#[test]
fn an_init_without_a_task_ends_like_one_with() {
    let node = Node::new();
    assert_eq!(node.launch::<Slow>("slow", "fails"), None);
    assert_eq!(node.launch::<Slow>("slow", "panics"), None);
    assert_eq!(
        node.log(),
        [
            "error: service slow: init failed: no way",
            "error: service slow: init panicked: in init"
        ]
    );
    assert!(node.launch::<Slow>("slow", "").is_some());
}

#[test]
fn a_panic_of_a_handler_is_an_error_for_who_waits() {
    let node = Node::new();
    let actor = node.launch::<Actor>("actor", "").unwrap();
    assert!(node.call(actor, Kind::Text, "panic").is_err());
    assert!(node.call_lua::<()>(actor, &("explode",)).is_err());
    assert_eq!(&*node.call(actor, Kind::Text, "alive").unwrap(), b"alive");
    assert_eq!(
        node.log(),
        [
            "error: service actor: the handler of messages panicked: in the handler",
            "error: service actor: command explode panicked: boom"
        ]
    );
}

#[test]
fn the_end_of_a_service_answers_who_waits() {
    let node = Node::new();
    let actor = node.launch::<Actor>("actor", "panics at the end").unwrap();
    for (session, kind, payload) in [
        (101, Kind::Text, Payload::from("keep the duty")),
        (102, Kind::Lua, skynet_service::lua::pack("never").unwrap()),
    ] {
        node.send(actor, kind, session, payload).unwrap();
    }
    node.run();
    events();
    node.kill(actor);
    assert_eq!(events(), ["drop"]);
    node.run();
    let failed = |session| node.run_until(|node| node.answer(session)).kind == Kind::Error;
    assert!(failed(101) && failed(102));
    assert_eq!(
        node.log(),
        ["error: service actor: the destructor panicked: at the end"]
    );
}

#[test]
fn a_service_that_exits_answers_first() {
    let node = Node::new();
    let actor = node.launch::<Actor>("actor", "").unwrap();
    assert_eq!(node.call_lua(actor, "end"), Ok("last words".to_string()));
    assert!(!node.is_alive(actor));
    assert_eq!(events(), ["init", "ready", "drop"]);
}

#[test]
fn a_service_sends_at_its_release_but_asks_nobody() {
    struct Last {
        peer: Handle,
    }

    impl Drop for Last {
        fn drop(&mut self) {
            let ctx = Ctx::current().unwrap();
            ctx.send(self.peer, Kind::Text, Payload::from("last words"))
                .unwrap();
            for call in [
                ctx.call(self.peer, Kind::Text, Payload::from("a request")),
                ctx.call(".peer", Kind::Text, Payload::from("a request")),
            ] {
                let mut context = Context::from_waker(Waker::noop());
                match pin!(call).poll(&mut context) {
                    Poll::Ready(Err(CallError::Send(SendError::Ending))) => note("ending"),
                    other => note(format!("{other:?}")),
                }
            }
        }
    }

    #[service]
    impl Last {
        fn init(_: Ctx, args: Args) -> Result<Last, BoxError> {
            let peer = Handle::new(args.parse()?).ok_or("no peer")?;
            Ok(Last { peer })
        }
    }

    let node = Node::new();
    node.name(".peer", node.handle());
    let args = node.handle().get().to_string();
    let last = node.launch::<Last>("last", &args).unwrap();
    node.kill(last);
    node.run();
    assert_eq!(events(), ["ending", "ending"]);
    let received = node.received().unwrap();
    assert_eq!(received.source, Some(last));
    assert_eq!(&*received.payload, b"last words");
    assert!(node.received().is_none());
}

#[test]
fn a_signal_comes_at_the_turn_of_the_service() {
    let node = Node::new();
    let actor = node.launch::<Actor>("actor", "").unwrap();
    events();
    node.signal(actor, 5);
    assert!(events().is_empty());
    node.run();
    assert_eq!(events(), ["signal 5"]);
}

#[test]
fn messages_of_unknown_types_keep_their_number() {
    let node = Node::new();
    let actor = node.launch::<Actor>("actor", "").unwrap();
    events();
    node.send(actor, Kind::Other(77), 0, "").unwrap();
    node.run();
    assert_eq!(events(), ["Other(77)"]);
}

#[test]
fn a_message_may_be_handled_in_a_task() {
    let node = Node::new();
    let slow = node.launch::<Slow>("slow", "").unwrap();
    let big = vec![1; 10_000];
    assert_eq!(&*node.call(slow, Kind::Text, big.clone()).unwrap(), big);
    assert_eq!(&*node.call(slow, Kind::Client, "").unwrap(), b"");
}

#[test]
fn services_launch_name_and_end_each_other() {
    struct Parent;

    #[service]
    impl Parent {
        async fn init(_: Ctx, _: Args) -> Result<Parent, BoxError> {
            Ok(Parent)
        }

        #[command]
        async fn work(&self, ctx: Ctx) -> Result<u32, BoxError> {
            let child = ctx.launch("actor some text")?;
            ctx.name(".child", child)?;
            assert_eq!(ctx.query("child"), Some(child));
            assert!(ctx.register("child").is_err(), "taken");
            ctx.register(".parent")?;
            assert_eq!(ctx.query(".parent"), Some(ctx.handle()));
            let count = ctx.call_lua(".child", "count").await?;
            ctx.kill(".child");
            assert!(ctx.send(child, Kind::Text, "").is_err());
            assert!(ctx.launch("nobody").is_err());
            ctx.set_env("key", "a value")?;
            assert_eq!(ctx.env("key").as_deref(), Some("a value"));
            assert!(ctx.set_env("key", "again").is_err());
            assert!(ctx.set_env("two words", "").is_err());
            Ok(count)
        }
    }

    let node = Node::new();
    node.register::<Actor>("actor");
    let parent = node.launch::<Parent>("parent", "").unwrap();
    assert_eq!(node.call_lua(parent, "work"), Ok(1));
}

#[test]
fn a_peer_sees_who_sends() {
    let node = Node::new();
    let peer = node.peer(|message: &Received| {
        assert!(message.source.is_some());
        None
    });
    assert_ne!(Some(peer), Handle::new(0));
    node.send(peer, Kind::Text, 0, "x").unwrap();
    node.run();
}

/// Hands what it gets to a thread that drops it.
struct Forgetful;

#[service]
impl Forgetful {
    async fn init(_: Ctx, _: Args) -> Result<Forgetful, BoxError> {
        Ok(Forgetful)
    }

    #[command]
    fn here(&self) -> bool {
        true
    }

    #[cfg(any())]
    #[command]
    fn nowhere(&self, value: NoSuchType) -> bool {
        value.is_there()
    }

    async fn message(&self, ctx: Ctx, message: OwnedMessage) {
        ctx.offload(move || drop(message)).await.unwrap();
    }
}

#[test]
fn a_request_that_is_dropped_on_another_thread_is_answered_with_an_error() {
    let node = Node::new();
    let service = node.launch::<Forgetful>("forgetful", "").unwrap();
    assert!(node.call(service, Kind::Text, "question").is_err());
    // What asks for no answer gets none.
    node.send(service, Kind::Text, 0, "news").unwrap();
    assert!(node.call_lua::<bool>(service, &"here").unwrap());
    assert!(node.received().is_none());
}

#[test]
fn a_command_that_is_not_compiled_is_none() {
    let node = Node::new();
    let service = node.launch::<Forgetful>("forgetful", "").unwrap();
    assert!(node.call_lua::<bool>(service, &("nowhere", 1)).is_err());
    assert!(node.call_lua::<bool>(service, &"here").unwrap());
}

/// Awaits a task twice.
struct Twice;

#[service]
impl Twice {
    async fn init(_: Ctx, _: Args) -> Result<Twice, BoxError> {
        Ok(Twice)
    }

    #[command]
    async fn wait(&self, ctx: Ctx) -> u32 {
        let mut task = ctx.spawn(async { 1 });
        let first = (&mut task).await.unwrap();
        first + task.await.unwrap()
    }
}

#[test]
fn a_result_that_was_taken_is_not_waited_for() {
    let node = Node::new();
    let service = node.launch::<Twice>("twice", "").unwrap();
    assert!(node.call_lua::<u32>(service, &"wait").is_err());
    let log = node.log().join("\n");
    assert!(log.contains("awaited again after its result"), "{log}");
}

/// Who asks is asked back first. The numbers of both requests are the same: each side counts its own.
#[test]
fn a_test_may_be_asked_by_the_service_that_it_asks() {
    struct Back;

    #[service]
    impl Back {
        fn init(_: Ctx, _: Args) -> Result<Back, BoxError> {
            Ok(Back)
        }

        async fn message(&self, ctx: Ctx, message: OwnedMessage) {
            let asker = message.source().expect("not the node");
            let name = ctx.call(asker, Kind::Text, "who?").await;
            let responder = message.responder().expect("a request");
            responder.respond(name.expect("an answer"));
        }
    }

    let node = Node::new();
    let back = node.launch::<Back>("back", "").unwrap();
    for session in 1..4 {
        node.send(back, Kind::Text, session, "hello").unwrap();
        let asked = node.received().expect("a request");
        assert_eq!(
            (asked.kind, asked.session, &*asked.payload),
            (Kind::Text, session, &b"who?"[..])
        );
        assert!(node.answer(session).is_none(), "that was none");
        node.send(back, Kind::Response, asked.session, "me")
            .unwrap();
        node.run();
        let answer = node.answer(session).expect("the answer");
        assert_eq!(
            (answer.kind, &*answer.payload),
            (Kind::Response, &b"me"[..])
        );
    }
}
