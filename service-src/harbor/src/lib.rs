//! The service `harbor`: sends messages to services of other nodes, and global names to who has them.
//!
//! The Lua service that keeps the connections (the *slave*) launches it with `ID SLAVE`: the harbor id of the node and the
//! slave's handle in decimal. Between them:
//!
//! | direction | message | meaning |
//! |---|---|---|
//! | to the harbor | `N name` | the sender of the message has that global name |
//! | | `F name` | no service has that name, and none is waited for: requests to it fail |
//! | | `S fd id` | this node has connected to that harbor; its id has to come first |
//! | | `A fd id` | that harbor has connected to this node |
//! | to the slave | `Q name` | who has this name? |
//! | | `D id` | the connection is lost |
//!
//! A harbor that was lost may be connected again.

pub mod frame;
pub mod network;

use std::ffi::CStr;
use std::ptr;
use std::slice;

use libc::{c_char, c_int, c_void};
use skynet_sys::{
    Context, PTYPE_ERROR, PTYPE_HARBOR, PTYPE_SOCKET, PTYPE_SYSTEM, PTYPE_TAG_DONTCOPY, PTYPE_TEXT,
    RemoteMessage, SOCKET_BUFFER_MEMORY, SendBuffer, SocketMessage, skynet_callback, skynet_error,
    skynet_harbor_start, skynet_send, skynet_socket_close, skynet_socket_sendbuffer,
    skynet_socket_start, socket_type,
};

use network::{HARBORS, Letter, Network, Node};
use skynet_sys::block::Block;

/// Bytes of a global name.
pub const NAME: usize = skynet_sys::GLOBALNAME_LENGTH;
/// A global name, padded with zeros.
pub type Name = [u8; NAME];

/// The core, as the harbor service sees it.
struct Core {
    context: *mut Context,
    slave: u32,
}

impl Node for Core {
    fn deliver(&mut self, to: u32, letter: Letter) -> bool {
        let ty = c_int::from(letter.ty) | PTYPE_TAG_DONTCOPY;
        let (data, size) = letter.payload.into_raw();
        // SAFETY: the service is alive while it works; the core takes the block over in every case.
        unsafe {
            skynet_send(
                self.context,
                letter.source,
                to,
                ty,
                letter.session,
                data,
                size,
            ) >= 0
        }
    }

    fn fail(&mut self, destination: u32, source: u32, session: c_int) {
        if source == 0 {
            return; // no service waits for an answer
        }
        // SAFETY: as above; there is no data.
        unsafe {
            skynet_send(
                self.context,
                destination,
                source,
                PTYPE_ERROR,
                session,
                ptr::null_mut(),
                0,
            );
        }
    }

    fn tell(&mut self, text: &[u8]) {
        let data = text.as_ptr().cast_mut().cast();
        // SAFETY: as above; the core copies the text.
        unsafe {
            skynet_send(self.context, 0, self.slave, PTYPE_TEXT, 0, data, text.len());
        }
    }

    fn log(&mut self, text: &str) {
        // SAFETY: as above; this format takes the length and the bytes.
        unsafe {
            skynet_error(
                self.context,
                c"%*s".as_ptr(),
                text.len() as c_int,
                text.as_ptr(),
            );
        }
    }

    fn start(&mut self, fd: c_int) {
        // SAFETY: the service is alive while it works; the core looks the id up, and one that is no socket does nothing.
        unsafe { skynet_socket_start(self.context, fd) };
    }

    fn write(&mut self, fd: c_int, bytes: Block) {
        let (buffer, sz) = bytes.into_raw();
        let mut buffer = SendBuffer {
            id: fd,
            r#type: SOCKET_BUFFER_MEMORY,
            buffer,
            sz,
        };
        // SAFETY: as above; the core takes the block over in every case.
        unsafe { skynet_socket_sendbuffer(self.context, &mut buffer) };
    }

    fn close(&mut self, fd: c_int) {
        // SAFETY: the service is alive while it works; the core looks the id up, and one that is no socket does nothing.
        unsafe { skynet_socket_close(self.context, fd) };
    }
}

/// An instance of the service; without a network before `init`.
struct Harbor(Option<Network<Core>>);

/// Runs a command of the slave, see the table above.
fn command<N: Node>(network: &mut Network<N>, text: &[u8], source: u32) {
    let rest = text.get(2..).unwrap_or_default();
    match text.first() {
        Some(kind @ (b'N' | b'F')) => {
            // A name that is asked for may be too long to be registered.
            let longest = if *kind == b'N' { NAME - 1 } else { NAME };
            if rest.is_empty() || rest.len() > longest {
                let shown = String::from_utf8_lossy(rest);
                return network.node.log(&format!("Invalid global name {shown}"));
            }
            let mut name = [0; NAME];
            name[..rest.len()].copy_from_slice(rest);
            match kind {
                b'N' => network.name(name, source),
                _ => network.give_up(&name),
            }
        }
        Some(kind @ (b'S' | b'A')) => {
            let rest = String::from_utf8_lossy(rest);
            let mut numbers = rest.split_ascii_whitespace();
            let mut number = || numbers.next().and_then(|word| word.parse::<c_int>().ok());
            match (number(), number()) {
                (Some(fd), Some(id)) if fd != 0 && (1..HARBORS as c_int).contains(&id) => {
                    network.connect(fd, id as usize, *kind == b'A');
                }
                _ => network
                    .node
                    .log(&format!("Invalid command {} {rest}", char::from(*kind))),
            }
        }
        _ => {
            let shown = String::from_utf8_lossy(text);
            network.node.log(&format!("Unknown command {shown}"));
        }
    }
}

