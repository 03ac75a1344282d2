//! What tells handles of this process from bytes of others.

use std::sync::OnceLock;

/// A number that is not known outside of the process: it never leaves it.
fn secret() -> u64 {
    static SECRET: OnceLock<u64> = OnceLock::new();
    *SECRET.get_or_init(|| {
        let mut bytes = [0; 8];
        if skynet_support::random::fill(&mut bytes).is_ok() {
            u64::from_ne_bytes(bytes)
        } else {
            // No system without it has an address that is known beforehand.
            (&raw const SECRET).addr() as u64 ^ u64::from(std::process::id()).rotate_left(40)
        }
    })
}

/// The seal of an address.
pub fn of(address: usize) -> u64 {
    secret() ^ (address as u64).rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_belongs_to_one_address() {
        assert_eq!(of(0x1000), of(0x1000));
        assert_ne!(of(0x1000), of(0x1010));
        assert_ne!(of(0), 0);
    }
}
