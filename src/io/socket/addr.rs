//! Addresses: the kernel's form, the text form of events, and the bytes that travel with UDP messages.

use std::fmt::Write;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a socket speaks. The numbers of the UDP variants are the first byte of a UDP address on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Protocol {
    /// A stream (also descriptors that the application bound).
    Tcp = 0,
    /// Datagrams over IPv4.
    Udp4 = 1,
    /// Datagrams over IPv6.
    Udp6 = 2,
}

impl Protocol {
    /// The inverse of `as u8`.
    pub const fn from_u8(n: u8) -> Protocol {
        match n {
            1 => Protocol::Udp4,
            2 => Protocol::Udp6,
            _ => Protocol::Tcp,
        }
    }
}

/// An address as the kernel takes it (IPv4 or IPv6).
#[derive(Clone, Copy)]
pub struct SockAddr {
    storage: libc::sockaddr_in6,
    len: u32,
}

impl SockAddr {
    /// An empty place for the kernel to fill.
    pub fn empty() -> SockAddr {
        SockAddr {
            // SAFETY: all-zero is a valid sockaddr_in6.
            storage: unsafe { MaybeUninit::zeroed().assume_init() },
            len: size_of::<libc::sockaddr_in6>() as u32,
        }
    }

    /// An address from its parts; `port` in host order.
    pub fn new(ip: IpAddr, port: u16) -> SockAddr {
        let mut a = SockAddr::empty();
        match ip {
            IpAddr::V4(v4) => {
                // SAFETY: the storage is larger than sockaddr_in and at least as aligned.
                let s = unsafe { &mut *(&raw mut a.storage).cast::<libc::sockaddr_in>() };
                s.sin_family = libc::AF_INET as u16;
                s.sin_port = port.to_be();
                s.sin_addr.s_addr = u32::from_ne_bytes(v4.octets());
                a.len = size_of::<libc::sockaddr_in>() as u32;
            }
            IpAddr::V6(v6) => {
                a.storage.sin6_family = libc::AF_INET6 as u16;
                a.storage.sin6_port = port.to_be();
                a.storage.sin6_addr.s6_addr = v6.octets();
            }
        }
        a
    }

    /// A copy of what `ptr` points to; `None` for other families than IPv4 and IPv6.
    ///
    /// # Safety
    /// `ptr` points to `len` readable bytes.
    pub unsafe fn from_raw(ptr: *const libc::sockaddr, len: u32) -> Option<SockAddr> {
        let mut a = SockAddr::empty();
        if len as usize > size_of::<libc::sockaddr_in6>() {
            return None;
        }
        // SAFETY: the length was checked against the storage; the source is readable by contract.
        unsafe {
            std::ptr::copy_nonoverlapping(
                ptr.cast::<u8>(),
                (&raw mut a.storage).cast::<u8>(),
                len as usize,
            )
        };
        a.len = len;
        a.ip().map(|_| a)
    }

    /// For system calls that read an address.
    pub fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    /// For system calls that write an address.
    pub fn as_mut(&mut self) -> (*mut libc::sockaddr, *mut u32) {
        ((&raw mut self.storage).cast(), &raw mut self.len)
    }

    /// Length of the kernel's form in bytes.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// AF_INET or AF_INET6 (or what the kernel wrote).
    pub fn family(&self) -> i32 {
        i32::from(self.storage.sin6_family)
    }

    /// The address without the port.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.family() {
            libc::AF_INET => {
                // SAFETY: the family says that the storage holds a sockaddr_in.
                let s = unsafe { &*(&raw const self.storage).cast::<libc::sockaddr_in>() };
                Some(IpAddr::V4(Ipv4Addr::from(s.sin_addr.s_addr.to_ne_bytes())))
            }
            libc::AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(self.storage.sin6_addr.s6_addr))),
            _ => None,
        }
    }

    /// The port in host order. (Both families keep it at the same place.)
    pub fn port(&self) -> u16 {
        u16::from_be(self.storage.sin6_port)
    }

    /// `ip:port`, as ACCEPT events and the statistics show it.
    pub fn name(&self) -> Text {
        let mut t = Text::new();
        if let Some(ip) = self.ip() {
            let _ = write!(t, "{ip}:{}", self.port());
        } else if self.family() == libc::AF_UNIX {
            t.append(b"unix");
        }
        t
    }

    /// Which UDP protocol the address belongs to.
    pub fn udp_protocol(&self) -> Option<Protocol> {
        match self.family() {
            libc::AF_INET => Some(Protocol::Udp4),
            libc::AF_INET6 => Some(Protocol::Udp6),
            _ => None,
        }
    }
}

