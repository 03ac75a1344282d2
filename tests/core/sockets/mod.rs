//! The socket interface: events, ownership, closing, writes, UDP. The test is the peer of the node's sockets.

mod connections;
mod datagrams;
mod output;
mod puppet;