/// An event of a socket. Takes the data.
///
/// # Safety
/// `message` is what the core has sent with `PTYPE_SOCKET`.
unsafe fn socket_event(network: &mut Network<Core>, message: &SocketMessage) {
    let fd = message.id;
    let harbor = network.behind(fd);
    match message.r#type {
        socket_type::DATA => {
            // SAFETY: such a message owns `ud` bytes at `buffer`.
            let data =
                unsafe { Block::from_raw(message.buffer.cast(), message.ud.max(0) as usize) };
            match harbor {
                Some(harbor) => network.receive(harbor, data.bytes()),
                None => network.node.log(&format!("Invalid socket fd ({fd}) data")),
            }
        }
        socket_type::ERROR | socket_type::CLOSE => match harbor {
            Some(harbor) => network.lose(harbor),
            None => network.node.log(&format!("Unknown fd ({fd}) closed")),
        },
        socket_type::CONNECT => {}
        socket_type::WARNING => {
            if let Some(harbor) = harbor {
                let size = message.ud;
                network.node.log(&format!(
                    "message havn't send to Harbor ({harbor}) reach {size} K"
                ));
            }
        }
        other => network
            .node
            .log(&format!("recv invalid socket message type {other}")),
    }
}

/// A message that the core wants to have sent to another node.
fn outgoing<N: Node>(
    network: &mut Network<N>,
    message: &RemoteMessage,
    source: u32,
    session: c_int,
) {
    // SAFETY: the core hands the payload over.
    let payload = unsafe { Block::from_raw(message.message.cast_mut(), message.sz) };
    let letter = Letter {
        source,
        ty: message.ty as u8,
        session,
        payload,
    };
    match message.destination.handle {
        0 => network.send_to_name(message.destination.name.map(|byte| byte as u8), letter),
        handle => network.send(handle, letter),
    }
}

/// The callback of the service.
///
/// # Safety
/// The core calls it as "skynet.h" says of a callback: `ud` is what `init` has registered, an instance that lives until `release`; no other callback of
/// the service runs; `msg` is null or `sz` readable bytes for the time of the call.
unsafe extern "C" fn receive(
    _context: *mut Context,
    ud: *mut c_void,
    ty: c_int,
    session: c_int,
    source: u32,
    msg: *const c_void,
    sz: usize,
) -> c_int {
    // SAFETY: contract of this function: the instance, which nothing else uses meanwhile.
    let Some(network) = (unsafe { &mut (*ud.cast::<Harbor>()).0 }) else {
        return 0;
    };
    let sz = if msg.is_null() { 0 } else { sz };
    match ty {
        PTYPE_SOCKET if sz >= size_of::<SocketMessage>() => {
            // SAFETY: the core's socket messages begin with this structure, aligned as malloc does it.
            unsafe { socket_event(network, &*msg.cast::<SocketMessage>()) }
        }
        PTYPE_HARBOR if sz > 0 => {
            // SAFETY: the core hands over `sz` readable bytes at `msg` for the time of the call.
            let text = unsafe { slice::from_raw_parts(msg.cast::<u8>(), sz) };
            command(network, text, source);
        }
        PTYPE_SYSTEM if sz == size_of::<RemoteMessage>() => {
            // SAFETY: the core's messages of this type to its harbor service are this structure.
            outgoing(
                network,
                unsafe { &*msg.cast::<RemoteMessage>() },
                source,
                session,
            );
        }
        _ => {
            network.node.log(&format!(
                "recv invalid message from {source:x},  type = {ty}"
            ));
            if session != 0 && ty != PTYPE_ERROR {
                network.node.fail(0, source, session);
            }
        }
    }
    0
}

/// `harbor_create`.
///
/// # Safety
/// None needed; the signature is that of `NAME_create`.
pub unsafe extern "C" fn create() -> *mut c_void {
    Box::into_raw(Box::new(Harbor(None))).cast()
}

/// `harbor_init`: `parm` is the harbor id and the slave's handle, in decimal. Without the latter gives 1.
///
/// # Safety
/// `instance` comes from [`create`], `context` is its service, `parm` is null or a C string.
pub unsafe extern "C" fn init(
    instance: *mut c_void,
    context: *mut Context,
    parm: *const c_char,
) -> c_int {
    if parm.is_null() {
        return 1;
    }
    // SAFETY: a C string, as the caller promises.
    let text = unsafe { CStr::from_ptr(parm) }.to_string_lossy();
    let mut words = text.split_ascii_whitespace();
    let id = words.next().and_then(|word| word.parse::<u8>().ok());
    let slave = words.next().and_then(|word| word.parse::<u32>().ok());
    let (Some(id), Some(slave @ 1..)) = (id, slave) else {
        return 1;
    };
    let network = Network::new(Core { context, slave }, id.into());
    // SAFETY: the instance outlives the registration: the core releases it after the last callback.
    unsafe {
        (*instance.cast::<Harbor>()).0 = Some(network);
        skynet_callback(context, instance, Some(receive));
        skynet_harbor_start(context);
    }
    0
}

/// `harbor_release`: closes the connections.
///
/// # Safety
/// `instance` comes from [`create`] and is not used afterwards.
pub unsafe extern "C" fn release(instance: *mut c_void) {
    // SAFETY: contract of this function.
    let harbor = unsafe { Box::from_raw(instance.cast::<Harbor>()) };
    if let Some(mut network) = harbor.0 {
        network.shut();
    }
}
