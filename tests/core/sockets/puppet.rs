//! A service that does with sockets what a test says. The test is the peer.

use crate::node::{Node, Setup};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// A node whose puppet service obeys lines.
pub struct Puppet {
    pub node: Node,
    orders: TcpStream,
    seen: usize,
}

impl Puppet {
    pub fn new(setup: impl FnOnce(Setup) -> Setup) -> Self {
        let control = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = control.local_addr().unwrap().port();
        let node = setup(Setup::new(&format!("sockets {port}"))).start();
        let orders = control.accept().unwrap().0;
        orders.set_nodelay(true).unwrap();
        Puppet {
            node,
            orders,
            seen: 0,
        }
    }

    pub fn order(&mut self, line: &str) {
        self.orders
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    /// The next fact, whatever it is.
    pub fn next(&mut self) -> String {
        self.seen += 1;
        self.node.wait_fact(self.seen - 1)
    }

    /// The next fact that is no warning of a long queue.
    pub fn next_but_warnings(&mut self) -> String {
        loop {
            let fact = self.next();
            if !fact.starts_with("warning ") {
                return fact;
            }
        }
    }

    /// Gives an order that has one result.
    pub fn ask(&mut self, line: &str) -> String {
        self.order(line);
        self.next()
    }

    pub fn expect(&mut self, fact: &str) {
        assert_eq!(self.next(), fact, "\n{}", self.node.stdout());
    }

    /// Waits until both services have had all that was sent to them before.
    pub fn settle(&mut self) {
        for i in 0..20 {
            assert_eq!(
                self.ask(&format!("ping {i}")),
                format!("pong {i}"),
                "\n{}",
                self.node.stdout()
            );
            assert_eq!(
                self.ask(&format!("other ping {i}")),
                format!("other pong {i}"),
                "\n{}",
                self.node.stdout()
            );
        }
    }

    /// Opens a listening socket (id 2) and starts it.
    pub fn listen(&mut self) -> u16 {
        assert_eq!(self.ask("listen 0 127.0.0.1"), "listen gave 2");
        let bound = self.next();
        let port = bound
            .strip_prefix("connect 2 ")
            .and_then(|r| r.strip_suffix(" <127.0.0.1>"));
        let port = port.unwrap_or_else(|| panic!("{bound}")).parse().unwrap();
        self.order("start 2");
        self.expect("connect 2 0 <start>");
        port
    }

    /// Connects to the listening socket; the accepted one (`id`) is not started yet.
    pub fn accept(&mut self, port: u16, id: u32) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .unwrap();
        let from = stream.local_addr().unwrap();
        self.expect(&format!("accept 2 {id} <{from}>"));
        stream
    }

    /// A started connection with id 3.
    pub fn pair(&mut self) -> TcpStream {
        let port = self.listen();
        let stream = self.accept(port, 3);
        self.order("start 3");
        self.expect("connect 3 0 <start>");
        stream
    }
}

pub fn puppet() -> Puppet {
    Puppet::new(|setup| setup)
}

pub fn text(stream: &mut TcpStream, size: usize) -> String {
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}
