//! What the attribute `service` makes use of. No part of the interface.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::context::Ctx;
use crate::error::{BoxError, Chain, panic_message};
use crate::lua::{Error, Values};
use crate::message::{Caller, Message, Responder};
use crate::runtime::core::current;
#[cfg(any(test, feature = "testing"))]
pub use crate::runtime::instance::waiting;
pub use crate::runtime::instance::{create, init, release, signal};
use crate::runtime::task::Label;

/// A command that is being handled.
pub struct Request {
    caller: Caller,
    responder: Option<Responder>,
}

impl Request {
    /// Who has asked.
    pub fn caller(&self) -> Caller {
        self.caller
    }

    /// Answers.
    pub fn finish<T: serde_core::Serialize>(self, name: &str, result: Result<T, BoxError>) {
        let packed = match (result, self.responder) {
            (Ok(values), Some(responder)) => responder.respond_lua(&values).map_err(BoxError::from),
            (Ok(_), None) => Ok(()),
            // A responder that is dropped answers with an error.
            (Err(error), _) => Err(error),
        };
        if let Err(error) = packed {
            failed(name, &*error);
        }
    }

    /// Handles it in a task, which answers.
    pub fn spawn<T: serde_core::Serialize + 'static>(
        self,
        name: &'static str,
        label: &'static str,
        future: impl Future<Output = Result<T, BoxError>> + 'static,
    ) {
        let task = async move {
            let result = future.await;
            self.finish(name, result);
        };
        current(|core| core.start(task, Label::Named(label)));
    }
}

#[cold]
fn failed(name: &str, error: &dyn std::error::Error) {
    let service = Ctx::current().map_or("?", Ctx::service_name);
    log::error!("service {service}: command {name:?}: {}", Chain(error));
}

#[cold]
fn no_name(caller: Caller, error: &Error) {
    let service = Ctx::current().map_or("?", Ctx::service_name);
    let from = caller
        .source
        .map_or_else(|| "the node".to_string(), |from| from.to_string());
    log::error!(
        "service {service}: a message of type Lua from {from} does not begin with the name of a command: {error}"
    );
}

/// Handles a message of values, of which the first is the name of a command. `handle` gives the request back when it knows none of
/// that name; `names` are those that it knows.
pub fn commands<'m>(
    message: &'m Message<'_>,
    names: &[&str],
    handle: impl FnOnce(&str, Values<'m>, Request) -> Result<Option<Request>, Error>,
) {
    let mut values = Values::new(message.bytes());
    let request = Request {
        caller: message.caller(),
        responder: message.responder(),
    };
    let name: &str = match values.next() {
        Ok(name) => name,
        Err(error) => return no_name(message.caller(), &error),
    };
    // A request that is dropped on the way answers with an error.
    match catch_unwind(AssertUnwindSafe(|| handle(name, values, request))) {
        Ok(Ok(None)) => {}
        Ok(Ok(Some(_))) => {
            let text = format!("there is no such command; there are {}", names.join(", "));
            failed(name, &*BoxError::from(text));
        }
        Ok(Err(error)) => failed(name, &error),
        Err(panic) => current(|core| {
            core.report_panic(&format!("command {name}"), &panic_message(panic));
        }),
    }
}

/// Handles a message in a task.
pub fn spawn_message(future: impl Future<Output = ()> + 'static) {
    current(|core| core.start(future, Label::Named("message")));
}

/// The result of the user's, with whatever error it has.
pub fn boxed<T, E: Into<BoxError>>(result: Result<T, E>) -> Result<T, BoxError> {
    result.map_err(Into::into)
}
