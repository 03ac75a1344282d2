//! Where the CPU time goes, by samples: the profile of a service, of a script, or of the node.
//!
//! While there is a profile, a timer for each thread of the node sends it a signal whenever it has used so much CPU time more
//! ([`super::thread_signal`]). Its handler ([`take`]) finds which service is on turn. If that one is wanted, the sample is added to
//! its number, and a Lua service is made to walk its stack at its next instruction, where a VM may be looked at, and to say it here
//! ([`count`]). So:
//!
//! - without a profile there is no timer, no signal and no hook;
//! - a service that nobody profiles is not touched by a profile of another one;
//! - a thread that waits uses no CPU time, and takes no samples;
//! - samples of a service without their stacks are what it has used elsewhere than in Lua: a service in C all of them, a Lua
//!   service those after its last instruction in a message.
//!
//! There is one profile at a time. It belongs to the service that has started it, and ends with it.

use super::context::{Context, grab};
use super::on_turn::class_here;
use super::thread_signal;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, fence};

/// What a profile is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All services, and what threads do besides.
    Node,
    /// One service.
    Service(u32),
    /// All services that were launched with this name as the first word: `agent`, not `snlua`.
    Script(String),
}

/// Why there is no profile.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is one already, of this service.
    Busy(u32),
    /// The name of the script is longer than [`LONGEST_SCRIPT`].
    LongName,
    /// No signal or no timer is left.
    NoTimer,
}

/// Bytes of a script's name.
pub const LONGEST_SCRIPT: usize = 127;

/// Different stacks that are kept; samples with others count for their service.
const MOST_STACKS: usize = 20_000;

struct Profile {
    owner: u32,
    target: Target,
    /// Service, and its stack, frames from the outermost on with `;` between: samples.
    stacks: HashMap<(u32, Box<str>), u64>,
    /// Services that have had a stack, as long as it takes to tell what they were.
    labels: HashMap<u32, String>,
}

static PROFILE: Mutex<Option<Profile>> = Mutex::new(None);

/// Owner of the profile, 0 without one: what the end of a service looks at. Changes under the lock.
static OWNER: AtomicU32 = AtomicU32::new(0);

// What the handler uses ([`take`]). It may come between any two instructions of its thread, so there is no lock and no allocation, and
// nothing that is made when it is used first: words that any thread may read and write at any time, the title of the service on
// turn, which does not change while it lives, and the class of the thread. `WHICH` is stored behind the words that say more of the
// target, and read before them; a sample of a profile that ends meanwhile may go to the next one.

const OFF: u8 = 0;
const NODE: u8 = 1;
const SERVICE: u8 = 2;
const SCRIPT: u8 = 3;
static WHICH: AtomicU8 = AtomicU8::new(OFF);
static HANDLE: AtomicU32 = AtomicU32::new(0);
static NAME: [AtomicU8; LONGEST_SCRIPT] = [const { AtomicU8::new(0) }; LONGEST_SCRIPT];
static NAME_LEN: AtomicUsize = AtomicUsize::new(0);

/// The samples of a service, with their stacks or without. Its place is found by its handle.
struct Samples {
    /// 0: the place is free.
    handle: AtomicU32,
    all: AtomicU32,
    /// Of these, those that a debug hook of its own was in the way of.
    hooked: AtomicU32,
}

/// A power of two. Pages that no profile needs take no memory.
const PLACES: usize = 8192;
/// So many places in a row are looked at. Where all are taken, only stacks count.
const PROBES: usize = 32;

static SAMPLES: [Samples; PLACES] = [const {
    Samples {
        handle: AtomicU32::new(0),
        all: AtomicU32::new(0),
        hooked: AtomicU32::new(0),
    }
}; PLACES];

/// Names of [`super::ThreadClass`].
const CLASSES: [&str; 5] = ["worker", "main", "socket", "timer", "monitor"];
/// Samples of threads outside of services, by class.
static OUTSIDE: [AtomicU32; CLASSES.len()] = [const { AtomicU32::new(0) }; CLASSES.len()];

fn place_of(handle: u32) -> Option<&'static Samples> {
    let first = handle.wrapping_mul(0x9e37_79b1) as usize >> 8;
    (first..first + PROBES).find_map(|place| {
        let place = &SAMPLES[place % PLACES];
        let taken = place.handle.compare_exchange(0, handle, Relaxed, Relaxed);
        (taken.is_ok() || taken == Err(handle)).then_some(place)
    })
}

