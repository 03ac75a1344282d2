//! One connection: bytes of the peer in, bytes for the peer out.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConnection};

use crate::problem::Problem;
use crate::settings::Settings;

/// Plain bytes for one record, at most (RFC 8446 §5.1).
const RECORD: usize = 1 << 14;
/// What a record takes beside its plain bytes is less (RFC 8446 §5.2, RFC 5246 §6.2.3).
const OVERHEAD: usize = 64;
/// A buffer above this size does not stay.
const KEPT: usize = 1 << 16;

/// A TLS connection without its transport.
pub struct Session {
    state: State,
    /// For the peer.
    output: Vec<u8>,
    /// From the peer, decrypted.
    plain: Vec<u8>,
    /// The peer has said that nothing follows.
    ended: bool,
}

enum State {
    /// A client that may still be told the name of its server.
    Named(Named),
    Open(Box<Connection>),
}

struct Named {
    config: Arc<ClientConfig>,
    /// None: no name is sent.
    host: Option<ServerName<'static>>,
    verifies: bool,
}

impl Session {
    /// A session that begins a connection.
    pub fn client(settings: &mut Settings) -> Result<Self, Problem> {
        Ok(Self::new(State::Named(Named {
            config: settings.client()?,
            host: None,
            verifies: settings.verifies(),
        })))
    }

    /// A session that answers one.
    pub fn server(settings: &mut Settings) -> Result<Self, Problem> {
        let connection = ServerConnection::new(settings.server()?)
            .map_err(|error| Problem::because("SSL_new failed", error))?;
        Ok(Self::new(State::Open(Box::new(connection.into()))))
    }

    fn new(state: State) -> Self {
        Self {
            state,
            output: Vec::new(),
            plain: Vec::new(),
            ended: false,
        }
    }

    /// Sets the server's name, which is sent (SNI, RFC 6066; addresses are not) and, with authorities, verified. False for
    /// what is no name, on a server, and after the handshake has begun.
    pub fn set_host(&mut self, host: Option<&str>) -> bool {
        let State::Named(named) = &mut self.state else {
            return false;
        };
        let parsed = host.map(|host| ServerName::try_from(host.to_owned()));
        let valid = !matches!(parsed, Some(Err(_)));
        named.host = parsed.and_then(Result::ok);
        valid
    }

    /// The open connection; a client's begins here.
    fn open(&mut self) -> Result<&mut Connection, Problem> {
        if let State::Named(named) = &self.state {
            let host = named.host.clone();
            if named.verifies && host.is_none() {
                return Err(Problem::new("verification needs the server's name"));
            }
            // An address is not sent; without verification it does not matter which.
            let unspecified = || ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            let host = host.unwrap_or_else(unspecified);
            let connection = ClientConnection::new(named.config.clone(), host)
                .map_err(|error| Problem::because("SSL_new failed", error))?;
            self.state = State::Open(Box::new(connection.into()));
        }
        match &mut self.state {
            State::Open(connection) => Ok(connection),
            State::Named(_) => unreachable!("opened above"),
        }
    }

    /// Whether both sides are through with the handshake.
    pub fn finished(&self) -> bool {
        matches!(&self.state, State::Open(connection) if !connection.is_handshaking())
    }

    /// Goes on with the handshake, with what came from the peer. Afterwards there may be [`Session::output`], also when this
    /// was the last step.
    pub fn handshake(&mut self, received: &[u8]) -> Result<(), Problem> {
        if self.finished() {
            return Err(Problem::new("handshake is finished"));
        }
        let result = self.feed(received);
        // After a failure this is the alert that says why.
        self.collect();
        result.map_err(|reason| Problem::because("SSL_do_handshake error:1 ret:-1", reason))
    }

    /// Takes what came from the peer; afterwards there may be [`Session::plain`]. What precedes an error is not lost: the error
    /// comes back with the next call.
    pub fn read(&mut self, received: &[u8]) -> Result<(), Problem> {
        match self.feed(received) {
            Err(reason) if self.plain.is_empty() => {
                Err(Problem::because("SSL_read error:1", reason))
            }
            _ => Ok(()),
        }
    }

    /// Encrypts `plain`; afterwards it is in [`Session::output`], behind all else that waits to be sent.
    pub fn write(&mut self, plain: &[u8]) -> Result<(), Problem> {
        if !plain.is_empty() && !self.finished() {
            // SSL_ERROR_WANT_READ
            return Err(Problem::because(
                "SSL_write error:2",
                "handshake is not finished",
            ));
        }
        // As long as what a program sends.
        let records = plain.len().div_ceil(RECORD);
        if self
            .output
            .try_reserve(plain.len() + records * OVERHEAD)
            .is_err()
        {
            return Err(Problem::new("not enough memory"));
        }
        for record in plain.chunks(RECORD) {
            let connection = self.open()?;
            connection
                .writer()
                .write_all(record)
                .map_err(|reason| Problem::because("SSL_write error:1", reason))?;
            self.collect();
        }
        self.collect();
        Ok(())
    }

    /// Tells the peer that nothing more follows; it is in [`Session::output`] then.
    pub fn close_notify(&mut self) {
        if let State::Open(connection) = &mut self.state {
            connection.send_close_notify();
        }
        self.collect();
    }

    /// Whether the peer has said that nothing follows.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The protocol that both sides agreed on (ALPN).
    pub fn protocol(&self) -> Option<&[u8]> {
        match &self.state {
            State::Open(connection) => connection.alpn_protocol(),
            State::Named(_) => None,
        }
    }

    /// The name that the client asked for, on the server's side.
    pub fn asked_for(&self) -> Option<&str> {
        match &self.state {
            State::Open(connection) => match &**connection {
                Connection::Server(server) => server.server_name(),
                Connection::Client(_) => None,
            },
            State::Named(_) => None,
        }
    }

    /// What to send; the caller reports with [`Session::sent`] how much it has sent.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Forgets the output.
    pub fn sent(&mut self) {
        empty(&mut self.output);
    }

    /// What has been decrypted; the caller reports with [`Session::taken`] how much it has taken.
    pub fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// Forgets the decrypted bytes.
    pub fn taken(&mut self) {
        empty(&mut self.plain);
    }

    /// Decrypts what came. The connection holds a few records only, so they leave it one after the other.
    fn feed(&mut self, mut received: &[u8]) -> Result<(), Problem> {
        self.open()?;
        let State::Open(connection) = &mut self.state else {
            unreachable!("opened above")
        };
        loop {
            // 0: the peer has said that nothing follows. The library takes an empty read for the end of the connection.
            let ended =
                !received.is_empty() && connection.read_tls(&mut received).map_err(text)? == 0;
            let result = connection.process_new_packets();
            // Also what was decrypted before a failure. The reader's error only says that there is no more.
            let _ = connection.reader().read_to_end(&mut self.plain);
            self.ended |= result.map_err(text)?.peer_has_closed();
            if ended || received.is_empty() {
                return Ok(());
            }
        }
    }

    fn collect(&mut self) {
        if let State::Open(connection) = &mut self.state {
            while connection.wants_write() {
                // A Vec takes everything.
                if connection.write_tls(&mut self.output).is_err() {
                    break;
                }
            }
        }
    }
}

fn text(error: impl std::fmt::Display) -> Problem {
    Problem::new(error.to_string())
}

fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(KEPT);
}
