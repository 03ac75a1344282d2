//! Sockets: one I/O thread, and workers that write for themselves.
//!
//! The way of an event: [`poller`] (epoll) -> [`turn`] (one turn of the I/O thread: commands, then sockets that are
//! ready) -> [`receive`] / [`accept`] / [`connect`] -> [`event`] -> [`node`] (a message to the owner).
//!
//! The way of bytes to send: [`mod@server`] -> [`send`] (look the socket up in the table, [`slot`]) -> [`handoff`]
//! (become the owner of the socket's output, or hand the block to the present owner) -> written at once, or queued
//! ([`queue`]) until the I/O thread is told that there is room, and written then ([`flush`]).
//!
//! What a socket may do when is in [`state`], a pure function, and what that says is done in [`steps`]. Everything that changes a socket's state
//! happens in a turn, under the [`claim`] of its slot; other threads ask for it by [`command`]s, which go to that claim, and through the
//! [`agenda`] and an eventfd to the thread that runs the next turn; [`requests`] does them. What earlier releases did otherwise is in [`rules`] and [`earlier`].
//!
//! The I/O thread is the one that holds the poller lock ([`crate::scheduler::poller_lock`]): the socket thread, a worker
//! that has nothing else to do ([`mod@polling`]), or the monitor thread in their place ([`mod@stand_in`]). It is replaced if the system does
//! not run it, so for a moment there may be two; "the I/O role" for a socket is who has its claim.
//!
//! Nothing here waits but the I/O thread in epoll, for as long as there is nothing to do; name look-ups have threads of
//! their own ([`resolve`]).

mod accept;
pub(crate) mod addr;
pub(crate) mod agenda;
mod ahead;
mod at_rest;
mod backoff;
pub(crate) mod buffer;
pub(crate) mod claim;
pub(crate) mod command;
mod connect;
mod cork;
mod earlier;
pub(crate) mod event;
mod flush;
pub(crate) mod handoff;
pub(crate) mod info;
pub(crate) mod keepalive;
mod local;
mod node;
mod ownerless;
pub(crate) mod poller;
mod polling;
pub(crate) mod queue;
mod receive;
mod requests;
pub(crate) mod resolve;
mod rules;
mod send;
pub(crate) mod server;
pub(crate) mod shared;
pub(crate) mod slot;
mod spare;
mod stand_in;
mod state;
mod steps;
pub(crate) mod sys;
mod totals;
mod turn;
mod wait;

#[cfg(test)]
mod tests;

pub use at_rest::Rest;
pub use buffer::{NoMemory, ObjectInterface, Payload};
pub use cork::Looker;
#[cfg(all(test, not(feature = "loom")))]
pub use event::{Event, EventKind};
pub use info::SocketInfo;
pub use keepalive::KeepAlive;
pub use node::{
    Poll, at_rest, end_turn, exit, free, init, poll, poll_once, run, server, stand_in,
    try_poll_lease, turns, uncork_all, uncork_late, wake_poller,
};
pub use ownerless::Ownerless;
pub use polling::PollLease;
pub use server::{Hooks, SocketServer};
pub use shared::Clock;
pub use stand_in::{NextLook, StandIn};

/// Logs a line of the socket server, with the node as its source.
pub fn report(text: &str) {
    crate::base::log::error(0, text.as_bytes());
}
