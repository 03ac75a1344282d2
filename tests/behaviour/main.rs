//! The behaviour of the C interface, seen from C services in a running node.

mod commands;
mod node;
