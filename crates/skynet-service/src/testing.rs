//! A node for unit tests of services: in the process of the test, on its thread, with a time of its own.
//!
//! It has what services ask of a core: messages, names, timers, environment, launch and the end of services. There is no Lua in it and
//! there are no sockets; a test in a real node is for that. Time stands still while there is something to do, also on other threads
//! ([`Ctx::offload`](crate::Ctx::offload), [`Ctx::elsewhere`](crate::Ctx::elsewhere)), and jumps to the next timer when there is not. A test that
//! waits for what never comes fails, and says what the services wait for.
//!
//! ```
//! use skynet_service::{Args, Ctx, error::BoxError, service, testing::Node};
//! use std::time::Duration;
//!
//! struct Clock;
//!
//! #[service]
//! impl Clock {
//!     async fn init(_: Ctx, _: Args) -> Result<Clock, BoxError> {
//!         Ok(Clock)
//!     }
//!
//!     #[command]
//!     async fn wait(&self, ctx: Ctx, seconds: u64) -> &'static str {
//!         ctx.sleep(Duration::from_secs(seconds)).await;
//!         "now"
//!     }
//! }
//!
//! let node = Node::new();
//! let clock = node.launch::<Clock>("clock", "").unwrap();
//! let answer: String = node.call_lua(clock, &("wait", 3600)).unwrap();
//! assert_eq!(answer, "now");
//! ```

mod api;
mod core;
mod stuck;
mod threads;

use std::ffi::{CString, c_int};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::core::{Constructor, Shared, State};
use crate::address::Handle;
use crate::error::{CallError, SendError};
use crate::export;
use crate::kind::Kind;
use crate::lua;
use crate::payload::Payload;
use crate::service::Service;

pub(crate) use self::threads::{NodeOfThread, node_of_thread};

/// How long a test waits for other threads.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same where no thread is known that could do anything: those of the test itself may.
const PATIENCE_WITHOUT: Duration = Duration::from_secs(1);
/// How much time of the node a test waits for something.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A node. Tests of one process may have nodes at the same time.
pub struct Node {
    shared: Arc<Shared>,
    /// Who the test is to the services.
    test: u32,
}

/// A message that the test, or a service made by [`Node::peer`], has got.
#[derive(Debug)]
pub struct Received {
    /// Who sent it; `None` for the node.
    pub source: Option<Handle>,
    /// Its type.
    pub kind: Kind,
    /// The number of the request.
    pub session: i32,
    /// The bytes.
    pub payload: Payload,
}

impl Received {
    /// Whether it is for a request of the test. What services ask has numbers of their own.
    fn answers(&self) -> bool {
        self.session != 0 && matches!(self.kind, Kind::Response | Kind::Error)
    }
}

impl Default for Node {
    fn default() -> Node {
        Node::new()
    }
}

impl Node {
    /// A node without services.
    ///
    /// # Panics
    ///
    /// When the process is a real node. Within a service of another node, a request that the service handles then fails: it works in
    /// [`Ctx::offload`](crate::Ctx::offload).
    pub fn new() -> Node {
        let shared = Shared::new();
        let test = shared.add_mailbox();
        Node { shared, test }
    }

    /// How long the test waits for other threads, in real time: a minute, if nothing else is said.
    pub fn set_patience(&self, patience: Duration) {
        self.state(|state| state.patience = Some(patience));
    }

    /// How much time of the node may pass while the test waits for something: a day, if nothing else is said. So a test ends in which a service
    /// does something again and again, and what is waited for never comes.
    pub fn set_limit(&self, limit: Duration) {
        self.state(|state| state.limit = Some(limit));
    }

    /// Makes a service known, so that services can launch it by that name.
    pub fn register<S: Service>(&self, name: &'static str) {
        self.state(|state| state.constructors.insert(name, constructor::<S>(name)));
    }

    /// Starts a service. `None`: its init has failed; [`Node::log`] says why.
    pub fn launch<S: Service>(&self, name: &'static str, args: &str) -> Option<Handle> {
        let args = CString::new(args).expect("arguments without a zero byte");
        Handle::new(self.shared.launch(constructor::<S>(name), &args))
    }

    /// A service that is a function: what it returns is the answer (`None`: none, `Some(Err(()))`: an error).
    pub fn peer(
        &self,
        answer: impl FnMut(&Received) -> Option<Result<Payload, ()>> + Send + 'static,
    ) -> Handle {
        Handle::new(self.shared.add_peer(Box::new(answer))).expect("a handle")
    }

    /// Gives a service a local name.
    pub fn name(&self, name: &str, handle: Handle) {
        self.state(|state| state.names.insert(name.to_string(), handle.get()));
    }

