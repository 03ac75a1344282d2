//! Nodes with services that are linked in.

mod program;

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use skynet_node::{Error, Node};
use skynet_service::{Args, Ctx, error::BoxError, service};

struct Counter {
    value: Cell<i64>,
}

#[service]
impl Counter {
    async fn init(_: Ctx, args: Args) -> Result<Counter, BoxError> {
        let value = args.parse().unwrap_or(0);
        Ok(Counter {
            value: Cell::new(value),
        })
    }

    #[command]
    fn add(&self, number: i64) -> i64 {
        self.value.set(self.value.get() + number);
        self.value.get()
    }

    #[command]
    fn who(&self, ctx: Ctx) -> &'static str {
        ctx.service_name()
    }
}

/// Another service.
struct Quiet;

#[service]
impl Quiet {
    async fn init(_: Ctx, _: Args) -> Result<Quiet, BoxError> {
        Ok(Quiet)
    }
}

const ASK: &[u8] = br#"
local skynet = require "skynet"
require "skynet.manager"
local tools = require "linked.tools"
skynet.start(function()
	skynet.dispatch("lua", function()
		local counter = skynet.launch("counter", 100)
		skynet.retpack(tools.twice(skynet.call(counter, "lua", "add", 5)), skynet.call(counter, "lua", "who"))
	end)
end)
"#;

const TOOLS: &[u8] = b"return { twice = function(n) return 2 * n end }";

#[test]
fn lua_in_the_program_finds_a_linked_service_by_its_name() {
    Node::builder()
        .service::<Counter>("counter")
        .service::<Quiet>("quiet")
        .file("service/ask.lua", ASK)
        .file("lualib/linked/tools.lua", TOOLS)
        .test(|ctx| async move {
            // As skynet.newservice does.
            let ask: skynet_service::Handle = ctx
                .call_lua(".launcher", &("LAUNCH", "snlua", "ask"))
                .await
                .unwrap();
            let answer: (i64, String) = ctx.call_lua(ask, &()).await.unwrap();
            assert_eq!(answer, (210, "counter".to_string()));
            assert!(ctx.launch("quiet").is_ok());
        });
}

#[test]
fn rust_calls_a_linked_service_and_time_is_virtual() {
    Node::builder()
        .service::<Counter>("counter")
        .virtual_time()
        .test(|ctx| async move {
            let counter = ctx.launch("counter 1").unwrap();
            let begun = ctx.now();
            ctx.sleep(Duration::from_secs(3600)).await;
            assert!(ctx.now() - begun >= Duration::from_secs(3600));
            assert_eq!(ctx.call_lua::<i64>(counter, &("add", 1)).await.unwrap(), 2);
        });
}

#[test]
fn a_test_that_fails_says_why() {
    let failed = std::panic::catch_unwind(|| {
        Node::builder().test(|_| async {
            panic!("one is not two");
        });
    });
    // In the process of its own the panic is the end of it.
    let message = failed.unwrap_err();
    let message = message.downcast_ref::<String>().expect("a text");
    assert!(
        message.contains("the main future panicked: one is not two"),
        "{message}"
    );
    if !message.starts_with("a_test_that_fails_says_why failed") {
        panic!("{message}");
    }
}

/// Does what takes a while on another thread.
struct Digger;

#[service]
impl Digger {
    fn init(_: Ctx, _: Args) -> Result<Digger, BoxError> {
        Ok(Digger)
    }

    /// At what time it was done, in 10 ms.
    #[command]
    async fn dig(&self, ctx: Ctx) -> Result<u128, BoxError> {
        ctx.offload(|| std::thread::sleep(Duration::from_millis(100)))
            .await?;
        Ok(ctx.now().as_millis() / 10)
    }

    /// Goes on for ever.
    #[command]
    async fn tick(&self, ctx: Ctx) {
        loop {
            ctx.sleep(Duration::from_secs(60)).await;
        }
    }
}

