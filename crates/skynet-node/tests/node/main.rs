//! Nodes with services that are linked in.

mod program;

use std::cell::Cell;
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
            let ask: u32 = ctx
                .call_lua(".launcher", &("LAUNCH", "snlua", "ask"))
                .await
                .map(|handle: skynet_service::lua::Value| number(&handle))
                .unwrap();
            let ask = skynet_service::Handle::new(ask).unwrap();
            let answer: (i64, String) = ctx.call_lua(ask, &()).await.unwrap();
            assert_eq!(answer, (210, "counter".to_string()));
            assert!(ctx.launch("quiet").is_ok());
        });
}

fn number(value: &skynet_service::lua::Value) -> u32 {
    match value {
        skynet_service::lua::Value::Integer(number) => *number as u32,
        other => panic!("{other:?}"),
    }
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