/// The words of the title that tell services apart: the script of a Lua service, or the module of one in C. Further arguments
/// may be secrets, and make names without end.
fn words_of(context: &Context) -> (&[u8], Option<&[u8]>) {
    let (module, args) = context.title();
    let mut words = args
        .split(u8::is_ascii_whitespace)
        .filter(|w| !w.is_empty());
    match words.next() {
        Some(script) if module == c"snlua" => (script, words.next()),
        _ => (module.to_bytes(), None),
    }
}

fn label_of(context: &Context) -> String {
    let (name, first) = words_of(context);
    // Scripts whose first argument says more than they do.
    let text = match (name, first) {
        (b"snaxd" | b"service_cell", Some(first)) => [name, first].join(&b' '),
        _ => name.to_vec(),
    };
    let text = String::from_utf8_lossy(&text);
    if context.is_sampled_in_lua() {
        clean(&text)
    } else {
        format!("[C] {}", clean(&text))
    }
}

/// Without what has a meaning in the lines of a profile.
pub fn clean(text: &str) -> String {
    let plain = |c: char| if c == ';' || c.is_control() { '_' } else { c };
    text.chars().map(plain).collect()
}

fn is_named(context: &Context) -> bool {
    let (name, _) = words_of(context);
    let wanted = NAME.iter().take(NAME_LEN.load(Relaxed));
    name.iter()
        .copied()
        .eq(wanted.map(|byte| byte.load(Relaxed)))
}

/// Handler of the signal: so many samples of the calling thread, with the service on turn on it. Async-signal-safe.
///
/// # Safety
/// The calling thread runs the service.
pub(super) unsafe fn take(context: Option<&Context>, count: u32) {
    let which = WHICH.load(Acquire);
    let Some(context) = context else {
        if which == NODE
            && let Some(number) = OUTSIDE.get(class_here() as usize)
        {
            number.fetch_add(count, Relaxed);
        }
        return;
    };
    let is_wanted = match which {
        NODE => true,
        SERVICE => context.handle() == HANDLE.load(Relaxed),
        SCRIPT => is_named(context),
        _ => false,
    };
    if !is_wanted {
        return;
    }
    let place = place_of(context.handle());
    if let Some(place) = place {
        place.all.fetch_add(count, Relaxed);
    }
    // SAFETY: the caller's promise.
    let is_free = unsafe { context.sample(count) };
    if !is_free && let Some(place) = place {
        place.hooked.fetch_add(count, Relaxed);
    }
}

/// So many samples of the service had this stack: frames from the outermost on, with `;` between. For the thread that runs it.
pub fn count(context: &Context, stack: &str, samples: u32) {
    let mut profile = PROFILE.lock();
    let Some(profile) = &mut *profile else { return };
    let is_wanted = match &profile.target {
        Target::Node => true,
        Target::Service(handle) => *handle == context.handle(),
        Target::Script(_) => is_named(context),
    };
    if !is_wanted {
        return; // a sample of a profile before
    }
    let handle = context.handle();
    profile
        .labels
        .entry(handle)
        .or_insert_with(|| label_of(context));
    let full = profile.stacks.len() >= MOST_STACKS;
    let key = (handle, Box::from(stack));
    if let Some(number) = profile.stacks.get_mut(&key) {
        *number += u64::from(samples);
    } else if !full {
        profile.stacks.insert(key, samples.into());
    }
}

/// Whether somebody may ask for a stack: a sample that was taken before the end of its profile has nothing to walk for.
pub fn is_on() -> bool {
    WHICH.load(Relaxed) != OFF
}

/// Begins a profile for the service `owner`, with `hz` samples for each second of CPU time.
///
/// # Errors
/// [`Refused`].
pub fn start(owner: &Context, target: Target, hz: u32) -> Result<(), Refused> {
    begin(owner.handle(), target, hz)?;
    // Either this sees that the owner is retired, or who retires it sees the profile.
    fence(SeqCst);
    if owner.is_retired() {
        end(owner.handle());
    }
    Ok(())
}

