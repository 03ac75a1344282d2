//! Connections between nodes of a cluster: encrypted, and ended in order.

use std::path::{Path, PathBuf};

use crate::tools::network::{Side, start};
use crate::tools::peer::free_port;
use crate::tools::running::Node;
use crate::tools::{root, scratch};

/// Round trips that the client prints.
const PROGRESS: &str = "progress";

/// A folder with the certificate of a node, which can be renewed.
struct Identity {
    folder: PathBuf,
}

impl Identity {
    fn new(test: &str) -> Self {
        let identity = Self {
            folder: scratch(test),
        };
        identity.renew("localhost");
        identity
    }

    /// Puts a certificate and its key in the place of those that are there.
    fn renew(&self, name: &str) {
        let from = root().join("tests/certificates");
        for kind in ["pem", "key"] {
            let draft = self.folder.join("draft");
            std::fs::copy(from.join(name).with_extension(kind), &draft).expect("a copy");
            std::fs::rename(draft, self.folder.join("own").with_extension(kind))
                .expect("its place");
        }
    }

    fn config(&self) -> String {
        let authority = root().join("tests/certificates/ca.pem");
        let file = |path: &Path| path.display().to_string();
        format!(
            "enablessl = true\ncluster_tls_cert = {:?}\ncluster_tls_key = {:?}\ncluster_tls_ca = {:?}\n",
            file(&self.folder.join("own.pem")),
            file(&self.folder.join("own.key")),
            file(&authority),
        )
    }
}

struct Place {
    config: String,
}

impl Place {
    fn new() -> Self {
        Self {
            config: format!("harbor = 0\nstore = \"127.0.0.1:{}\"\n", free_port()),
        }
    }

    fn serve(&self, more: &str) -> Node {
        let mut node = start(
            Side::Second,
            "cluster_server",
            &format!("{}{more}", self.config),
        );
        node.wait("serving");
        node
    }

    fn ask(&self, more: &str) -> Node {
        start(
            Side::First,
            "cluster_client",
            &format!("{}{more}", self.config),
        )
    }
}

#[test]
fn nodes_with_certificates_of_one_authority_work_together() {
    let (called, caller) = (Identity::new("tls-called"), Identity::new("tls-caller"));
    let place = Place::new();
    let server = place.serve(&called.config());
    let mut client = place.ask(&caller.config());
    client.wait(PROGRESS).wait(PROGRESS);
    client.kill();
    let secret = "cluster_secret = \"a long secret\"\n";
    server.kill();
    let _server = place.serve(&(called.config() + secret));
    place.ask(&(caller.config() + secret)).wait(PROGRESS);
}

#[test]
fn certificates_are_renewed_without_a_restart() {
    let (called, caller) = (Identity::new("renew-called"), Identity::new("renew-caller"));
    let place = Place::new();
    let mut server = place.serve(&called.config());
    let mut client = place.ask(&caller.config());
    client.wait(PROGRESS);
    // One of nobody's: new connections show it, and the one that stands goes on.
    called.renew("old");
    client.wait(PROGRESS);
    let mut second = place.ask(&caller.config());
    second.wait("TLS with it has failed");
    client.wait(PROGRESS);
    called.renew("other");
    second.wait(PROGRESS);
    // The same for the side that asks.
    second.kill();
    caller.renew("old");
    let mut third = place.ask(&caller.config());
    server.wait("TLS with the caller has failed");
    third.wait("it does not accept the certificate of this node");
    caller.renew("localhost");
    third.wait(PROGRESS);
    client.wait(PROGRESS);
}

#[test]
fn a_certificate_has_the_name_of_its_node_if_that_is_wanted() {
    let (called, caller) = (Identity::new("names-called"), Identity::new("names-caller"));
    let place = Place::new();
    let _server = place.serve(&called.config());
    let mut client = place.ask(&(caller.config() + "cluster_tls_names = true\n"));
    client.wait("certificate not valid for name \"store\"");
}

#[test]
fn both_sides_say_so_when_only_one_has_certificates() {
    let identity = Identity::new("tls-one-side");
    let place = Place::new();
    let mut server = place.serve(&identity.config());
    let mut client = place.ask("");
    client.wait("the called node takes TLS only (cluster_tls_cert)");
    server.wait("the caller speaks none");
    client.kill();
    server.kill();
    let mut server = place.serve("");
    let mut client = place.ask(&identity.config());
    client.wait("it may have no cluster_tls_cert");
    server.wait("the caller speaks TLS, and this node has no cluster_tls_cert");
}

#[test]
fn a_node_that_another_one_replaces_at_its_address_fails_no_call() {
    let place = Place::new();
    let mut server = place.serve("cluster_drain = 5\n");
    let mut client = place.ask("patience = 30\ncluster_drain = 5\n");
    client.wait(PROGRESS);
    for _ in 0..2 {
        server.signal("TERM");
        server.wait("this node has drained");
        server.ends();
        server = place.serve("cluster_drain = 5\n");
        client.wait(PROGRESS).wait(PROGRESS);
    }
    client.signal("TERM");
    let lines = client.ends();
    assert!(
        !lines.iter().any(|line| line.contains("a call has failed")),
        "{lines:#?}"
    );
}
