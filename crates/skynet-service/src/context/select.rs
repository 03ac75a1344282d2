//! Waiting for the first of several futures.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Which of two futures was ready first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first one.
    Left(A),
    /// The second one.
    Right(B),
}

/// See [`select`].
#[must_use = "nothing happens before it is awaited"]
pub struct Select<A, B> {
    left: A,
    right: B,
}

/// Waits for the first of two futures; the other one is dropped, which withdraws its requests. When both are ready it is the first one. The
/// macros of the crate `futures` (`select!`, `join!`) work in tasks too.
pub fn select<A: Future, B: Future>(left: A, right: B) -> Select<A, B> {
    Select { left, right }
}

impl<A: Future, B: Future> Future for Select<A, B> {
    type Output = Either<A::Output, B::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: both are pinned with the whole, and never moved out.
        let (left, right) = unsafe {
            let this = self.get_unchecked_mut();
            (
                Pin::new_unchecked(&mut this.left),
                Pin::new_unchecked(&mut this.right),
            )
        };
        if let Poll::Ready(output) = left.poll(context) {
            return Poll::Ready(Either::Left(output));
        }
        right.poll(context).map(Either::Right)
    }
}
