//! Listening sockets.

use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;

use super::socket::Role;
use super::stream::TcpStream;
use super::table::Owned;
use super::{c_host, could_not};
use crate::context::Ctx;
use crate::runtime::core::current;
use crate::sys;
use crate::sys::sockets::need;

/// Connections that the kernel keeps for the node.
const BACKLOG: i32 = 128;

/// A socket that listens. Dropped, it is closed, and what was not accepted with it.
pub struct TcpListener {
    socket: Owned,
    _local: PhantomData<*const ()>,
}

impl TcpListener {
    /// Listens on an address of this machine; `0.0.0.0` or `::` are all of them.
    ///
    /// # Errors
    ///
    /// When the address cannot be had.
    pub async fn bind(ctx: Ctx, host: &str, port: u16) -> io::Result<TcpListener> {
        let _ = ctx;
        let sockets = &sys::api().sockets;
        let listen = need(sockets.listen, "skynet_socket_listen", "v1.0.0")?;
        let c_host = c_host(host)?;
        // SAFETY: the context of the service whose turn it is, and a C string.
        let id = current(|core| unsafe {
            listen(core.context(), c_host.as_ptr(), port.into(), BACKLOG)
        });
        if id < 0 {
            return Err(could_not("listen on", host, port));
        }
        let listener = TcpListener {
            socket: Owned::new(id, Role::Listener, false, host.to_string()),
            _local: PhantomData,
        };
        listener.socket.0.start();
        poll_fn(|context| listener.socket.0.poll_open(context)).await?;
        Ok(listener)
    }

    /// The port, which for port 0 the system has chosen. Releases before v1.6.0 do not tell it.
    pub fn port(&self) -> Option<u16> {
        self.socket.0.state().port
    }

    /// The number that the core knows it by.
    pub fn id(&self) -> i32 {
        self.socket.0.id
    }

    /// The next connection. Goes on waiting while the node has no descriptor for one, of which there is a line in the log.
    ///
    /// # Errors
    ///
    /// When the listener has ended.
    pub async fn accept(&self) -> io::Result<TcpStream> {
        let socket = &self.socket.0;
        let (id, peer) = poll_fn(|context| socket.poll_accepted(context)).await?;
        let stream = Owned::new(id, Role::Stream, true, peer);
        stream.0.start();
        Ok(TcpStream::new(stream))
    }

    /// The next connection, which another service will start by its id. As [`TcpListener::accept`].
    ///
    /// # Errors
    ///
    /// When the listener has ended.
    pub async fn accept_id(&self) -> io::Result<(i32, String)> {
        let socket = &self.socket.0;
        poll_fn(|context| socket.poll_accepted(context)).await
    }
}
