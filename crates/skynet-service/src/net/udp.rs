//! Datagrams.

use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;

use super::socket::Role;
use super::table::Owned;
use super::{address, c_host, could_not};
use crate::context::Ctx;
use crate::payload::Payload;
use crate::runtime::core::current;
use crate::sys;
use crate::sys::Context;
use crate::sys::sockets::need;

/// A socket for datagrams. Dropped, it is closed.
pub struct UdpSocket {
    socket: Owned,
    _local: PhantomData<*const ()>,
}

type OfHost = unsafe extern "C" fn(*mut Context, *const std::ffi::c_char, i32) -> i32;

impl UdpSocket {
    /// A socket that is bound to an address and port of this machine. With port 0 the system chooses one, which nobody is told.
    ///
    /// # Errors
    ///
    /// When the address cannot be had.
    pub fn bind(ctx: Ctx, host: &str, port: u16) -> io::Result<UdpSocket> {
        let _ = ctx;
        let udp = need(sys::api().sockets.udp, "skynet_socket_udp", "v1.0.0")?;
        UdpSocket::made_by(udp, "bind", host, port)
    }

    /// A socket for one peer, of the kind that the peer's address asks for.
    ///
    /// # Errors
    ///
    /// When the host is unknown, and on releases before v1.8.0.
    pub fn dial(ctx: Ctx, host: &str, port: u16) -> io::Result<UdpSocket> {
        let _ = ctx;
        let dial = need(
            sys::api().sockets.udp_dial,
            "skynet_socket_udp_dial",
            "v1.8.0",
        )?;
        UdpSocket::made_by(dial, "dial", host, port)
    }

    /// A socket that is bound to a port, and can be told apart from others in the node's figures.
    ///
    /// # Errors
    ///
    /// When the address cannot be had, and on releases before v1.8.0.
    pub fn listen(ctx: Ctx, host: &str, port: u16) -> io::Result<UdpSocket> {
        let _ = ctx;
        let listen = need(
            sys::api().sockets.udp_listen,
            "skynet_socket_udp_listen",
            "v1.8.0",
        )?;
        UdpSocket::made_by(listen, "listen on", host, port)
    }

    fn made_by(make: OfHost, what: &str, host: &str, port: u16) -> io::Result<UdpSocket> {
        let c_host = c_host(host)?;
        // SAFETY: the context of the service whose turn it is, and a C string.
        let id = current(|core| unsafe { make(core.context(), c_host.as_ptr(), port.into()) });
        if id < 0 {
            return Err(could_not(what, host, port));
        }
        Ok(UdpSocket {
            socket: Owned::new(id, Role::Datagrams, true, String::new()),
            _local: PhantomData,
        })
    }

    /// [`UdpSocket::send`] goes there from now on.
    ///
    /// # Errors
    ///
    /// When the host is unknown.
    pub fn connect(&self, host: &str, port: u16) -> io::Result<()> {
        let sockets = &sys::api().sockets;
        let connect = need(sockets.udp_connect, "skynet_socket_udp_connect", "v1.0.0")?;
        let c_host = c_host(host)?;
        let (id, port_number) = (self.id(), port.into());
        // SAFETY: as above.
        let result =
            current(|core| unsafe { connect(core.context(), id, c_host.as_ptr(), port_number) });
        if result < 0 {
            return Err(could_not("connect to", host, port));
        }
        Ok(())
    }

    /// The number that the core knows it by.
    pub fn id(&self) -> i32 {
        self.socket.0.id
    }

    /// The next datagram, and who sent it.
    ///
    /// # Errors
    ///
    /// When the socket fails.
    pub async fn receive(&self) -> io::Result<(Payload, SocketAddr)> {
        let socket = &self.socket.0;
        let next = poll_fn(|context| socket.poll_input(context, |input| input.take_datagram()));
        match next.await? {
            Some(datagram) => Ok(datagram),
            None => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Sends to the peer.
    ///
    /// # Errors
    ///
    /// When the socket fails.
    pub async fn send(&self, datagram: impl Into<Payload>) -> io::Result<()> {
        self.send_out(None, datagram.into()).await
    }

    /// Sends to an address.
    ///
    /// # Errors
    ///
    /// When the socket fails, or is for addresses of the other version of IP.
    pub async fn send_to(&self, datagram: impl Into<Payload>, to: SocketAddr) -> io::Result<()> {
        self.send_out(Some(to), datagram.into()).await
    }

    async fn send_out(&self, to: Option<SocketAddr>, datagram: Payload) -> io::Result<()> {
        let socket = &self.socket.0;
        poll_fn(|context| socket.poll_room(context)).await?;
        match to {
            Some(to) => socket.hand_over_to(&address::write(to), datagram),
            None => socket.hand_over(datagram),
        }
    }
}
