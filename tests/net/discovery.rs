//! Nodes that find each other by etcd, Redis and DNS, while nodes and engines end, come back, move and are replaced.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::network::{Side, start};
use crate::tools::node::run_test;
use crate::tools::peer::{Peer, etcd, etcd_with_tls, free_port, program, python, redis};
use crate::tools::running::Node;
use crate::tools::{root, run, scratch};

/// Seconds until a silent node is gone: the least that etcd grants.
const LEASE: u32 = 2;

/// An engine that can be ended, and started with its data or without.
struct Engine {
    folder: PathBuf,
    port: u16,
    peer: Option<Peer>,
}

impl Engine {
    fn new(test: &str) -> Self {
        let mut engine = Self {
            folder: scratch(test),
            port: free_port(),
            peer: None,
        };
        engine.start();
        engine
    }

    fn start(&mut self) {
        self.peer = Some(etcd(&self.folder.join("data"), self.port, &[]));
    }

    fn stop(&mut self) {
        self.peer = None;
    }

    fn replace(&mut self) {
        self.stop();
        std::fs::remove_dir_all(self.folder.join("data")).expect("its data");
        self.start();
    }

    fn url(&self) -> String {
        format!("etcd://127.0.0.1:{}/games", self.port)
    }

    fn node(&self, name: &str) -> Node {
        node(name, &self.url(), "127.0.0.1")
    }
}

fn node(name: &str, url: &str, advertise: &str) -> Node {
    let mut node = start(
        Side::First,
        "discovery_node",
        &format!(
            "harbor = 0\ncluster_name = {name:?}\ncluster_discovery = {url:?}\n\
             cluster_advertise = {advertise:?}\ncluster_lease = {LEASE}\n"
        ),
    );
    node.wait("ready");
    node
}