fn begin(owner: u32, target: Target, hz: u32) -> Result<(), Refused> {
    let mut profile = PROFILE.lock();
    if let Some(other) = &*profile {
        return Err(Refused::Busy(other.owner));
    }
    let which = match &target {
        Target::Node => NODE,
        Target::Service(handle) => {
            HANDLE.store(*handle, Relaxed);
            SERVICE
        }
        Target::Script(name) => {
            if name.len() > LONGEST_SCRIPT {
                return Err(Refused::LongName);
            }
            NAME_LEN.store(name.len(), Relaxed);
            for (to, from) in NAME.iter().zip(name.bytes()) {
                to.store(from, Relaxed);
            }
            SCRIPT
        }
    };
    for place in &SAMPLES {
        // Pages that were never written stay so.
        if place.handle.load(Relaxed) != 0 {
            place.all.store(0, Relaxed);
            place.hooked.store(0, Relaxed);
            place.handle.store(0, Relaxed);
        }
    }
    OUTSIDE.iter().for_each(|number| number.store(0, Relaxed));
    *profile = Some(Profile {
        owner,
        target,
        stacks: HashMap::new(),
        labels: HashMap::new(),
    });
    WHICH.store(which, Release);
    if !thread_signal::start_sampling(hz) {
        WHICH.store(OFF, Relaxed);
        *profile = None;
        return Err(Refused::NoTimer);
    }
    OWNER.store(owner, Relaxed);
    Ok(())
}

/// What there is of a profile that has ended.
struct Ended {
    profile: Profile,
    /// Handle, all samples, those that a debug hook was in the way of.
    samples: Vec<(u32, u32, u32)>,
    outside: [u32; CLASSES.len()],
}

/// The end of the profile of the service `owner`. `None`: it has none.
fn end(owner: u32) -> Option<Ended> {
    // The next profile begins with these words, too: so they are read before the lock goes.
    let mut current = PROFILE.lock();
    let profile = current.take_if(|profile| profile.owner == owner)?;
    OWNER.store(0, Relaxed);
    WHICH.store(OFF, Relaxed);
    thread_signal::stop_sampling();
    let taken = SAMPLES.iter().map(|place| {
        let handle = place.handle.load(Relaxed);
        let (all, hooked) = (place.all.load(Relaxed), place.hooked.load(Relaxed));
        (handle, all, hooked)
    });
    Some(Ended {
        profile,
        samples: taken.filter(|(handle, ..)| *handle != 0).collect(),
        outside: OUTSIDE.each_ref().map(|number| number.load(Relaxed)),
    })
}

/// Ends the profile of the service `owner`: its stacks, a line each, as `frame;frame;frame SAMPLES`, from the outermost frame on. The
/// first is the service: the name of its script, with the handle in a profile of one service. `None`: it has no profile.
pub fn stop(owner: u32) -> Option<String> {
    end(owner).map(folded)
}

/// A service has been retired. Behind the fence that [`start`] relies on.
pub(super) fn owner_retired(handle: u32) {
    if OWNER.load(Relaxed) == handle {
        end(handle);
    }
}

fn folded(ended: Ended) -> String {
    let profile = ended.profile;
    let of_one = matches!(profile.target, Target::Service(_));
    let label = |handle: u32| {
        let known = profile.labels.get(&handle).cloned();
        let name = known.or_else(|| grab(handle).map(|service| label_of(&service)));
        match name {
            Some(name) if of_one => format!("{name} :{handle:08x}"),
            Some(name) => name,
            None if of_one => format!(":{handle:08x}"),
            None => String::from("(ended)"),
        }
    };
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    let mut add = |line: String, samples: u64| {
        if samples > 0 {
            *lines.entry(line).or_default() += samples;
        }
    };
    let mut with_stack: HashMap<u32, u64> = HashMap::new();
    for ((handle, stack), &samples) in &profile.stacks {
        *with_stack.entry(*handle).or_default() += samples;
        add(format!("{};{stack}", label(*handle)), samples);
    }
    for (handle, all, hooked) in ended.samples {
        let stacks = with_stack.get(&handle).copied().unwrap_or(0);
        let rest = u64::from(all).saturating_sub(u64::from(hooked) + stacks);
        let name = label(handle);
        if name.starts_with("[C] ") {
            add(name, rest);
            continue;
        }
        add(format!("{name};[a debug hook is set]"), hooked.into());
        add(format!("{name};[outside of Lua]"), rest);
    }
    for (class, number) in CLASSES.iter().zip(ended.outside) {
        add(format!("[{class} thread]"), number.into());
    }
    let mut text = String::new();
    for (line, samples) in lines {
        let _ = writeln!(text, "{line} {samples}");
    }
    text
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_a_place_of_its_own_and_keeps_it() {
        let places = [0x0100_0001, 0x0100_0002, 0xffff_ffff].map(|handle| {
            let place = place_of(handle).expect("there is room");
            assert!(std::ptr::eq(place, place_of(handle).unwrap()));
            std::ptr::from_ref(place)
        });
        assert!(places[0] != places[1] && places[1] != places[2]);
    }

    #[test]
    fn names_do_not_break_the_lines() {
        assert_eq!(clean("a;b\nc d"), "a_b_c d");
    }
}
