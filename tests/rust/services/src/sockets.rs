//! A service with sockets, whose peers are blocking ones on other threads.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{
    SocketAddr, TcpListener as StdListener, TcpStream as StdStream, UdpSocket as StdUdp,
};
use std::rc::Rc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use skynet_service::error::BoxError;
use skynet_service::net::{TcpListener, TcpStream, UdpSocket};
use skynet_service::{Args, Ctx, Either, Handle, select, service};
use tokio_util::codec::{Framed, LinesCodec};

struct Sockets {
    /// Streams that are never read.
    kept: std::cell::RefCell<Vec<TcpStream>>,
}

/// A listener, on releases too that do not tell which port the system has chosen.
async fn listen(ctx: Ctx) -> Result<(TcpListener, SocketAddr), BoxError> {
    let address = StdListener::bind("127.0.0.1:0")?.local_addr()?;
    let listener = TcpListener::bind(ctx, "127.0.0.1", address.port()).await?;
    if listener.port().is_some_and(|port| port != address.port()) {
        return Err("another port than was asked for".into());
    }
    Ok((listener, address))
}

/// Errors that go from thread to thread.
type PeerResult<T> = Result<T, String>;

fn connect(address: SocketAddr) -> PeerResult<StdStream> {
    let stream = StdStream::connect(address).map_err(|error| error.to_string())?;
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).expect("a timeout");
    stream.set_write_timeout(patience).expect("a timeout");
    Ok(stream)
}

fn text<T>(result: std::io::Result<T>) -> PeerResult<T> {
    result.map_err(|error| error.to_string())
}

#[service("rs_sockets")]
impl Sockets {
    async fn init(_: Ctx, _: Args) -> Result<Sockets, BoxError> {
        Ok(Sockets {
            kept: std::cell::RefCell::default(),
        })
    }