/// A UDP address as bytes: type (1 or 2), port (network order), 4 or 16 address bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpAddress {
    bytes: [u8; UdpAddress::MAX],
}

impl UdpAddress {
    /// Longest form (IPv6).
    pub const MAX: usize = 19;
    /// No address: the first byte is no UDP type.
    pub const NONE: UdpAddress = UdpAddress {
        bytes: [0; UdpAddress::MAX],
    };

    /// Length of an address whose first byte is `kind`; `None` if that is no UDP address.
    pub const fn size_of_kind(kind: u8) -> Option<usize> {
        match kind {
            1 => Some(7),
            2 => Some(19),
            _ => None,
        }
    }

    /// Reads an address that is borrowed.
    ///
    /// # Safety
    /// `ptr` points to at least as many readable bytes as its first byte asks for.
    pub unsafe fn read(ptr: *const u8) -> Option<UdpAddress> {
        // SAFETY: one byte is readable by contract.
        let n = Self::size_of_kind(unsafe { *ptr })?;
        let mut a = UdpAddress::NONE;
        // SAFETY: `n` bytes are readable by contract, and `n <= MAX`.
        unsafe { std::ptr::copy_nonoverlapping(ptr, a.bytes.as_mut_ptr(), n) };
        Some(a)
    }

    /// The bytes of a kernel address.
    pub fn from_sock(a: &SockAddr) -> Option<UdpAddress> {
        let mut u = UdpAddress::NONE;
        u.bytes[1..3].copy_from_slice(&a.port().to_be_bytes());
        match a.ip()? {
            IpAddr::V4(v4) => {
                u.bytes[0] = Protocol::Udp4 as u8;
                u.bytes[3..7].copy_from_slice(&v4.octets());
            }
            IpAddr::V6(v6) => {
                u.bytes[0] = Protocol::Udp6 as u8;
                u.bytes[3..19].copy_from_slice(&v6.octets());
            }
        }
        Some(u)
    }

    /// Type of the address; `Tcp` if there is none.
    pub fn protocol(&self) -> Protocol {
        Protocol::from_u8(self.bytes[0])
    }

    /// The bytes that travel.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..Self::size_of_kind(self.bytes[0]).unwrap_or(0)]
    }

    /// The kernel's form; `None` if there is no address.
    pub fn to_sock(self) -> Option<SockAddr> {
        let port = u16::from_be_bytes([self.bytes[1], self.bytes[2]]);
        let ip = match self.protocol() {
            Protocol::Udp4 => IpAddr::from(<[u8; 4]>::try_from(&self.bytes[3..7]).ok()?),
            Protocol::Udp6 => IpAddr::from(<[u8; 16]>::try_from(&self.bytes[3..19]).ok()?),
            Protocol::Tcp => return None,
        };
        Some(SockAddr::new(ip, port))
    }
}

/// The text of an event: at most 128 bytes, no NUL inside.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; Text::MAX],
    len: u8,
}

impl Text {
    /// Longest text that travels in an event.
    pub const MAX: usize = 128;

    /// No text.
    pub const fn new() -> Text {
        Text {
            bytes: [0; Text::MAX],
            len: 0,
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Appends as much of `more` as fits, up to its first NUL.
    pub fn append(&mut self, more: &[u8]) {
        let more = &more[..more.iter().position(|&b| b == 0).unwrap_or(more.len())];
        let n = more.len().min(Text::MAX - usize::from(self.len));
        let at = usize::from(self.len);
        self.bytes[at..at + n].copy_from_slice(&more[..n]);
        self.len += n as u8;
    }
}

impl From<&str> for Text {
    fn from(s: &str) -> Text {
        let mut t = Text::new();
        t.append(s.as_bytes());
        t
    }
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        self.append(s.as_bytes());
        Ok(())
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}
