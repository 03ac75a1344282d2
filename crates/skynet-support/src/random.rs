//! Random bytes of the system.

use std::io::{Error, ErrorKind};

/// Fills `bytes` with what nobody can foretell. It waits until the system has gathered enough, which it has soon after its start.
pub fn fill(mut bytes: &mut [u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        // SAFETY: so many bytes are there.
        let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        match usize::try_from(filled) {
            Ok(filled) => bytes = &mut bytes[filled..],
            Err(_) => {
                let error = Error::last_os_error();
                if error.kind() != ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_length_is_filled() {
        for length in [0, 1, 256, 5000] {
            let (mut one, mut other) = (vec![0; length], vec![0; length]);
            super::fill(&mut one).unwrap();
            super::fill(&mut other).unwrap();
            assert!(length < 256 || one != other);
            assert!(length < 256 || one[length - 64..].iter().any(|byte| *byte != 0));
        }
    }
}
