//! The example for Kubernetes: its manifests, and its nodes where the test plays the part of the name server and of the probes.

use std::process::Command;

use crate::discovery::name_server;
use crate::tools::node::executable;
use crate::tools::peer::{free_port, program, python};
use crate::tools::running::Node;
use crate::tools::{root, run, scratch};

/// A node of the example, with the environment that its manifest gives it.
fn pod(config: &str, name: &str, discovery: &str, ports: [u16; 3]) -> Node {
    let game = root().join("examples/kubernetes/game");
    Node::spawn(
        Command::new(executable())
            .arg(game.join(config))
            .env("GAME", game)
            .env("DISCOVERY", discovery)
            .env("HOSTNAME", name)
            .env("POD_IP", "127.0.0.1")
            .env("CLUSTER_PORT", ports[0].to_string())
            .env("METRICS_PORT", ports[1].to_string())
            .env("CONSOLE_PORT", ports[2].to_string()),
    )
}

fn status(port: u16, path: &str) -> String {
    let output = run(Command::new(program("curl", "curl"))
        .args([
            "--silent",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
        ])
        .arg(format!("http://127.0.0.1:{port}{path}")));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn manifests_are_valid_and_name_files_that_exist() {
    let folder = root().join("examples/kubernetes");
    run(Command::new(python())
        .args(["-m", "kubernetes_validate", "--strict", "--quiet"])
        .args([folder.join("shops.yaml"), folder.join("front.yaml")]));
    let list = std::fs::read_to_string(folder.join("kustomization.yaml")).expect("the list");
    let files: Vec<&str> = list
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .filter(|entry| !entry.starts_with("name:"))
        .collect();
    assert_eq!(files.len(), 6, "{files:?}");
    for file in files {
        assert!(folder.join(file).is_file(), "{file}");
    }
}

#[test]
fn a_shop_drains_by_its_console_and_no_call_of_the_front_fails() {
    let folder = scratch("kubernetes");
    let (server, write) = name_server(&folder);
    let ports: [[u16; 3]; 3] = std::array::from_fn(|_| std::array::from_fn(|_| free_port()));
    let records = |shops: &[usize]| {
        let line = |shop: &usize| {
            format!(
                "_cluster._tcp.shop SRV 1 {} shop-{shop}.shop\nshop-{shop}.shop A 1 127.0.0.1\n",
                ports[*shop][0]
            )
        };
        write(&shops.iter().map(line).collect::<String>());
    };
    records(&[0, 1]);
    let discovery = format!(
        "dns://_cluster._tcp.shop?server=127.0.0.1:{}&period=1",
        server.port
    );
    let mut shops: Vec<Node> = (0..2)
        .map(|shop| {
            pod(
                "config.shop",
                &format!("shop-{shop}"),
                &discovery,
                ports[shop],
            )
        })
        .collect();
    for shop in &mut shops {
        shop.wait("Metrics at");
    }
    let mut front = pod("config.front", "front", &discovery, ports[2]);
    front.wait_all(&[
        "open: shop-0 shop-1",
        "clustersender shop-0",
        "clustersender shop-1",
    ]);
    assert_eq!(status(ports[1][1], "/readyz"), "200");

    // What Kubernetes does: the hook, and as the probe fails, the record goes.
    let mut hook = Command::new(executable())
        .args(["console", &format!("127.0.0.1:{}", ports[1][2]), "drain 10"])
        .spawn()
        .expect("the hook");
    shops[1].wait("this node drains");
    assert_eq!(status(ports[1][1], "/readyz"), "503");
    assert_eq!(status(ports[1][1], "/livez"), "200");
    records(&[0]);
    front.wait("open: shop-0");
    assert!(hook.wait().expect("the hook").success());
    shops[1].signal("TERM");
    shops[1].ends();
    front.signal("TERM");
    let printed = front.ends();
    let result = printed.iter().rfind(|line| line.starts_with("bought: "));
    assert!(
        result.is_some_and(|line| line.ends_with("failed: 0") && !line.starts_with("bought: 0,")),
        "{printed:#?}"
    );
}
