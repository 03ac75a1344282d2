//! TCP connections.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use super::socket::Role;
#[cfg(feature = "tokio")]
use super::socket::Socket;
use super::table::Owned;
use super::{c_host, could_not};
use crate::context::Ctx;
use crate::payload::Payload;
use crate::runtime::core::current;
use crate::sys;
use crate::sys::sockets::need;

/// A TCP connection. Dropped, it is closed once all was sent. Reading and writing need no `mut`: one task may read while another one writes
/// (with `Rc<TcpStream>`, or `&TcpStream`), but not two of a kind.
pub struct TcpStream {
    socket: Owned,
    _local: PhantomData<*const ()>,
}

impl TcpStream {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When the host is unknown, does not answer, or refuses; the text is the core's.
    pub async fn connect(ctx: Ctx, host: &str, port: u16) -> io::Result<TcpStream> {
        let _ = ctx;
        let connect = need(
            sys::api().sockets.connect,
            "skynet_socket_connect",
            "v1.0.0",
        )?;
        let c_host = c_host(host)?;
        // SAFETY: the context of the service whose turn it is, and a C string.
        let id = current(|core| unsafe { connect(core.context(), c_host.as_ptr(), port.into()) });
        if id < 0 {
            return Err(could_not("connect to", host, port));
        }
        let stream = TcpStream::new(Owned::new(id, Role::Stream, false, String::new()));
        poll_fn(|context| stream.socket.0.poll_open(context)).await?;
        Ok(stream)
    }

    /// Takes a socket over that another service has accepted or used, by its id: a gate, or `socket.abandon` in Lua.
    ///
    /// # Errors
    ///
    /// When there is no such socket, or this service has it already.
    pub async fn from_id(ctx: Ctx, id: i32) -> io::Result<TcpStream> {
        let _ = ctx;
        need(sys::api().sockets.start, "skynet_socket_start", "v1.0.0")?;
        if Owned::is_there(id) {
            let text = format!("this service has the socket {id} already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let stream = TcpStream::new(Owned::new(id, Role::Stream, false, String::new()));
        stream.socket.0.start();
        poll_fn(|context| stream.socket.0.poll_open(context)).await?;
        Ok(stream)
    }

    pub(super) fn new(socket: Owned) -> TcpStream {
        TcpStream {
            socket,
            _local: PhantomData,
        }
    }

    /// Gives the socket away: another service may start it by this id. What has come and was not read is lost.
    pub fn into_id(self) -> i32 {
        self.socket.forget()
    }

    /// The number that the core knows it by.
    pub fn id(&self) -> i32 {
        self.socket.0.id
    }

    /// The peer's address: `ip:port` of a connection that was accepted, the ip of one that was made. Empty when it is not known.
    pub fn peer(&self) -> String {
        self.socket.0.state().address.clone()
    }

    /// Sends small pieces at once (`TCP_NODELAY`).
    pub fn set_nodelay(&self) {
        if let Some(nodelay) = sys::api().sockets.nodelay {
            // SAFETY: the context of the service whose turn it is.
            current(|core| unsafe { nodelay(core.context(), self.id()) });
        }
    }

    /// So many bytes, and what was on its way, wait to be read; then the peer has to wait.
    ///
    /// # Errors
    ///
    /// When this release of the core cannot let a peer wait (before v1.4.0).
    pub fn set_read_limit(&self, bytes: usize) -> io::Result<()> {
        need(sys::api().sockets.pause, "skynet_socket_pause", "v1.4.0")?;
        self.socket.0.state().limit = bytes;
        Ok(())
    }

    /// So many bytes have come and were not read.
    pub fn waiting(&self) -> usize {
        self.socket.0.state().waiting
    }

    /// Reads some bytes; 0 is the end.
    ///
    /// # Errors
    ///
    /// When the connection broke.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|context| self.poll_read(context, buffer)).await
    }

    /// The bytes that have come next, without a copy; `None` at the end.
    ///
    /// # Errors
    ///
    /// When the connection broke.
    pub async fn chunk(&self) -> io::Result<Option<Payload>> {
        let socket = &self.socket.0;
        poll_fn(|context| socket.poll_input(context, |input| input.take())).await
    }

    /// Writes bytes; some of them, or waits.
    ///
    /// # Errors
    ///
    /// When the connection broke or was closed.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|context| self.poll_write(context, bytes)).await
    }

    /// Writes all bytes.
    ///
    /// # Errors
    ///
    /// When the connection broke or was closed.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.write(bytes).await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Writes a payload without a copy.
    ///
    /// # Errors
    ///
    /// When the connection broke or was closed.
    pub async fn send(&self, payload: impl Into<Payload>) -> io::Result<()> {
        let payload = payload.into();
        if payload.is_empty() {
            return Ok(());
        }
        poll_fn(|context| self.socket.0.poll_room(context)).await?;
        self.socket.0.hand_over(payload)
    }

    /// Writes a payload, or not at all: for what a slow peer may miss.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when too much waits to be sent; and when the connection broke or was closed.
    pub fn try_send(&self, payload: impl Into<Payload>) -> io::Result<()> {
        match self.socket.0.room()? {
            Some(_) => self.socket.0.hand_over(payload.into()),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Ends the connection once all was sent; nothing can be read or written any more. To drop the stream does the same.
    pub fn close(&self) {
        self.socket.0.end(false);
    }

    /// Ends the connection at once; what was not sent yet is lost.
    pub fn abort(&self) {
        self.socket.0.end(true);
    }

    pub(super) fn poll_read(
        &self,
        context: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.socket
            .0
            .poll_input(context, |input| input.copy(buffer))
            .map_ok(|read| read.unwrap_or(0))
    }

    #[cfg(feature = "tokio")]
    pub(super) fn socket(&self) -> &Socket {
        &self.socket.0
    }

    pub(super) fn poll_write(
        &self,
        context: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.socket.0.poll_room(context).map(|room| {
            let len = bytes.len().min(room?);
            self.socket.0.hand_over(Payload::copy_from(&bytes[..len]))?;
            Ok(len)
        })
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("id", &self.id())
            .field("peer", &self.peer())
            .finish()
    }
}
