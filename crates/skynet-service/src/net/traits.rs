//! Streams with the traits of others.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::stream::TcpStream;

/// The trait `AsyncWrite` that is in scope: tokio's and that of futures-io differ in the name of the method that ends a stream.
macro_rules! async_write {
    ($stream:ty, $end:ident) => {
        impl AsyncWrite for $stream {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                TcpStream::poll_write(&self, context, bytes)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Both directions end: see [`TcpStream::close`].
            fn $end(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.close();
                Poll::Ready(Ok(()))
            }
        }
    };
}

#[cfg(feature = "tokio")]
mod of_tokio {
    use super::{Context, Pin, Poll, TcpStream, io};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    fn read(
        stream: &TcpStream,
        context: &Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let copied = stream.socket().poll_input(context, |input| {
            // The room is not initialised, so bytes are appended piece by piece.
            while buffer.remaining() > 0 && !input.first().is_empty() {
                let first = input.first();
                let len = first.len().min(buffer.remaining());
                buffer.put_slice(&first[..len]);
                input.consume(len);
            }
        });
        copied.map_ok(|_| ())
    }

    macro_rules! stream {
        ($stream:ty) => {
            impl AsyncRead for $stream {
                fn poll_read(
                    self: Pin<&mut Self>,
                    context: &mut Context<'_>,
                    buffer: &mut ReadBuf<'_>,
                ) -> Poll<io::Result<()>> {
                    read(&self, context, buffer)
                }
            }

            async_write!($stream, poll_shutdown);
        };
    }

    stream!(TcpStream);
    stream!(&TcpStream);
}

#[cfg(feature = "futures-io")]
mod of_futures {
    use super::{Context, Pin, Poll, TcpStream, io};
    use futures_io::{AsyncRead, AsyncWrite};

    macro_rules! stream {
        ($stream:ty) => {
            impl AsyncRead for $stream {
                fn poll_read(
                    self: Pin<&mut Self>,
                    context: &mut Context<'_>,
                    buffer: &mut [u8],
                ) -> Poll<io::Result<usize>> {
                    TcpStream::poll_read(&self, context, buffer)
                }
            }

            async_write!($stream, poll_close);
        };
    }

    stream!(TcpStream);
    stream!(&TcpStream);
}
