//! The behaviour of the C interface, seen from C services in a running node.

mod commands;
mod crash;
mod direct;
mod ending;
mod harbor;
mod life;
mod logs;
mod messages;
mod modules;
mod node;
mod process;
mod sockets;
mod stalls;
mod timers;