    /// Sets a value of the environment.
    pub fn set_env(&self, key: &str, value: &str) {
        let value = CString::new(value).expect("a value without a zero byte");
        self.state(|state| state.env.insert(key.to_string(), value));
    }

    /// The next session of that service will be this one's successor.
    pub fn set_session(&self, service: Handle, session: c_int) {
        self.shared.set_session(service.get(), session);
    }

    /// Sends a message in the name of the test.
    ///
    /// # Errors
    ///
    /// When there is no such service.
    pub fn send(
        &self,
        handle: Handle,
        kind: Kind,
        session: i32,
        payload: impl Into<Payload>,
    ) -> Result<(), SendError> {
        let sent = self.shared.push(
            handle.get(),
            Received {
                source: Handle::new(self.test),
                kind,
                session,
                payload: payload.into(),
            },
        );
        if sent {
            return Ok(());
        }
        let address = handle.into();
        Err(SendError::Unreachable { address })
    }

    /// Asks a service, and runs the node until the answer is there.
    ///
    /// # Errors
    ///
    /// When the service answers with an error or is not there.
    ///
    /// # Panics
    ///
    /// When nobody answers: nothing is left to do and no timer runs, or a [day](Node::set_limit) of the node's time is over. A job of
    /// [`Ctx::offload`](crate::Ctx::offload), a future of [`Ctx::elsewhere`](crate::Ctx::elsewhere), and whoever else has a waker of a task,
    /// are waited for, for a [minute](Node::set_patience). The message says which requests are open, of whom and to whom, and what the log is.
    pub fn call(
        &self,
        handle: Handle,
        kind: Kind,
        payload: impl Into<Payload>,
    ) -> Result<Payload, CallError> {
        let session = self.state(State::new_session);
        self.send(handle, kind, session, payload)?;
        let answer = self.run_until_for(Some(handle), |node| node.answer(session));
        match answer.kind {
            Kind::Response => Ok(answer.payload),
            _ => Err(CallError::Failed {
                address: handle.into(),
            }),
        }
    }

    /// As [`Node::call`], with values of Lua.
    ///
    /// # Errors
    ///
    /// As for [`Node::call`], and when the values cannot be packed, or the answer is no `R`.
    pub fn call_lua<R: serde_core::de::DeserializeOwned>(
        &self,
        handle: Handle,
        values: &(impl serde_core::Serialize + ?Sized),
    ) -> Result<R, CallError> {
        let payload = lua::pack(values).map_err(SendError::Pack)?;
        let answer = self.call(handle, Kind::Lua, payload)?;
        lua::unpack(&answer).map_err(CallError::Answer)
    }

    /// Handles messages until none is left. Timers wait.
    ///
    /// # Panics
    ///
    /// When services find something to do for longer than [patience](Node::set_patience) lasts.
    pub fn run(&self) {
        let quiet = Quiet::new();
        while self.shared.some_steps() {
            self.end_endless_work(None, &quiet);
        }
    }

    fn end_endless_work(&self, asked: Option<Handle>, quiet: &Quiet) {
        if quiet.whole() > self.patience() {
            self.give_up(asked, "the services have worked all the time");
        }
    }

    /// Lets so much time pass, with all that happens meanwhile. Time stands still while something is under way on other threads.
    ///
    /// # Panics
    ///
    /// When that takes longer than [patience](Node::set_patience) lasts.
    pub fn advance(&self, time: Duration) {
        let end = self.state(|state| state.now).saturating_add(centis(time));
        let mut quiet = Quiet::new();
        loop {
            self.run();
            let elsewhere = self.shared.waits_for_work();
            if elsewhere {
                self.wait_for_threads(None, elsewhere, &mut quiet);
            } else if !self.shared.has_mail() && !self.shared.fire(end) {
                break;
            } else {
                quiet.is_over();
            }
        }
        self.state(|state| state.now = end);
    }

    /// Handles messages, and lets time pass, until there is a result. Waits for other threads meanwhile.
    ///
    /// # Panics
    ///
    /// As for [`Node::call`].
    pub fn run_until<R>(&self, ready: impl FnMut(&Node) -> Option<R>) -> R {
        self.run_until_for(None, ready)
    }