#[test]
fn virtual_time_waits_for_what_any_service_does_on_other_threads() {
    Node::builder()
        .service::<Digger>("digger")
        .virtual_time()
        .test(|ctx| async move {
            let digger = ctx.launch("digger").unwrap();
            let hour = Duration::from_secs(3600);
            let begun = ctx.now();
            // Another service, while this one sleeps.
            let call = ctx.spawn(ctx.call_lua::<u128>(digger, &("dig",)));
            ctx.sleep(hour).await;
            assert_eq!(ctx.now(), begun + hour);
            assert_eq!(call.await.unwrap().unwrap(), begun.as_millis() / 10);
            // This one, and a future of another runtime.
            let job = ctx.offload(|| std::thread::sleep(Duration::from_millis(50)));
            assert!(ctx.timeout(hour, job).await.is_ok());
            let mut thread = None;
            let woken = poll_fn(move |context| match &thread {
                None => {
                    let waker = context.waker().clone();
                    thread = Some(std::thread::spawn(move || {
                        std::thread::sleep(Duration::from_millis(50));
                        waker.wake();
                    }));
                    Poll::Pending
                }
                Some(_) => Poll::Ready(()),
            });
            assert!(ctx.timeout(hour, ctx.elsewhere(woken)).await.is_ok());
            assert_eq!(ctx.now(), begun + hour);
        });
}

/// Answers nobody.
const SILENT: &[u8] = br#"
local skynet = require "skynet"
skynet.start(function()
	skynet.dispatch("lua", function() skynet.wait "the end" end)
end)
"#;

/// What a test says that waits for what never comes.
fn late(name: &str, test: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let message = *std::panic::catch_unwind(test)
        .expect_err("it fails")
        .downcast::<String>()
        .expect("a text");
    if !message.starts_with(&format!("{name} failed")) {
        // In the process of its own this is the end.
        panic!("{message}");
    }
    message
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_test_that_nobody_answers_fails_with_its_requests() {
    let text = late("a_test_that_nobody_answers_fails_with_its_requests", || {
        Node::builder()
            .service::<Digger>("digger")
            .file("service/silent.lua", SILENT)
            .virtual_time()
            .test(|ctx| async move {
                let digger = ctx.launch("digger").unwrap();
                // Which goes on for ever.
                ctx.send_lua(digger, &("tick",)).unwrap();
                let silent: skynet_service::Handle = ctx
                    .call_lua(".launcher", &("LAUNCH", "snlua", "silent"))
                    .await
                    .unwrap();
                ctx.call_lua::<()>(silent, &("hello",)).await.unwrap();
            });
    });
    has(
        &text,
        &[
            "86400s of virtual time are over",
            "the main future waits for an answer of :",
            "(snlua silent)",
            "a task of it: stack traceback:",
            "service/silent.lua:4",
        ],
    );
}

#[test]
fn the_stacks_are_told_of_a_lua_service_that_the_launcher_does_not_know() {
    let name = "the_stacks_are_told_of_a_lua_service_that_the_launcher_does_not_know";
    let text = late(name, || {
        Node::builder()
            .file("service/silent.lua", SILENT)
            .virtual_time()
            .test(|ctx| async move {
                let silent = ctx.launch("snlua silent").unwrap();
                // Until its script has run.
                ctx.sleep(Duration::from_secs(1)).await;
                ctx.call_lua::<()>(silent, &("hello",)).await.unwrap();
            });
    });
    has(
        &text,
        &["a task of it: stack traceback:", "service/silent.lua:4"],
    );
}

#[test]
fn a_test_without_virtual_time_fails_with_its_requests_when_patience_is_over() {
    let name = "a_test_without_virtual_time_fails_with_its_requests_when_patience_is_over";
    let text = late(name, || {
        Node::builder()
            .patience(Duration::from_secs(3))
            .test(|_| std::future::pending());
    });
    has(
        &text,
        &["it has taken 3s", "the main future waits, for no answer"],
    );
}

#[test]
fn a_process_has_one_node_and_a_result() {
    Node::builder()
        .patience(Duration::from_secs(120))
        .test(|ctx| async move {
            assert_eq!(Node::builder().run(), Err(Error::AnotherNode));
            assert!(ctx.query("launcher").is_some());
        });
}

#[test]
fn names_that_cannot_be_are_refused_before_anything_begins() {
    let refused = |builder: skynet_node::Builder, what: &str| match builder.run() {
        Err(Error::Name { name, reason }) => assert!(reason.contains(what), "{name}: {reason}"),
        other => panic!("{other:?}"),
    };
    let counter = |name| Node::builder().service::<Counter>(name);
    refused(counter("a").service::<Counter>("b"), "a type of its own");
    refused(counter("a").service::<Quiet>("a"), "two services");
    refused(counter("a b"), "a blank");
    refused(counter(""), "empty");
    refused(
        Node::builder().file("lualib/skynet.lua", b""),
        "the Lua layer",
    );
    refused(
        Node::builder()
            .file("service/x.lua", b"")
            .file("service/x.lua", b""),
        "two files",
    );
    let zero = Node::builder().set("key", "\0").run();
    assert!(matches!(zero, Err(Error::Config { .. })), "{zero:?}");
}
