//! What a program with a node does in its own `build.rs`, for the example: C code in files finds the core and Lua in the program.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-examples=-rdynamic");
}