    /// The same, for an answer of a service.
    fn run_until_for<R>(
        &self,
        asked: Option<Handle>,
        mut ready: impl FnMut(&Node) -> Option<R>,
    ) -> R {
        let limit = self.state(|state| state.limit).unwrap_or(LIMIT);
        let end = self.state(|state| state.now).saturating_add(centis(limit));
        let mut quiet = Quiet::new();
        loop {
            // In pieces: services may have something to do for ever.
            let goes_on = self.shared.some_steps();
            if let Some(result) = ready(self) {
                return result;
            }
            if goes_on {
                quiet.is_over();
                self.end_endless_work(asked, &quiet);
                continue;
            }
            // What is under way elsewhere comes before any timer.
            let elsewhere = self.shared.waits_for_work();
            if !elsewhere && self.shared.has_mail() {
                // Of what was under way a moment ago.
                continue;
            }
            if !elsewhere && self.shared.fire(end) {
                quiet.is_over();
                continue;
            }
            if !elsewhere && self.shared.has_timer() {
                let hours = limit.as_secs_f64() / 3600.0;
                let why = format!("{hours} hours of the node's time are over");
                self.give_up(asked, &why);
            }
            self.wait_for_threads(asked, elsewhere, &mut quiet);
        }
    }

    fn patience(&self) -> Duration {
        self.state(|state| state.patience).unwrap_or(PATIENCE)
    }

    /// Nothing is left to do but what other threads bring.
    fn wait_for_threads(&self, asked: Option<Handle>, elsewhere: bool, quiet: &mut Quiet) {
        let (since, patience) = (quiet.since(), self.patience());
        if elsewhere && since > patience {
            self.give_up(
                asked,
                "what is under way on other threads has brought nothing",
            );
        }
        if !elsewhere && since > patience.min(PATIENCE_WITHOUT) {
            if !self.report().may_go_on() {
                self.give_up(asked, "nothing is left to do, and no timer runs");
            }
            if since > patience {
                let why =
                    "nothing is left to do, no timer runs, and no other thread has woken a task";
                self.give_up(asked, why);
            }
        }
        self.shared.wait(elsewhere);
    }

    /// Ends a service.
    pub fn kill(&self, handle: Handle) {
        self.shared.retire(handle.get());
    }

    /// A signal, as of the debug console.
    pub fn signal(&self, service: Handle, signal: c_int) {
        self.shared.signal(service.get(), signal);
    }

    /// Tells a service that another one has ended, as releases before v1.8.0 say it: an error of no request.
    pub fn peer_ends(&self, peer: Handle, service: Handle) {
        let message = Received {
            source: Some(peer),
            kind: Kind::Error,
            session: 0,
            payload: Payload::new(),
        };
        self.shared.push(service.get(), message);
    }

    /// Whether the service is there.
    pub fn is_alive(&self, handle: Handle) -> bool {
        self.state(|state| state.services.contains_key(&handle.get()))
    }

    /// The messages that wait in the mailbox of a service.
    pub fn waiting(&self, handle: Handle) -> usize {
        self.state(|state| {
            state
                .queue
                .iter()
                .filter(|(to, _)| *to == handle.get())
                .count()
        })
    }

    /// The next message that the test has got and that is no answer: also a request of a service, which is answered by [`Node::send`] with
    /// [`Kind::Response`] and its session.
    pub fn received(&self) -> Option<Received> {
        self.run();
        self.state(|state| {
            let mail = &mut state.mail;
            let at = mail.iter().position(|message| !message.answers())?;
            mail.remove(at)
        })
    }

    /// What the services have written to the log.
    pub fn log(&self) -> Vec<String> {
        self.state(|state| state.log.clone())
    }

    /// The handle of the test itself.
    pub fn handle(&self) -> Handle {
        Handle::new(self.test).expect("a handle")
    }

    /// The answer to a request that was sent with [`Node::send`].
    pub fn answer(&self, session: i32) -> Option<Received> {
        self.state(|state| {
            let mail = &mut state.mail;
            let is_it = |message: &Received| message.answers() && message.session == session;
            let at = mail.iter().position(is_it)?;
            mail.remove(at)
        })
    }

    fn state<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.shared.lock())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// How long nothing has been to do.
struct Quiet {
    begun: Instant,
    since: Option<Instant>,
}

impl Quiet {
    fn new() -> Quiet {
        Quiet {
            begun: Instant::now(),
            since: None,
        }
    }

    fn is_over(&mut self) {
        self.since = None;
    }

    fn since(&mut self) -> Duration {
        self.since.get_or_insert_with(Instant::now).elapsed()
    }

    /// Since the test waits.
    fn whole(&self) -> Duration {
        self.begun.elapsed()
    }
}

fn centis(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / 10).unwrap_or(u64::MAX)
}

fn constructor<S: Service>(name: &'static str) -> Constructor {
    Constructor {
        name,
        create: export::create::<S>,
        init: export::init::<S>,
        release: export::release::<S>,
        signal: export::signal::<S>,
        waiting: export::waiting::<S>,
    }
}
