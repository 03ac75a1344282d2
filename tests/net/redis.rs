//! The Lua layer's Redis client against `redis-server`: one node, and a cluster of three.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::tools::node::run_test;
use crate::tools::peer::{Peer, free_port, program, redis};
use crate::tools::{run, scratch};

/// Asks until the answer is yes; for what other programs do in their own time.
fn until(what: &str, answer: impl Fn() -> bool) {
    let begin = Instant::now();
    while !answer() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "waited for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn redis_answers_commands_pipelines_and_subscriptions() {
    let folder = scratch("redis");
    let open = redis(&folder, free_port(), &[]);
    let guarded = redis(&folder, free_port(), &["--requirepass", "secret"]);
    run_test(
        "net",
        "redis",
        &format!(
            "redis_port = {}\nredis_auth_port = {}",
            open.port, guarded.port
        ),
    );
}

#[test]
fn redis_cluster_is_followed_where_its_keys_go() {
    let folder = scratch("redis-cluster");
    // The bus of a node is at its port + 10000 by default, which need not be free or exist.
    let nodes: Vec<Peer> = (0..3)
        .map(|_| {
            let bus = free_port().to_string();
            redis(
                &folder,
                free_port(),
                &["--cluster-enabled", "yes", "--cluster-port", &bus],
            )
        })
        .collect();
    let addresses: Vec<String> = nodes
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.port))
        .collect();
    let ports: Vec<String> = nodes.iter().map(|node| node.port.to_string()).collect();
    run(Command::new(program("redis-cli", "redis-tools"))
        .args(["--cluster", "create"])
        .args(&addresses)
        .args(["--cluster-replicas", "0", "--cluster-yes"]));
    // The nodes have met, but each says that the cluster is down until it has looked for itself.
    for port in &ports {
        until(&format!("node {port} to see the cluster"), || {
            let answer = run(Command::new(program("redis-cli", "redis-tools"))
                .args(["-p", port, "cluster", "info"]));
            String::from_utf8_lossy(&answer.stdout).contains("cluster_state:ok")
        });
    }
    run_test(
        "net",
        "rediscluster",
        &format!("redis_ports = {:?}", ports.join(",")),
    );
}
