//! The examples do what their READMEs say, and end by themselves.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::tools::example::{Example, assert_lines};
use crate::tools::peer::{self, Peer, free_port, program, python};
use crate::tools::{compiler, root, run, scratch};

#[test]
fn hello_plays() {
    assert_lines(
        &Example::new("hello", &[]).run("config"),
        &[
            "pong says:\tHello Alice, I am Bob.",
            "10000 rounds of ping-pong in ",
            "pong has counted\t10001",
            "hello is done",
        ],
    );
}

#[test]
fn pingpong_finishes_all_matches() {
    assert_lines(
        &Example::new("pingpong", &[]).run("config"),
        &[
            "1 of 1 matches finished: ",
            "4 of 4 matches finished: ",
            "pingpong is done",
        ],
    );
}

#[test]
fn chat_lets_two_clients_talk() {
    let chat = Example::new("chat", &[("8888", free_port().to_string())]);
    assert_lines(
        &chat.run("config"),
        &[
            "the chat server listens at 127.0.0.1:",
            "Alice hears  welcome nobody else is here",
            "Bob   hears  welcome here are: Alice",
            "Alice hears  Bob comes in",
            "Alice hears  Bob: Hello, Alice!",
            "Bob   hears  Alice: Hi Bob.",
            "Bob   hears  error what?",
            "Bob   hears  bye",
            "Bob   hears  (end of the connection)",
            "Alice hears  Bob has left",
            "chat is done",
        ],
    );
    let mut server = chat.start("config.server");
    server.wait("the chat server listens at ");
    let mut alice = chat.start("config.client");
    alice
        .types("join Alice")
        .wait("welcome nobody else is here");
    let mut bob = chat.start("config.client");
    bob.types("join Alice").wait("error the name is taken");
    bob.types("join Bob").wait("welcome here are: Alice");
    bob.types("say Hello, Alice!").types("quit");
    assert_lines(
        &bob.ends(),
        &["join NAME, ", "bye", "the connection is closed"],
    );
    alice
        .wait("Bob comes in")
        .wait("Bob: Hello, Alice!")
        .wait("Bob has left");
    assert_lines(&alice.types("quit").ends(), &["bye"]);
}