/// Asks etcd by its JSON gateway.
fn ask_etcd(port: u16, path: &str, body: &str) -> String {
    let output = run(Command::new(program("curl", "curl"))
        .args(["--silent", "--show-error", "--data", body])
        .arg(format!("http://127.0.0.1:{port}/v3/{path}")));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The number at the end of the next line that begins so.
fn number_after(node: &mut Node, text: &str) -> u64 {
    let line = node.wait(text).last().to_owned();
    let number = line.rsplit(' ').next().expect("a word");
    number.parse().unwrap_or_else(|_| panic!("{line}"))
}

#[test]
fn nodes_join_leave_die_and_move() {
    let engine = Engine::new("discovery-nodes");
    let mut first = engine.node("a");
    first.types("open").wait("open");
    first.types("nodes").wait("nodes: a.");
    let mut second = engine.node("b");
    second.types("open").wait("open");
    first.wait_all(&["node [b] has joined at", "nodes: a b."]);
    second
        .types("publish shop")
        .wait("published\tshop\tat once");
    first.types("watch shop").wait("shop is at: b.");
    first
        .types("ask_name shop who")
        .wait("answer\ttrue\tb\twho");
    first
        .types("ask_within shop 20 never")
        .wait("answer\tfalse\tcall timeout: \"shop\" has not answered in 0.20 s")
        .types("ask_within shop 3000 who")
        .wait("answer\ttrue\tb\twho");
    first
        .types("ask nobody .x")
        .wait("answer\tfalse\tcluster: no way to node [nobody]");
    first
        .types("ask_name nothing")
        .wait("no service of the cluster has the name \"nothing\"");
    // As if its machine had lost its power: until the lease is over it is known, and then it is not.
    second.kill();
    first.wait_all(&["node [b] (", "shop is at: .", "nodes: a."]);
    first.types("ask b .x").wait("answer\tfalse");
    // It comes back within its lease, at another address.
    let mut second = engine.node("b");
    second.types("open").wait("open");
    first.wait("node [b] has joined at");
    second.kill();
    let mut second = engine.node("b");
    second.types("open").types("publish shop").wait("published");
    first.wait_all(&["node [b] has moved from", "shop is at: b."]);
    first
        .types("ask_name shop who")
        .wait("answer\ttrue\tb\twho");
    // In order.
    second.types("leave").wait("left");
    first.wait_all(&["node [b] (", "nodes: a."]);
    // A second process with the name of the first.
    let mut other = engine.node("a");
    other.types("open").wait("open");
    first.wait("node [a] is now another process");
    first
        .types("publish shop")
        .wait("another process has taken the name [a]");
}

#[test]
fn a_node_is_replaced_by_another_without_a_failed_call() {
    let engine = Engine::new("discovery-drain");
    let (mut first, mut second) = (engine.node("a"), engine.node("b"));
    first.types("open").wait("open");
    second.types("open").types("publish shop").wait("published");
    first.types("watch shop").wait("shop is at: b.");
    for _ in 0..4 {
        first.types("keep_asking shop");
    }
    first.wait("progress\t0");
    for name in ["c", "d", "e"] {
        let mut next = engine.node(name);
        next.types("open").types("publish shop").wait("published");
        second.signal("TERM");
        second.wait("this node has drained");
        second.ends();
        first
            .wait(&format!("shop is at: {name}."))
            .wait(&format!("progress\t0\t{name}"));
        second = next;
    }
    first.types("stop shop");
    for _ in 0..4 {
        first.wait("asked shop, failed: 0");
    }
}

#[test]
fn a_node_that_listens_again_after_its_drain_has_its_names_again() {
    let engine = Engine::new("discovery-back");
    let (mut first, mut second) = (engine.node("a"), engine.node("b"));
    first.types("open").wait("open");
    second.types("open").types("publish shop").wait("published");
    first.types("watch shop").wait("shop is at: b.");
    second.types("drain");
    first.wait("shop is at: .");
    // A load that is told meanwhile does not bring the service back.
    second.types("change shop new").wait("changed\tshop\tfalse");
    first
        .types("ask_name shop who")
        .wait("no service of the cluster has the name \"shop\"");
    second.types("drained").wait("the drain is over");
    second
        .types("change shop newer")
        .wait("changed\tshop\tfalse");
    second.types("open").wait("open");
    first.wait("shop is at: b.");
    first
        .types("ask_name shop who")
        .wait("answer\ttrue\tb\twho");
    second
        .types("change shop newest")
        .wait("changed\tshop\ttrue");
}

/// The short form of `benches/scale/run`: nodes are killed, ended, frozen and started at random. No name of a dead one is known when its
/// lease is over, no call takes longer than it may, and all see and call each other in the end.
#[test]
fn nodes_that_die_and_come_at_random_find_each_other_and_forget_the_dead() {
    program("etcd", "etcd-server");
    run(Command::new(program("python3", "python3"))
        .arg(root().join("benches/scale/run"))
        .args(["--exe", env!("CARGO_BIN_EXE_skynet"), "--short"])
        .args(["--nodes", "6", "--minutes", "0.33", "--seed", "3"])
        .args(["--lease", &LEASE.to_string()])
        // The machine may have more to do.
        .args(["--slack", "15", "--late", "20"]));
}

#[test]
fn calls_go_on_without_the_engine() {
    let mut engine = Engine::new("discovery-engine");
    let (mut first, mut second) = (engine.node("a"), engine.node("b"));
    first.types("open").wait("open");
    second.types("open").types("publish shop").wait("published");
    first.types("watch shop").wait("shop is at: b.");
    first
        .types("value rate")
        .types("set rate 5")
        .wait("rate is 5.");
    first.types("keep_asking shop").wait("progress\t0");
    engine.stop();
    first.wait("What is known stays: 2 nodes");
    first.types("state").wait("state\tstale\tetcd\t2");
    second.types("publish late").wait("published\tlate");
    first.wait("progress\t0");
    engine.start();
    first.wait("again after").wait("progress\t0");
    first.types("watch late").wait("late is at: b.");
    // An empty one in its place, of which etcd says that it is the same.
    engine.replace();
    first
        .wait("the engine is another one, or empty")
        .wait("again after")
        .wait("progress\t0");
    first.types("stop shop");
    let lines = first.wait("asked shop, failed:").last().to_owned();
    assert_eq!(lines, "asked shop, failed: 0");
    first.types("set rate 6").wait("rate is 6.");
    first.types("figures").wait("figures\t1\t2\t2\t0");
}

#[test]
fn a_watch_that_was_away_for_too_long_reads_all_again() {
    let mut engine = Engine::new("discovery-compaction");
    let mut first = engine.node("a");
    first.types("open").types("value rate").wait("rate is nil.");
    first.types("set rate 1").wait("rate is 1.");
    engine.stop();
    first.wait("What is known stays");
    // Where the node does not see it.
    let elsewhere = etcd(&engine.folder.join("data"), free_port(), &[]);
    // games/config/rate = 2, and then 3
    let put = |value| format!("{{\"key\":\"Z2FtZXMvY29uZmlnL3JhdGU=\",\"value\":\"{value}\"}}");
    ask_etcd(elsewhere.port, "kv/put", &put("Mg=="));
    let answer = ask_etcd(elsewhere.port, "kv/put", &put("Mw=="));
    let revision = answer.split("\"revision\":\"").nth(1).expect("a revision");
    let revision = revision.split('"').next().expect("a number");
    let compact = format!("{{\"revision\":\"{revision}\",\"physical\":true}}");
    ask_etcd(elsewhere.port, "kv/compaction", &compact);
    drop(elsewhere);
    engine.start();
    first.wait_all(&["etcd has compacted its history", "rate is 3."]);
    first.types("set rate 4").wait("rate is 4.");
}

#[test]
fn one_is_elected_at_a_time_and_numbers_grow() {
    let mut engine = Engine::new("discovery-election");
    let (mut first, mut second) = (engine.node("a"), engine.node("b"));
    first.types("elect boss");
    let mut last = number_after(&mut first, "elected boss");
    let mut grows = |number: u64| {
        assert!(number > last, "{number} after {last}");
        last = number;
    };
    second
        .types("elect boss")
        .types("lock boss 0")
        .wait("lock\ttrue\tnil\tsomebody else has it");
    first
        .types("resign boss")
        .wait("lost\tboss\treleased\tfalse");
    grows(number_after(&mut second, "elected boss"));
    // The engine is away for longer than the lease: nobody can be sure of anything.
    first.types("elect boss");
    engine.stop();
    second.wait("lost\tboss\tthe lease was not renewed in time\tfalse");
    first.types("lock other 0").wait("lock\ttrue\tnil");
    engine.start();
    let (mut boss, mut other) = (second, first);
    let number = loop {
        // Either of them.
        if let Some(line) = boss.wait_briefly("elected boss") {
            break line;
        }
        if let Some(line) = other.wait_briefly("elected boss") {
            std::mem::swap(&mut boss, &mut other);
            break line;
        }
    };
    grows(
        number
            .rsplit(' ')
            .next()
            .expect("a word")
            .parse()
            .expect("a number"),
    );
    boss.kill();
    grows(number_after(&mut other, "elected boss"));
    // An operator ends all leases: who was elected hears of it, and somebody is elected again.
    let leases = ask_etcd(engine.port, "lease/leases", "{}");
    for lease in leases.split("\"ID\":\"").skip(1) {
        let id = lease.split('"').next().expect("a number");
        ask_etcd(engine.port, "lease/revoke", &format!("{{\"ID\":\"{id}\"}}"));
    }
    other.wait("lost\tboss\tthe lease has ended\tfalse");
    grows(number_after(&mut other, "elected boss"));
    // Also in an empty engine.
    engine.replace();
    other.wait("lost\tboss\tthe lease");
    grows(number_after(&mut other, "elected boss"));
}

#[test]
fn another_endpoint_takes_over() {
    let engine = Engine::new("discovery-endpoints");
    // Nobody is at the first, and the second takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_port = silent.local_addr().expect("its address").port();
    let url = format!(
        "etcd://127.0.0.1:{},127.0.0.1:{silent_port},127.0.0.1:{}/games",
        free_port(),
        engine.port
    );
    let mut first = node("a", &url, "127.0.0.1");
    first.types("open").wait("open");
    first.types("nodes").wait("nodes: a.");
    first.types("state").wait("state\tfresh\tetcd\t1");
}

#[test]
fn etcd_is_asked_by_tls_as_a_user() {
    let folder = scratch("discovery-tls");
    let engine = etcd_with_tls(&folder.join("data"), free_port());
    let authority = root().join("tests/certificates/ca.pem");
    run_test(
        "net",
        "etcd",
        &format!(
            "enablessl = true\netcd_port = {}\nauthority = {:?}",
            engine.port,
            authority.display().to_string()
        ),
    );
}

#[test]
fn nodes_find_each_other_by_redis() {
    let folder = scratch("discovery-redis");
    let port = free_port();
    let options = ["--requirepass", "secret"];
    let engine = redis(&folder, port, &options);
    let url = format!("redis://:secret@127.0.0.1:{port}/1/games");
    let mut first = node("a", &url, "127.0.0.1");
    first.types("open").wait("open");
    first.types("nodes").wait("nodes: a.");
    let mut second = node("b", &url, "127.0.0.1");
    second
        .types("open")
        .types("publish shop")
        .wait("published\tshop\tat once");
    first.types("watch shop").wait("shop is at: b.");
    first
        .types("value rate")
        .types("set rate 5")
        .wait("rate is 5.");
    first
        .types("elect boss")
        .wait("refused")
        .last_contains("which redis has not");
    first.types("keep_asking shop").wait("progress\t0");
    drop(engine);
    first
        .wait("What is known stays: 2 nodes")
        .wait("progress\t0");
    let engine = redis(&folder, port, &options); // an empty one
    first
        .wait("the engine is another one, or empty")
        .wait("again after")
        .wait("progress\t0");
    first.types("stop shop").wait("asked shop, failed: 0");
    first.types("nodes");
    second.kill();
    first.wait_all(&["node [b] (", "nodes: a."]);
    drop(engine);
}

/// A name server whose zone the test writes.
pub fn name_server(folder: &Path) -> (Peer, impl Fn(&str) + use<>) {
    let zone = folder.join("zone");
    let draft = folder.join("draft");
    std::fs::write(&zone, "").expect("the zone");
    let script = root().join("tests/net/name_server.py");
    let peer = Peer::announced(Command::new(python()).arg(script).arg(&zone));
    let write = move |text: &str| {
        std::fs::write(&draft, text).expect("the zone");
        std::fs::rename(&draft, &zone).expect("the zone");
    };
    (peer, write)
}

#[test]
fn nodes_are_those_of_a_headless_service() {
    let folder = scratch("discovery-dns");
    let (server, write) = name_server(&folder);
    let (here, there) = (free_port(), free_port());
    write(&format!(
        "_game._tcp.games.svc SRV 1 {here} game-0.games.svc\ngame-0.games.svc A 1 127.0.0.1\n"
    ));
    let url = format!(
        "dns://_game._tcp.games.svc?server=127.0.0.1:{}&period=1",
        server.port
    );
    let mut first = node("game-0", &url, &format!("127.0.0.1:{here}"));
    first.types("open").types("nodes").wait("nodes: game-0.");
    let mut second = node("game-1", &url, &format!("127.0.0.1:{there}"));
    second.types("open").wait("open");
    write(&format!(
        "_game._tcp.games.svc SRV 1 {here} game-0.games.svc\n_game._tcp.games.svc SRV 1 {there} game-1.games.svc\n\
         _game._tcp.games.svc SRV 1 9 .\n. A 1 127.0.0.1\ngame-0.games.svc A 1 127.0.0.1\ngame-1.games.svc A 1 127.0.0.1\n"
    ));
    first.wait("nodes: game-0 game-1.");
    first
        .types("ask game-1 .launcher STAT")
        .wait("answer\ttrue");
    write("REFUSED\n");
    first.wait("What is known stays: 2 nodes");
    first
        .types("ask game-1 .launcher STAT")
        .wait("answer\ttrue");
    write(""); // no such name: as if nobody had ever been there
    first.types("state").wait("state\tstale\tdns\t2");
    write(&format!(
        "_game._tcp.games.svc SRV 1 {here} game-0.games.svc\ngame-0.games.svc A 1 127.0.0.1\n"
    ));
    first.wait("nodes: game-0.");
    first
        .types("elect boss")
        .wait("refused")
        .last_contains("which dns has not");
    first
        .types("publish shop")
        .wait("discovery by dns only reads");
    let by_address = format!(
        "dns://game-0.games.svc:{here}?server=127.0.0.1:{}",
        server.port
    );
    let mut other = node("x", &by_address, "127.0.0.1");
    other.types("nodes").wait("nodes: 127.0.0.1.");
}
