//! Nodes that work together, while either of them ends and starts again.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::tools::network::{Side, start};
use crate::tools::peer::free_port;
use crate::tools::running::Node;
use crate::tools::scratch;

/// Round trips that the clients print as "progress": enough to have had both sides busy.
const PROGRESS: &str = "progress";

#[test]
fn cluster_goes_on_when_either_node_is_started_again() {
    let config = format!("harbor = 0\nstore = \"127.0.0.1:{}\"", free_port());
    let serve = || start(Side::Second, "cluster_server", &config);
    let ask = || start(Side::First, "cluster_client", &config);
    let (mut server, mut client) = (serve(), ask());
    server.wait("serving");
    client.wait(PROGRESS);
    for _ in 0..2 {
        server.kill();
        client.wait("a call has failed");
        server = serve();
        server.wait("serving");
        client.wait(PROGRESS);
    }
    client.kill();
    client = ask();
    client.wait(PROGRESS);
    client.wait(PROGRESS);
}

#[test]
fn the_debug_console_listens_on_a_path() {
    if crate::tools::node::other_tree().is_some() {
        return; // the C core listens on ports only
    }
    let folder = scratch("console-path");
    let path = folder.join("console");
    let config = format!("harbor = 0\nconsole = \"unix:{}\"", path.display());
    // The second one finds the file that the first one has left.
    for _ in 0..2 {
        let mut node = start(Side::First, "console_node", &config);
        node.wait("Start debug console at unix:");
        let mut connection = UnixStream::connect(&path).expect("the console listens");
        connection
            .write_all(b"GET /getenv/harbor HTTP/1.1\r\n\r\n")
            .expect("the console reads");
        let mut answer = String::new();
        connection
            .read_to_string(&mut answer)
            .expect("the console answers");
        assert_eq!(answer, "Welcome to skynet console\nharbor\t0\n<CMD OK>\n");
        node.kill();
    }
}

/// A node of a network of harbors, and the addresses it needs.
struct Harbors {
    master: u16,
    nodes: [u16; 2],
}

impl Harbors {
    fn new() -> Self {
        Self {
            master: free_port(),
            nodes: [free_port(), free_port()],
        }
    }

    fn start(&self, id: usize) -> Node {
        let mut config = format!(
            "harbor = {id}\nmaster = \"127.0.0.1:{}\"\naddress = \"127.0.0.1:{}\"\n",
            self.master,
            self.nodes[id - 1]
        );
        let side = if id == 1 {
            config += &format!("standalone = \"127.0.0.1:{}\"\n", self.master);
            Side::First
        } else {
            Side::Second
        };
        start(side, "harbor_node", &config)
    }
}

#[test]
fn harbors_talk_in_both_directions() {
    let network = Harbors::new();
    let mut first = network.start(1);
    first.wait("serving");
    let mut second = network.start(2);
    first.wait(PROGRESS);
    second.wait(PROGRESS);
}

#[test]
fn harbors_take_a_restarted_node_back() {
    if crate::tools::node::other_tree().is_some() {
        return; // the C core's Lua layer does not tell callers, nor takes the node back
    }
    let network = Harbors::new();
    let mut first = network.start(1);
    first.wait("serving");
    let mut second = network.start(2);
    first.wait(PROGRESS);
    for _ in 0..2 {
        second.kill();
        first.wait("a call has failed");
        second = network.start(2);
        second.wait(PROGRESS);
        first.wait(PROGRESS);
    }
}

#[test]
fn harbors_join_a_restarted_master_again() {
    if crate::tools::node::other_tree().is_some() || std::env::var_os("SKYNET_PEER_TREE").is_some()
    {
        return; // slaves of the C core's Lua layer cannot
    }
    let network = Harbors::new();
    let mut first = network.start(1);
    first.wait("serving");
    let mut second = network.start(2);
    second.wait(PROGRESS);
    first.kill();
    second.wait("Master disconnect");
    first = network.start(1);
    second.wait("Master is back");
    first.wait(PROGRESS);
    second.wait(PROGRESS);
}
