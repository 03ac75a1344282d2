//! The committed headers of `include/`.

use std::path::Path;

#[test]
fn generated_headers_are_what_the_sources_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let headers = skynet_headers::render(&root).expect("headers");
    assert!(!headers.is_empty());
    for header in headers {
        let path = Path::new("include").join(&header.file);
        let committed = std::fs::read_to_string(root.join(&path)).unwrap_or_default();
        assert!(
            committed == header.text,
            "{} is old: run `cargo run -p skynet-headers`",
            path.display()
        );
    }
}
