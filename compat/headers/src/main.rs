//! `cargo run -p skynet-headers`: writes the generated headers into `include/`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = std::env::args_os().nth(1).map_or(root, Into::into);
    match skynet_headers::render(&root) {
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
        Ok(headers) => {
            for header in headers {
                let path = root.join("include").join(&header.file);
                // Untouched when nothing changed, so that nothing is compiled again.
                if std::fs::read_to_string(&path).is_ok_and(|old| old == header.text) {
                    continue;
                }
                if let Err(error) = std::fs::write(&path, &header.text) {
                    eprintln!("{}: {error}", path.display());
                    return ExitCode::FAILURE;
                }
            }
            ExitCode::SUCCESS
        }
    }
}