#[cfg(target_os = "linux")]
#[test]
fn chat_keeps_no_descriptor_of_a_client_that_has_gone() {
    const PATIENCE: Duration = Duration::from_secs(60);
    let port = free_port();
    let chat = Example::new("chat", &[("8888", port.to_string())]);
    let mut server = chat.start("config.server");
    server.wait("the chat server listens at ");
    let before = server.descriptors();
    for i in 0..40 {
        let mut client = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts");
        client
            .write_all(format!("\0\x09join N{i:03}").as_bytes())
            .expect("the server reads");
        client.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut welcome = [0; 2 + "welcome".len()];
        client.read_exact(&mut welcome).expect("an answer");
        assert!(welcome.ends_with(b"welcome"), "{welcome:?}");
        client.shutdown(Shutdown::Write).expect("a connection");
        let mut rest = Vec::new();
        client
            .read_to_end(&mut rest)
            .expect("the server closes too");
    }
    let begin = Instant::now();
    while server.descriptors() > before {
        assert!(
            begin.elapsed() < PATIENCE,
            "{before} descriptors before, {} after",
            server.descriptors()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn web_serves_pages_forms_and_lists() {
    let port = free_port().to_string();
    let web = Example::new("web", &[("8001", port.clone())]);
    assert_lines(
        &web.run("config"),
        &[
            "the web server listens at http://127.0.0.1:",
            "GET /hello?name=Alice    200  Hello, Alice!",
            "POST /sign               303  -> /guests",
            "GET /guests              200  Bob & Carol, 小明",
            "GET /api/guests/2        200  {\"",
            "GET /nothing             404  there is no such page",
            "GET /events              signed 3  {\"",
            "web is done",
        ],
    );
    let mut server = web.start("config.server");
    server.wait("the web server listens at ");
    let page = run(Command::new(program("curl", "curl"))
        .args([
            "--silent",
            "--show-error",
            "--location",
            "--data",
            "name=curl",
        ])
        .args(["--write-out", "%{http_code}"])
        .arg(format!("http://127.0.0.1:{port}/sign")));
    assert_eq!(String::from_utf8_lossy(&page.stdout), "curl\n200");
}

#[test]
fn websocket_echoes_messages() {
    assert_lines(
        &Example::new("websocket", &[("9948", free_port().to_string())]).run("config"),
        &[
            "the echo server listens at http://127.0.0.1:",
            "the page: 200, ",
            "echo of 5 bytes: hello",
            "echo of 6 bytes: 你好",
            "echo of 100000 bytes: ...",
            "closed:\ttrue",
            "websocket is done",
        ],
    );
}

#[test]
fn cluster_nodes_call_each_other_and_end_together() {
    let cluster = Example::new(
        "cluster",
        &[
            ("2528", free_port().to_string()),
            ("2529", free_port().to_string()),
        ],
    );
    let mut db = cluster.start("config.db");
    db.wait("node db is ready");
    assert_lines(
        &cluster.run("config.game"),
        &[
            "Alice has\t10",
            "Bob has\t7",
            "Alice has\t15",
            "accepted:\tfalse",
            "Bob has\t107",
            "the news have come too",
            "cluster is done",
        ],
    );
    let db = db.ends();
    assert_lines(&db, &["node db ends"]);
    // In a node that is used as it should be, the service of the connections fails nothing.
    assert!(
        !db.iter().any(|line| line.contains("in clusterd")),
        "{db:?}"
    );
}

#[test]
fn cluster_etcd_replaces_its_shops_without_a_failed_call() {
    let example = Example::new(
        "cluster-etcd",
        &[
            ("23790", free_port().to_string()),
            ("23791", free_port().to_string()),
        ],
    );
    let printed = example.run_script("run");
    assert_lines(
        &printed,
        &[
            "front sees: open: shop1 shop2 shop3.",
            "shop1 is replaced",
            "front sees: open: shop2 shop3.",
            "shop3 is replaced",
            "front sees: open: shop1 shop2 shop3.",
            "bought: ",
            "front is done",
        ],
    );
    assert!(
        printed.iter().any(|line| line.contains(", failed: 0, ")),
        "{}",
        printed.join("\n")
    );
}

#[test]
fn snax_service_is_mended_while_it_runs() {
    assert_lines(
        &Example::new("snax", &[]).run("config"),
        &[
            "the bank is\tbank",
            "Alice has\t10 gold",
            "Alice withdraws 25, left:\t-15",
            "repaired accounts:\t1",
            "Alice has\t0 gold",
            "Alice may withdraw 25:\tfalse",
            "withdrawals:\t2",
            "snax is done",
        ],
    );
}

#[test]
fn login_leads_to_a_game_that_counts_once() {
    assert_lines(
        &Example::new(
            "login",
            &[
                ("8101", free_port().to_string()),
                ("8102", free_port().to_string()),
            ],
        )
        .run("config"),
        &[
            "wrong password:\t401 Unauthorized",
            "Alice earns 5, has:\t5",
            "nonsense:\t(failed)",
            "Alice earns 3, has:\t8\t3",
            "not counted twice:\t8",
            "elsewhere she has:\t8",
            "the first session gets:\tnil",
            "login is done",
        ],
    );
}

#[test]
fn harbor_nodes_share_names_and_values() {
    let harbor = Example::new(
        "harbor",
        &[
            ("2013", free_port().to_string()),
            ("2526", free_port().to_string()),
            ("2527", free_port().to_string()),
        ],
    );
    let mut one = harbor.start("config.one");
    one.wait("node one is ready");
    assert_lines(
        &harbor.run("config.two"),
        &[
            "GREETER is :010000",
            "hello Alice of node 2, you are number 1",
            "hello Bob of node 2, you are number 2",
            "level of Alice:\t3",
            "harbor is done",
        ],
    );
    assert_lines(
        &one.ends(),
        &["node one is ready", "node two is here", "node two is gone"],
    );
}

#[test]
fn redis_example_uses_a_server() {
    let folder = scratch("example-redis-server");
    let server = peer::redis(&folder, free_port(), &[]);
    assert_lines(
        &Example::new("redis", &[("6379", server.port.to_string())]).run("config"),
        &[
            "name:\tAlice",
            "missing:\tnil",
            "visits:\t1\t2",
            "fields:\t3 250",
            "error:\tfalse\tERR value is not an integer or out of range",
            "best:\tplayer100 player99 player98",
            "news:\tthe shop is open\tfrom\tskynet-example:news",
            "coins:\t200 50",
            "redis is done",
        ],
    );
}

#[test]
fn mysql_example_uses_a_server() {
    let folder = scratch("example-mysql-server");
    let server = peer::mariadb(&folder);
    assert_lines(
        &Example::new("mysql", &[("3306", server.port.to_string())]).run("config"),
        &[
            "connected with server\t",
            "Alice is number\t1",
            "Bob is number\t2",
            "Alice again:\tfalse\tDuplicate entry 'Alice'",
            "a strange name is number\t4",
            "Alice gives 100 to Bob:\ttrue",
            "Alice gives 1000 to Bob:\tfalse",
            "1\tBob\t175",
            "2\tAlice\t150",
            "mysql is done",
        ],
    );
}

#[test]
fn mongo_example_uses_a_server() {
    let server =
        Peer::announced(Command::new(python()).arg(root().join("tests/net/mongo_peer.py")));
    assert_lines(
        &Example::new("mongo", &[("27017", server.port.to_string())]).run("config"),
        &[
            "Alice again:\tfalse",
            "Bob has level\t5",
            "Carol\t7\tmap",
            "Bob\t5",
            "Alice\t3\tsword apple",
            "players left:\t2",
            "mongo is done",
        ],
    );
}

#[test]
fn sproto_shop_answers_and_tells_news() {
    assert_lines(
        &Example::new("sproto", &[("8203", free_port().to_string())]).run("config"),
        &[
            "1\tsword\t12.5\tiron sharp",
            "3\tknife\t3.0\tiron sharp small",
            "news:\tsold\tsword\t0 left",
            "bought for\t25.0",
            "a third sword:\tfalse",
            "sproto is done",
            "the server has closed",
        ],
    );
}

#[test]
fn cservice_counts_bytes() {
    let cservice = Example::new("cservice", &[]);
    run(compiler("c")
        .args(["-shared", "-fPIC", "-o"])
        .arg(cservice.path("counter.so"))
        .arg(cservice.path("counter.c")));
    assert_lines(
        &cservice.run("config"),
        &["bytes so far:\t110", "cservice is done"],
    );
}

/// Builds a package; the folder where its library is.
fn build_rust(manifest: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-services");
    run(Command::new(env!("CARGO"))
        .current_dir(root())
        // What cargo told this test about its own build does not concern that one.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .args(["build", "--quiet", "--locked", "--manifest-path", manifest])
        .arg("--target-dir")
        .arg(&target));
    target.join("debug")
}

#[test]
fn rust_counts_talks_and_finds_paths() {
    let rust = Example::new("rust", &[]);
    let built = build_rust("examples/rust/Cargo.toml");
    for name in ["counter", "room", "paths"] {
        let file = rust.path(&format!("{name}.so"));
        std::os::unix::fs::symlink(built.join("librust_example.so"), file).expect("a link");
    }
    assert_lines(
        &rust.run("config"),
        &[
            "counter:\tthe main service has counted to 150",
            "room: 100 clients have heard 99 lines each, 0 were missed",
            "paths: 20 of 20 found, the longest has ",
            "rust is done",
        ],
    );
}

#[test]
fn rust_module_is_required_by_lua() {
    let built = build_rust("examples/rust-module/Cargo.toml");
    let path = built.join("lib?.so").display().to_string();
    let module = Example::new("rust-module", &[("./target/release/lib?.so", path)]);
    assert_lines(
        &module.run("config"),
        &[
            "sum:\t21.0",
            "doubled:\t42.0",
            "false\truntime error: there is no field 4, 1 in a grid of 3 x 2",
            "false\truntime error: of Lua",
            "rust-module is done",
        ],
    );
}
