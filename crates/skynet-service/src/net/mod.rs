//! Sockets of the node: TCP and UDP on the core's socket server, for the tasks of a service.
//!
//! ```no_run
//! use skynet_service::{Ctx, net::{TcpListener, TcpStream}};
//!
//! async fn echo(ctx: Ctx) -> std::io::Result<()> {
//!     let listener = TcpListener::bind(ctx, "127.0.0.1", 8888).await?;
//!     loop {
//!         let stream = listener.accept().await?;
//!         drop(ctx.spawn(async move {
//!             // Payloads are handed over in both directions: no byte is copied.
//!             while let Some(bytes) = stream.chunk().await? {
//!                 stream.send(bytes).await?;
//!             }
//!             std::io::Result::Ok(())
//!         }));
//!     }
//! }
//! ```
//!
//! # Codecs
//!
//! With the feature `tokio`, [`TcpStream`] (and `&TcpStream`) is `AsyncRead` and `AsyncWrite` of tokio, so the codecs of `tokio-util` and
//! what is built on them work; with `futures-io` it has the traits of that name, for `async-tungstenite` and its like. Nothing of tokio's
//! runtime is needed: the service wakes its tasks.
//!
//! # Limits
//!
//! * **Reading.** What has come and was not read is at most [`READ_LIMIT`] bytes and what was on its way
//!   ([`TcpStream::set_read_limit`]): the core is told to read no more before half of it has been read, and TCP holds the peer up. Releases
//!   before v1.4.0 have no such function; there a stream that has [`HARD_LIMIT`] bytes is closed, with an error for the reader.
//! * **Writing.** A writer waits while more than about a mebibyte waits to be sent. So a peer that does not read costs that much, and not more.
//! * **Accepting.** [`MOST_WAITING`] connections wait for [`TcpListener::accept`]; others are closed.
//! * **Datagrams.** [`READ_LIMIT`] bytes wait; others are dropped, as the kernel does.
//!
//! # Ends
//!
//! A stream, listener or socket that is dropped is closed, once what was written has been sent; and so are all those of a service that ends,
//! however it ends. A peer that has sent all ends the reading (`0` bytes); writing goes on until it goes away, on releases from v1.5.0 on.
//! The C interface has no end of writing alone: to close a stream ends both directions.
//!
//! A service that uses this module gets no messages of [`Kind::Socket`](crate::Kind::Socket) itself.

mod address;
mod listener;
mod output;
mod socket;
mod stream;
mod table;
#[cfg(any(feature = "tokio", feature = "futures-io"))]
mod traits;
mod udp;

use std::ffi::CString;
use std::io;

pub use listener::TcpListener;
pub use stream::TcpStream;
pub(crate) use table::Table;
pub use udp::UdpSocket;

/// So many bytes of a stream, or of datagrams, wait to be read, if nothing else was said.
pub const READ_LIMIT: usize = 1 << 20;

/// So many bytes wait at most on releases that cannot hold a peer up.
pub const HARD_LIMIT: usize = 16 << 20;

/// So many connections wait to be accepted.
pub const MOST_WAITING: usize = 1024;

/// A host for C.
fn c_host(host: &str) -> io::Result<CString> {
    CString::new(host).map_err(|_| {
        let text = format!("{host:?} is no host: it has a zero byte");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

fn could_not(what: &str, host: &str, port: u16) -> io::Error {
    io::Error::other(format!("cannot {what} {host}:{port}; the log may say more"))
}
