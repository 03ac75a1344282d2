//! What comes over a network: protocols against peers that others wrote, and nodes that end and start while they talk.
#![cfg(feature = "lua")]

mod cluster;
mod discovery;
mod http;
mod kubernetes;
mod metrics;
mod mongo;
mod mysql;
mod nodes;
mod redis;
mod tls;
#[path = "../tools/mod.rs"]
mod tools;
mod websocket;
