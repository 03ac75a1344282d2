//! What a service is.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::rc::Rc;

use crate::context::Ctx;
use crate::error::BoxError;
use crate::kind::Kind;
use crate::message::Message;

/// A service. The attribute [`macro@crate::service`] writes this, and the functions for C, from a plain `impl` block.
///
/// All of a service runs on one thread at a time, so it may keep `Rc`, `Cell` and `RefCell`. The thread is another one from message
/// to message: **do not keep what is not `Send` in thread-local variables, nor what comes out of one in the service** (`rand::rng()`, guards
/// of locks), which is the one thing that the compiler cannot see.
pub trait Service: Sized + 'static {
    /// Begins the service. When it is ready at once, an error is also that of whoever launches it; when it has to wait for something,
    /// the launch succeeds, messages wait until it is ready, and an error ends the service.
    fn init(ctx: Ctx, args: Args) -> impl Future<Output = Result<Self, BoxError>> + 'static;

    /// The same for an init that awaits nothing, which needs no task. `Err` has the arguments back: [`Service::init`] is to be called.
    #[doc(hidden)]
    fn init_at_once(ctx: Ctx, args: Args) -> Result<Result<Self, BoxError>, Args> {
        let _ = ctx;
        Err(args)
    }

    /// Handles a message of any type but answers. Must not block; what takes long goes to a task ([`Ctx::spawn`]) or to other threads
    /// ([`Ctx::offload`]).
    fn message(self: &Rc<Self>, ctx: Ctx, message: Message<'_>) {
        unhandled(ctx, &message);
    }

    /// A signal of the debug console (`signal ADDRESS NUMBER`).
    fn signal(self: &Rc<Self>, ctx: Ctx, signal: i32) {
        let _ = (ctx, signal);
    }
}

/// What a service does with a message that it does not know: a line in the log, and an error to who waits for an answer. Tags of
/// `skynet.trace`, which come unasked, are ignored.
pub fn unhandled(ctx: Ctx, message: &Message<'_>) {
    const TRACE: Kind = Kind::Other(12);
    let _ = ctx;
    if message.kind() == TRACE {
        return;
    }
    let source = message
        .source()
        .map_or_else(|| "the node".to_string(), |source| source.to_string());
    log::warn!(
        "no handler for a message of type {:?} from {source}",
        message.kind()
    );
    drop(message.responder());
}

/// What stands behind the service's name where it is launched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    text: String,
    /// As they came, where that is no text.
    bytes: Option<Box<[u8]>>,
}

impl Args {
    /// Arguments, as the core hands them over.
    #[inline]
    pub fn new(bytes: &[u8]) -> Args {
        if bytes.is_empty() {
            // Most services have none.
            return Args {
                text: String::new(),
                bytes: None,
            };
        }
        Args::some(bytes)
    }

    fn some(bytes: &[u8]) -> Args {
        match str::from_utf8(bytes) {
            Ok(text) => Args {
                text: text.to_owned(),
                bytes: None,
            },
            Err(_) => Args {
                text: String::from_utf8_lossy(bytes).into_owned(),
                bytes: Some(bytes.into()),
            },
        }
    }

    /// As they came.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(self.text.as_bytes())
    }

    /// As text; what is no UTF-8 is replaced.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Deref for Args {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