    /// Lines, by a codec of tokio-util, cut in the middle.
    #[command]
    async fn lines(&self, ctx: Ctx) -> Result<Vec<String>, BoxError> {
        let (listener, address) = listen(ctx).await?;
        let server = ctx.spawn(async move {
            let stream = listener.accept().await?;
            stream.set_nodelay();
            let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(1 << 20));
            while let Some(line) = lines.next().await {
                lines.send(line?.to_uppercase()).await?;
            }
            Ok::<_, BoxError>(())
        });
        let answers = ctx.offload(move || -> PeerResult<Vec<String>> {
            let mut peer = connect(address)?;
            let mut lines = BufReader::new(text(peer.try_clone())?).lines();
            let mut answers = Vec::new();
            let long = "x".repeat(300_000);
            for pieces in [&["one\ntw", "o\n"][..], &["thr", "ee\n"], &[&long, "\n"]] {
                for piece in pieces {
                    text(peer.write_all(piece.as_bytes()))?;
                }
            }
            for line in lines.by_ref().take(4) {
                let line = text(line)?;
                answers.push(if line.len() > 10 {
                    line.len().to_string()
                } else {
                    line
                });
            }
            text(peer.shutdown(std::net::Shutdown::Both))?;
            Ok(answers)
        });
        let answers = answers.await??;
        server.await??;
        Ok(answers)
    }

    /// A request of HTTP, by httparse.
    #[command]
    async fn http(&self, ctx: Ctx) -> Result<(String, String), BoxError> {
        let (listener, address) = listen(ctx).await?;
        let peer = ctx.offload(move || -> PeerResult<String> {
            let mut peer = connect(address)?;
            for piece in ["GET /path HT", "TP/1.1\r\nHost: here\r", "\n\r\n"] {
                text(peer.write_all(piece.as_bytes()))?;
            }
            let mut answer = String::new();
            text(peer.read_to_string(&mut answer))?;
            Ok(answer)
        });
        let peer = ctx.spawn(peer);
        let stream = listener.accept().await?;
        let (mut head, mut buffer) = (Vec::new(), [0; 16]);
        let path = loop {
            let read = stream.read(&mut buffer).await?;
            head.extend_from_slice(&buffer[..read]);
            let mut headers = [httparse::EMPTY_HEADER; 4];
            let mut request = httparse::Request::new(&mut headers);
            if request.parse(&head)?.is_complete() {
                break request.path.unwrap_or_default().to_string();
            }
        };
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        drop(stream);
        Ok((path, peer.await???))
    }

    /// A WebSocket, by tungstenite on both sides.
    #[command]
    async fn websocket(&self, ctx: Ctx) -> Result<Vec<String>, BoxError> {
        use async_tungstenite::tungstenite::{self, Message};
        let (listener, address) = listen(ctx).await?;
        let peer = ctx.offload(move || -> PeerResult<Vec<String>> {
            let say = |error: tungstenite::Error| error.to_string();
            let url = format!("ws://{address}/");
            let (mut socket, _) =
                tungstenite::client(url, connect(address)?).map_err(|error| error.to_string())?;
            let mut answers = Vec::new();
            for question in ["one", "二"] {
                socket.send(Message::text(question)).map_err(say)?;
                answers.push(socket.read().map_err(say)?.to_string());
            }
            socket.close(None).map_err(say)?;
            while socket.read().is_ok() {}
            Ok(answers)
        });
        let peer = ctx.spawn(peer);
        let stream = listener.accept().await?;
        let mut socket = async_tungstenite::accept_async(stream).await?;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(question) = message {
                socket.send(Message::text(format!("{question}!"))).await?;
            }
        }
        // The client waits until the server has closed.
        drop(socket);
        Ok(peer.await???)
    }

    /// The peer ends its writing; what it gets after that.
    #[command]
    async fn half_close(&self, ctx: Ctx) -> Result<(String, String), BoxError> {
        let (listener, address) = listen(ctx).await?;
        let peer = ctx.spawn(ctx.offload(move || -> PeerResult<String> {
            let mut peer = connect(address)?;
            text(peer.write_all(b"all of it"))?;
            text(peer.shutdown(std::net::Shutdown::Write))?;
            let mut answer = String::new();
            text(peer.read_to_string(&mut answer))?;
            Ok(answer)
        }));
        let stream = listener.accept().await?;
        let mut all = Vec::new();
        while let Some(bytes) = stream.chunk().await? {
            all.extend_from_slice(&bytes);
        }
        let written = stream.write_all(b"bye").await;
        drop(stream);
        let answer = peer.await??.unwrap_or_default();
        let answer = if written.is_ok() {
            answer
        } else {
            "gone".to_string()
        };
        Ok((String::from_utf8(all)?, answer))
    }

    /// A peer that vanishes in the middle, with bytes of ours that it has not read: reading and writing end.
    #[command]
    async fn vanish(&self, ctx: Ctx) -> Result<(bool, bool), BoxError> {
        let (listener, address) = listen(ctx).await?;
        let peer = ctx.spawn(ctx.offload(move || connect(address)));
        let stream = listener.accept().await?;
        let peer = peer.await???;
        stream.send("not read").await?;
        ctx.offload(move || drop(peer)).await?;
        let ended = loop {
            match stream.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break true,
            }
        };
        // Some are taken until the system has told the core.
        let refused = loop {
            if stream.write_all(&[0; 1000]).await.is_err() {
                break true;
            }
            ctx.yield_now().await;
        };
        Ok((ended, refused))
    }

    /// A peer that does not read: how much is written before the writer waits, and that all arrives when it reads.
    #[command]
    async fn slow_reader(&self, ctx: Ctx, bytes: usize) -> Result<(usize, bool), BoxError> {
        let (listener, address) = listen(ctx).await?;
        let peer = ctx.spawn(ctx.offload(move || connect(address)));
        let stream = listener.accept().await?;
        let mut peer = peer.await???;
        let written = Rc::new(std::cell::Cell::new(0));
        let count = Rc::clone(&written);
        let mut writer = ctx.spawn(async move {
            let block = [7; 100_000];
            while count.get() < bytes {
                let len = block.len().min(bytes - count.get());
                count.set(count.get() + stream.write(&block[..len]).await?);
            }
            Ok::<_, BoxError>(())
        });
        let before = match select(&mut writer, ctx.sleep(Duration::from_millis(500))).await {
            Either::Left(result) => {
                result??;
                bytes
            }
            Either::Right(()) => written.get(),
        };
        let read = ctx.spawn(ctx.offload(move || -> PeerResult<usize> {
            let mut all = Vec::new();
            text(peer.read_to_end(&mut all))
        }));
        if before < bytes {
            writer.await??;
        }
        Ok((before, read.await??? == bytes))
    }

    /// A peer that sends more than is read: how much waits, and that nothing is lost.
    #[command]
    async fn fast_writer(&self, ctx: Ctx, bytes: usize) -> Result<(usize, bool), BoxError> {
        let (listener, address) = listen(ctx).await?;
        let peer = ctx.spawn(ctx.offload(move || -> PeerResult<()> {
            let mut peer = connect(address)?;
            text(peer.write_all(&vec![7; bytes]))
        }));
        let stream = listener.accept().await?;
        stream.set_read_limit(100_000)?;
        ctx.sleep(Duration::from_millis(500)).await;
        let waiting = stream.waiting();
        let mut sum = 0;
        while let Some(chunk) = stream.chunk().await? {
            sum += chunk.iter().map(|byte| usize::from(*byte)).sum::<usize>();
        }
        peer.await???;
        Ok((waiting, sum == 7 * bytes))
    }

    /// Nobody listens there.
    #[command]
    async fn refused(&self, ctx: Ctx) -> Result<String, BoxError> {
        let address = StdListener::bind("127.0.0.1:0")?.local_addr()?;
        match TcpStream::connect(ctx, "127.0.0.1", address.port()).await {
            Ok(_) => Ok("connected".to_string()),
            Err(error) => Ok(format!("{:?}", error.kind())),
        }
    }

    /// Connects to a listener of the node, whose connection another service takes over.
    #[command]
    async fn handed_over(&self, ctx: Ctx, other: u32) -> Result<String, BoxError> {
        let (listener, address) = listen(ctx).await?;
        let other = Handle::new(other).ok_or("no handle")?;
        let stream = TcpStream::connect(ctx, "127.0.0.1", address.port()).await?;
        let (id, _) = listener.accept_id().await?;
        stream.send("hello").await?;
        let answer = ctx.call_lua::<String>(other, &("take", id)).await?;
        let mut reply = [0; 5];
        let read = stream.read(&mut reply).await?;
        Ok(format!("{answer} {}", std::str::from_utf8(&reply[..read])?))
    }

    #[command]
    async fn take(&self, ctx: Ctx, id: i32) -> Result<String, BoxError> {
        let stream = TcpStream::from_id(ctx, id).await?;
        // Once: two streams of one socket would take each other's bytes.
        let again = TcpStream::from_id(ctx, id).await;
        let kind = again.err().map(|error| error.kind());
        if kind != Some(ErrorKind::AlreadyExists) {
            return Err(format!("taken over twice: {kind:?}").into());
        }
        let bytes = stream.chunk().await?.ok_or("the end")?;
        stream.send("there").await?;
        Ok(String::from_utf8(bytes.to_vec())?)
    }

    /// Keeps a connection and answers with its port, for a service that is killed.
    #[command]
    async fn keep(&self, ctx: Ctx) -> Result<u16, BoxError> {
        let (listener, address) = listen(ctx).await?;
        // The listener and one more stream are in tasks that never end.
        let stream = TcpStream::connect(ctx, "127.0.0.1", address.port()).await?;
        self.kept.borrow_mut().push(stream);
        drop(ctx.spawn(async move {
            let mut streams = Vec::new();
            while let Ok(stream) = listener.accept().await {
                let _ = stream.send("!").await;
                streams.push(stream);
            }
        }));
        Ok(address.port())
    }

    /// Kills a service that has sockets: all of them are closed.
    #[command]
    async fn killed(&self, ctx: Ctx) -> Result<bool, BoxError> {
        let other = ctx.launch("rs_sockets")?;
        let port: u16 = ctx.call_lua(other, &"keep").await?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut peer = ctx
            .offload(move || -> PeerResult<_> {
                let mut peer = connect(address)?;
                text(peer.read_exact(&mut [0]))?;
                Ok(peer)
            })
            .await??;
        ctx.kill(other);
        let closed = ctx.offload(move || -> PeerResult<bool> {
            let ended = matches!(peer.read(&mut [0]), Ok(0) | Err(_));
            // The listener goes some moment after.
            while connect(address).is_ok() {
                std::thread::yield_now();
            }
            Ok(ended)
        });
        Ok(closed.await??)
    }

    /// Datagrams, to and fro.
    #[command]
    async fn datagrams(&self, ctx: Ctx) -> Result<Vec<String>, BoxError> {
        let port = StdUdp::bind("127.0.0.1:0")?.local_addr()?.port();
        let socket = UdpSocket::bind(ctx, "127.0.0.1", port)?;
        let peer = StdUdp::bind("127.0.0.1:0")?;
        peer.set_read_timeout(Some(Duration::from_secs(60)))?;
        let peer_address = peer.local_addr()?;
        peer.send_to(b"one", ("127.0.0.1", port))?;
        let (bytes, from) = socket.receive().await?;
        let mut all = vec![String::from_utf8(bytes.to_vec())?];
        if from != peer_address {
            return Err(format!("from {from} and not from {peer_address}").into());
        }
        socket.send_to("two", from).await?;
        let connected = UdpSocket::bind(ctx, "127.0.0.1", 0)?;
        connected.connect("127.0.0.1", peer_address.port())?;
        connected.send("three").await?;
        let got = ctx.offload(move || -> PeerResult<Vec<String>> {
            let mut got = Vec::new();
            for _ in 0..2 {
                let mut buffer = [0; 100];
                let len = text(peer.recv(&mut buffer))?;
                got.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
            }
            got.sort();
            Ok(got)
        });
        all.extend(got.await??);
        Ok(all)
    }

    /// What only newer releases have.
    #[command]
    async fn dial(&self, ctx: Ctx) -> Result<String, BoxError> {
        let peer = StdUdp::bind("127.0.0.1:0")?;
        let socket = match UdpSocket::dial(ctx, "127.0.0.1", peer.local_addr()?.port()) {
            Ok(socket) => socket,
            Err(error) => return Ok(error.to_string()),
        };
        socket.send("dialled").await?;
        peer.set_read_timeout(Some(Duration::from_secs(60)))?;
        let got = ctx.offload(move || -> PeerResult<String> {
            let mut buffer = [0; 100];
            let len = text(peer.recv(&mut buffer))?;
            Ok(String::from_utf8_lossy(&buffer[..len]).into_owned())
        });
        Ok(got.await??)
    }
}
