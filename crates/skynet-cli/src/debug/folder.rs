//! The folder of the socket between the editor's process and the node.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Bytes that the path of a socket may have, on all systems.
const LONGEST: usize = 103;
/// The socket's name.
const SOCKET: &str = "adapter";

/// A folder that only this user can read, with a socket, which goes at the end.
pub struct Folder(PathBuf);

impl Folder {
    /// In the folder of temporary files; elsewhere if that is not there, or its path is too long for a socket's.
    pub fn new() -> io::Result<Folder> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let places = [Some(std::env::temp_dir()), runtime, Some("/tmp".into())];
        let mut first_problem = None;
        for place in places.into_iter().flatten() {
            match Folder::inside(&place) {
                Ok(folder) => return Ok(folder),
                Err(problem) => {
                    let named = format!("{}: {problem}", place.display());
                    first_problem.get_or_insert(io::Error::new(problem.kind(), named));
                }
            }
        }
        Err(first_problem.unwrap_or_else(|| io::Error::from(io::ErrorKind::NotFound)))
    }

    fn inside(place: &Path) -> io::Result<Folder> {
        // One that is there is another's, who may have chosen the name.
        for number in 0..1000 {
            let folder = place.join(format!("skynet-debug-{}-{number}", std::process::id()));
            let length = folder.join(SOCKET).as_os_str().as_bytes().len();
            if length > LONGEST {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "a socket's path would have {length} bytes there, and {LONGEST} at most fit: set TMPDIR to a folder with a \
                         shorter path"
                    ),
                ));
            }
            match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Folder(folder)),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }

    pub fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is in the folder of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_which_no_socket_fits_is_not_taken() {
        let long = std::env::temp_dir().join("l".repeat(100));
        let problem = Folder::inside(&long).err().expect("too long").to_string();
        assert!(problem.contains("TMPDIR"), "{problem}");
    }
}
