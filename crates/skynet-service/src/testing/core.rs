//! The core of a node for tests, behind the functions of the C interface.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use super::Received;
use crate::address::Handle;
use crate::context::Waiting;
use crate::kind::Kind;
use crate::payload::Payload;
use crate::sys::{Callback, Context};

/// How a service is made.
#[derive(Clone, Copy)]
pub(super) struct Constructor {
    pub(super) name: &'static str,
    pub(super) create: fn(&'static &'static str) -> *mut c_void,
    pub(super) init: unsafe fn(*mut c_void, *mut Context, *const c_char) -> c_int,
    pub(super) release: unsafe fn(*mut c_void),
    pub(super) signal: unsafe fn(*mut c_void, c_int),
    pub(super) waiting: unsafe fn(*mut c_void) -> Waiting,
}

type Answer = Box<dyn FnMut(&Received) -> Option<Result<Payload, ()>> + Send>;

/// What `struct skynet_context` is here.
pub(super) struct Service {
    pub(super) node: Arc<Shared>,
    pub(super) handle: u32,
    constructor: Constructor,
    instance: *mut c_void,
    /// What C keeps in the context.
    session: Mutex<c_int>,
    pub(super) callback: Mutex<Option<(Callback, *mut c_void)>>,
    pub(super) answer: Mutex<CString>,
}

// SAFETY: the pointers are those of a service, which is used by one thread at a time, the one that runs the node.
unsafe impl Send for Service {}
// SAFETY: as above; what other threads see is behind locks.
unsafe impl Sync for Service {}

#[derive(Clone)]
pub(super) enum Entry {
    Service(Arc<ServiceRef>),
    Peer(Arc<Mutex<Answer>>),
    Test,
}

/// The last reference releases the service.
pub(super) struct ServiceRef(NonNull<Service>);

// SAFETY: a `Service` may go to other threads, and be shared by them.
unsafe impl Send for ServiceRef {}
// SAFETY: as above.
unsafe impl Sync for ServiceRef {}

impl ServiceRef {
    fn new(service: Service) -> ServiceRef {
        ServiceRef(NonNull::from(Box::leak(Box::new(service))))
    }

    fn context(&self) -> *mut Context {
        self.0.as_ptr().cast()
    }

    pub(super) fn name(&self) -> &'static str {
        self.constructor.name
    }

    /// On the thread that runs the node, between messages.
    pub(super) fn waiting(&self) -> Waiting {
        // SAFETY: what `create` has made, which the reference keeps; nobody runs it.
        unsafe { (self.constructor.waiting)(self.instance) }
    }
}

impl Deref for ServiceRef {
    type Target = Service;

    fn deref(&self) -> &Service {
        // SAFETY: the reference keeps it.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for ServiceRef {
    fn drop(&mut self) {
        // SAFETY: what `create` has made; nobody has it any more. The release may use the context.
        unsafe { (self.constructor.release)(self.instance) };
        // SAFETY: it came from a box.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) services: HashMap<u32, Entry>,
    pub(super) queue: VecDeque<(u32, Received)>,
    pub(super) mail: VecDeque<Received>,
    pub(super) names: HashMap<String, u32>,
    pub(super) env: HashMap<String, CString>,
    pub(super) log: Vec<String>,
    pub(super) constructors: HashMap<&'static str, Constructor>,
    /// In centiseconds.
    pub(super) now: u64,
    timers: BTreeMap<(u64, u64), (u32, c_int)>,
    timer: u64,
    session: c_int,
    pub(super) patience: Option<Duration>,
    pub(super) limit: Option<Duration>,
}

impl State {
    pub(super) fn new_session(&mut self) -> c_int {
        self.session += 1;
        self.session
    }
}

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) woken: Condvar,
    /// How much is under way elsewhere, for services of this node.
    pub(super) elsewhere: AtomicUsize,
}

/// The names of services, where a service refers to its name.
static NAMES: Mutex<Vec<&'static &'static str>> = Mutex::new(Vec::new());

fn kept(name: &'static str) -> &'static &'static str {
    let mut names = lock(&NAMES);
    if let Some(known) = names.iter().find(|known| ***known == name) {
        return known;
    }
    let new: &'static &'static str = Box::leak(Box::new(name));
    names.push(new);
    new
}

/// The nodes of the process by the handles of their services, which are different in all nodes.
static NODES: Mutex<BTreeMap<u32, Weak<Shared>>> = Mutex::new(BTreeMap::new());
static HANDLE: AtomicU32 = AtomicU32::new(1);

