//! A room that clients enter by TCP. Each line of one is heard by all others.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use futures_util::StreamExt;
use serde::Serialize;
use skynet_service::error::BoxError;
use skynet_service::net::{TcpListener, TcpStream};
use skynet_service::{Args, Ctx, service};
use tokio_util::codec::{FramedRead, LinesCodec};

/// A client that sends a longer line is put out.
const LONGEST_LINE: usize = 1000;

#[derive(Default)]
struct Clients {
    streams: RefCell<BTreeMap<i32, Rc<TcpStream>>>,
    lines: Cell<u64>,
    missed: Cell<u64>,
}

struct Room {
    port: u16,
    clients: Rc<Clients>,
}

/// What Lua gets as a table.
#[derive(Serialize)]
struct Figures {
    clients: usize,
    lines: u64,
    missed: u64,
}

#[service("room")]
impl Room {
    /// The argument is the address.
    async fn init(ctx: Ctx, args: Args) -> Result<Room, BoxError> {
        let (host, port) = args.split_once(' ').ok_or("expected HOST PORT")?;
        let listener = TcpListener::bind(ctx, host, port.parse()?).await?;
        let port = listener.port().unwrap_or_default();
        let clients = Rc::new(Clients::default());
        drop(ctx.spawn_named("the listener", accept(ctx, listener, Rc::clone(&clients))));
        Ok(Room { port, clients })
    }

    #[command]
    fn port(&self) -> u16 {
        self.port
    }

    #[command]
    fn figures(&self) -> Figures {
        Figures {
            clients: self.clients.streams.borrow().len(),
            lines: self.clients.lines.get(),
            missed: self.clients.missed.get(),
        }
    }
}

async fn accept(ctx: Ctx, listener: TcpListener, clients: Rc<Clients>) {
    while let Ok(stream) = listener.accept().await {
        let stream = Rc::new(stream);
        let clients = Rc::clone(&clients);
        drop(ctx.spawn_named("a client", async move {
            clients.enter(&stream);
            if let Err(error) = clients.listen_to(&stream).await {
                log::info!("{}: {error}", stream.peer());
            }
            clients.streams.borrow_mut().remove(&stream.id());
        }));
    }
}

impl Clients {
    fn enter(&self, stream: &Rc<TcpStream>) {
        let mut streams = self.streams.borrow_mut();
        streams.insert(stream.id(), Rc::clone(stream));
        let _ = stream.try_send(format!("welcome {}\n", streams.len()));
    }

    async fn listen_to(&self, stream: &TcpStream) -> Result<(), BoxError> {
        let mut lines = FramedRead::new(stream, LinesCodec::new_with_max_length(LONGEST_LINE));
        while let Some(line) = lines.next().await {
            self.say(stream.id(), &format!("{}: {}\n", stream.id(), line?));
        }
        Ok(())
    }

    /// Who is too slow misses it.
    fn say(&self, from: i32, line: &str) {
        self.lines.set(self.lines.get() + 1);
        for (id, stream) in self.streams.borrow().iter() {
            let is_slow = *id != from
                && stream
                    .try_send(line)
                    .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            self.missed.set(self.missed.get() + u64::from(is_slow));
        }
    }
}
