//! The addresses of datagrams, as the core writes them: a byte for the version of IP, the port, the address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const V4: u8 = 1;
const V6: u8 = 2;

/// Reads what stands behind a datagram.
pub(super) fn parse(bytes: &[u8]) -> Option<SocketAddr> {
    let (&version, rest) = bytes.split_first()?;
    let (port, ip) = rest.split_first_chunk::<2>()?;
    let ip = match version {
        V4 => IpAddr::from(*ip.first_chunk::<4>()?),
        V6 => IpAddr::from(*ip.first_chunk::<16>()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

/// How many bytes an address has that begins with this one.
pub(super) fn len(version: u8) -> usize {
    match version {
        V4 => 7,
        V6 => 19,
        _ => 0,
    }
}

/// An address for the core.
pub(super) fn write(address: SocketAddr) -> [u8; 19] {
    let mut bytes = [0; 19];
    bytes[1..3].copy_from_slice(&address.port().to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => {
            bytes[0] = V4;
            bytes[3..7].copy_from_slice(&Ipv4Addr::octets(&ip));
        }
        IpAddr::V6(ip) => {
            bytes[0] = V6;
            bytes[3..].copy_from_slice(&Ipv6Addr::octets(&ip));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{len, parse, write};

    #[test]
    fn addresses_come_back() {
        for text in ["127.0.0.1:29000", "255.0.0.255:0", "[::1]:65535"] {
            let address = text.parse().unwrap();
            let bytes = write(address);
            assert_eq!(parse(&bytes[..len(bytes[0])]), Some(address), "{text}");
        }
    }

    #[test]
    fn what_is_cut_is_no_address() {
        let bytes = write("[::1]:1".parse().unwrap());
        for len in 0..bytes.len() {
            assert_eq!(parse(&bytes[..len]), None);
        }
        assert_eq!(parse(&[3; 19]), None);
        assert_eq!(len(3), 0);
    }
}