thread_local! {
    /// The node that this thread runs.
    static RUNNING: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn node_of(handle: u32) -> Option<Arc<Shared>> {
    lock(&NODES).get(&handle)?.upgrade()
}

/// The node that this thread runs.
pub(super) fn running() -> Option<Arc<Shared>> {
    RUNNING.with_borrow(Clone::clone)
}

impl Shared {
    pub(super) fn new() -> Arc<Shared> {
        static INSTALLED: OnceLock<bool> = OnceLock::new();
        let installed = INSTALLED.get_or_init(|| {
            // SAFETY: they do what `skynet.h` says.
            unsafe { crate::sys::install(super::api::FUNCTIONS) }
        });
        assert!(installed, "this process is a real node");
        Arc::new(Shared::default())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn new_handle(self: &Arc<Self>) -> u32 {
        let handle = HANDLE.fetch_add(1, Ordering::Relaxed);
        lock(&NODES).insert(handle, Arc::downgrade(self));
        handle
    }

    pub(super) fn add_mailbox(self: &Arc<Self>) -> u32 {
        let handle = self.new_handle();
        self.lock().services.insert(handle, Entry::Test);
        handle
    }

    pub(super) fn add_peer(self: &Arc<Self>, answer: Answer) -> u32 {
        let handle = self.new_handle();
        let peer = Entry::Peer(Arc::new(Mutex::new(answer)));
        self.lock().services.insert(handle, peer);
        handle
    }

    /// Runs `f` as a thread of this node.
    pub(super) fn enter<R>(self: &Arc<Self>, f: impl FnOnce() -> R) -> R {
        let before = RUNNING.replace(Some(Arc::clone(self)));
        let result = f();
        RUNNING.set(before);
        result
    }

    /// 0 when the init fails.
    pub(super) fn launch(self: &Arc<Self>, constructor: Constructor, args: &CStr) -> u32 {
        self.enter(|| {
            let instance = (constructor.create)(kept(constructor.name));
            let handle = self.new_handle();
            let service = Arc::new(ServiceRef::new(Service {
                node: Arc::clone(self),
                handle,
                constructor,
                instance,
                session: Mutex::new(0),
                callback: Mutex::new(None),
                answer: Mutex::default(),
            }));
            let entry = Entry::Service(Arc::clone(&service));
            self.lock().services.insert(handle, entry);
            let context = service.context();
            // SAFETY: what `create` has made, a context that lives as long, and a C string.
            let result = unsafe { (constructor.init)(instance, context, args.as_ptr()) };
            if result == 0 {
                return handle;
            }
            self.retire(handle);
            0
        })
    }

    pub(super) fn set_session(&self, handle: u32, session: c_int) {
        let entry = self.lock().services.get(&handle).cloned();
        if let Some(Entry::Service(service)) = entry {
            *lock(&service.session) = session;
        }
    }

    pub(super) fn signal(&self, handle: u32, signal: c_int) {
        let entry = self.lock().services.get(&handle).cloned();
        if let Some(Entry::Service(service)) = entry {
            // SAFETY: what `create` has made, which the reference keeps.
            unsafe { (service.constructor.signal)(service.instance, signal) };
        }
    }

    /// `false`: there is no such service.
    pub(super) fn push(&self, handle: u32, message: Received) -> bool {
        let mut state = self.lock();
        if !state.services.contains_key(&handle) {
            return false;
        }
        state.queue.push_back((handle, message));
        self.woken.notify_all();
        true
    }

    /// Handles one message.
    pub(super) fn step(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        let Some((handle, message)) = state.queue.pop_front() else {
            return false;
        };
        let entry = state.services.get(&handle).cloned();
        if let Some(Entry::Test) = entry {
            state.mail.push_back(message);
            return true;
        }
        drop(state);
        match entry {
            Some(Entry::Service(service)) => self.enter(|| {
                service.dispatch(service.context(), message);
                // It may be the last reference.
                drop(service);
            }),
            Some(Entry::Peer(peer)) => {
                let answer = (lock(&peer))(&message);
                if let (Some(answer), Some(to)) = (answer, message.source) {
                    self.answer(handle, to, message.session, answer);
                }
            }
            _ => {}
        }
        true
    }

    fn answer(&self, from: u32, to: Handle, session: i32, answer: Result<Payload, ()>) {
        let (kind, payload) = match answer {
            Ok(payload) => (Kind::Response, payload),
            Err(()) => (Kind::Error, Payload::new()),
        };
        let source = Handle::new(from);
        let answer = Received {
            source,
            kind,
            session,
            payload,
        };
        self.push(to.get(), answer);
    }

    /// Lets the next timer fire, unless it is for later than that.
    pub(super) fn fire(&self, end: u64) -> bool {
        let mut state = self.lock();
        let Some(timer) = state.timers.first_entry() else {
            return false;
        };
        let time = timer.key().0;
        if time > end {
            return false;
        }
        let (handle, session) = timer.remove();
        state.now = state.now.max(time);
        drop(state);
        let answer = Received {
            source: None,
            kind: Kind::Response,
            session,
            payload: Payload::new(),
        };
        self.push(handle, answer);
        true
    }

    /// Handles some messages. `false`: none is left.
    pub(super) fn some_steps(self: &Arc<Self>) -> bool {
        const SOME: usize = 1024;
        (0..SOME).all(|_| self.step())
    }

    /// Whether a timer runs.
    pub(super) fn has_timer(&self) -> bool {
        !self.lock().timers.is_empty()
    }

    /// Whether a message waits.
    pub(super) fn has_mail(&self) -> bool {
        !self.lock().queue.is_empty()
    }

    /// Waits until another thread sends something or is done, or a while. `elsewhere`: something was under way.
    pub(super) fn wait(&self, elsewhere: bool) {
        let state = self.lock();
        if state.queue.is_empty() && elsewhere == self.waits_for_work() {
            let _ = self.woken.wait_timeout(state, Duration::from_millis(100));
        }
    }

    /// Takes a service out; who waits for it gets an error.
    pub(super) fn retire(self: &Arc<Self>, handle: u32) {
        let mut state = self.lock();
        let entry = state.services.remove(&handle);
        state.names.retain(|_, named| *named != handle);
        let (lost, queue) = std::mem::take(&mut state.queue)
            .into_iter()
            .partition(|(to, _)| *to == handle);
        state.queue = queue;
        drop(state);
        // Released here, unless it is running.
        self.enter(|| drop(entry));
        let lost: VecDeque<(u32, Received)> = lost;
        for (_, message) in lost {
            if let Some(source) = message.source {
                self.answer(handle, source, message.session, Err(()));
            }
        }
    }

    pub(super) fn end(self: &Arc<Self>) {
        loop {
            let handle = self.lock().services.keys().next().copied();
            let Some(handle) = handle else {
                break;
            };
            self.retire(handle);
            lock(&NODES).remove(&handle);
        }
    }
}

impl Service {
    fn dispatch(&self, context: *mut Context, message: Received) {
        let Some((callback, ud)) = *lock(&self.callback) else {
            return;
        };
        let source = message.source.map_or(0, Handle::get);
        let (data, len) = message.payload.into_raw();
        let kind = message.kind.number().into();
        // SAFETY: what the service has set with `skynet_callback`, one message at a time, and a block of malloc.
        let kept =
            unsafe { callback(context, ud, kind, message.session, source, data.cast(), len) };
        if kept == 0 {
            // SAFETY: the block that was handed over, which the service has not taken.
            drop(unsafe { Payload::from_raw(data, len) });
        }
    }

    pub(super) fn command(&self, name: &str, parameter: &str) -> Option<String> {
        let mut state = self.node.lock();
        let (first, rest) = parameter.split_once(' ').unwrap_or((parameter, ""));
        let find = |state: &State, name: &str| {
            Handle::parse(name.as_bytes())
                .map(Handle::get)
                .or_else(|| state.names.get(name).copied())
        };
        match name {
            "REG" if parameter.is_empty() => Some(format!(":{:x}", self.handle)),
            "REG" | "NAME" => {
                let handle = find(&state, rest).unwrap_or(self.handle);
                if state.names.contains_key(first) {
                    return None;
                }
                state.names.insert(first.to_string(), handle);
                Some(first.trim_start_matches('.').to_string())
            }
            "QUERY" => Some(format!(":{:x}", find(&state, parameter)?)),
            "TIMEOUT" => {
                let delay = parameter.parse::<u64>().unwrap_or(0);
                let time = state.now.saturating_add(delay);
                let session = self.new_session();
                state.timer += 1;
                let key = (time, state.timer);
                state.timers.insert(key, (self.handle, session));
                if time == state.now {
                    drop(state);
                    self.node.fire(time);
                }
                Some(session.to_string())
            }
            "EXIT" | "KILL" => {
                let handle = match name {
                    "EXIT" => Some(self.handle),
                    _ => find(&state, parameter),
                };
                drop(state);
                self.node.retire(handle?);
                None
            }
            "LAUNCH" => {
                let constructor = *state.constructors.get(first)?;
                drop(state);
                let args = CString::new(rest).ok()?;
                let handle = self.node.launch(constructor, &args);
                (handle != 0).then(|| format!(":{handle:08X}"))
            }
            "GETENV" => Some(state.env.get(parameter)?.to_string_lossy().into_owned()),
            "SETENV" => {
                let value = CString::new(rest).ok()?;
                state.env.insert(first.to_string(), value);
                None
            }
            "STARTTIME" => Some("1000000000".to_string()),
            "STAT" => Some("0".to_string()),
            _ => None,
        }
    }

    pub(super) fn new_session(&self) -> c_int {
        let mut session = lock(&self.session);
        *session = session.checked_add(1).unwrap_or(1);
        *session
    }
}
