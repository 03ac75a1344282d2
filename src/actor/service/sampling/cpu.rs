//! Where the CPU time goes, by samples.
//!
//! While there is a profile, a timer for each thread of the node sends it a signal whenever it has used so much CPU time more
//! ([`thread_signal`]). Its handler ([`take`]) finds which service is on turn. If that one is wanted, the sample is added to
//! its number, and a Lua service is made to walk its stack at its next instruction, where a VM may be looked at, and to say it here
//! ([`count`]). So a thread that waits uses no CPU time, and takes no samples; and samples of a service without their stacks are what
//! it has used elsewhere than in Lua: a service in C all of them, a Lua service those after its last instruction in a message.

use super::super::context::{Context, grab};
use super::super::on_turn::class_here;
use super::super::thread_signal;
use super::exact::{BETWEEN, Used};
use super::stacks::Parts;
use super::{Amount, Kind, LONGEST_SCRIPT, PROFILE, Profile, Target, name_of, words_of};
use std::collections::HashMap;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize};

/// Names of services that are kept for those that end.
const MOST_LABELS: usize = 1000;

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
    /// Of these, those that a debug hook of its own was in the way of, and those whose stack was seen.
    hooked: AtomicU32,
    with_stack: AtomicU32,
    /// One more than the place of its name in the labels of the profile; 0: it is not known.
    label: AtomicU32,
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
        with_stack: AtomicU32::new(0),
        label: AtomicU32::new(0),
    }
}; PLACES];

/// Names of [`super::super::ThreadClass`].
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
pub(in super::super) unsafe fn take(context: Option<&Context>, count: u32) {
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
    // SAFETY: contract of this function.
    let is_free = unsafe { context.sample(count) };
    if !is_free && let Some(place) = place {
        place.hooked.fetch_add(count, Relaxed);
    }
}

/// So many samples of the service had this stack: frames from the outermost on, with `;` between. For the thread that runs it.
pub fn count(context: &Context, stack: &str, samples: u32) {
    let mut profile = PROFILE.lock();
    // Without one, or with one of others, it is a sample of a profile before.
    let Some(profile) = profile
        .as_mut()
        .filter(|profile| WHICH.load(Relaxed) != OFF && profile.target.includes(context))
    else {
        return;
    };
    let label = profile
        .target
        .label(context.handle(), Some(name_of(context)));
    let amount = Amount {
        taken: samples.into(),
        held: 0,
    };
    profile.stacks.add(&format!("{label};{stack}"), amount);
    if let Some(place) = place_of(context.handle()) {
        place.with_stack.fetch_add(samples, Relaxed);
        if place.label.load(Relaxed) == 0 {
            place.label.store(keep(&mut profile.labels, label), Relaxed);
        }
    }
}

/// One more than the place of a label; 0: there is no room for it.
fn keep(labels: &mut Vec<String>, label: String) -> u32 {
    match labels.iter().position(|known| *known == label) {
        Some(place) => place as u32 + 1,
        None if labels.len() < MOST_LABELS => {
            labels.push(label);
            labels.len() as u32
        }
        None => 0,
    }
}

/// Whether somebody may ask for a stack: a sample that was taken before the end of its profile has nothing to walk for.
pub fn is_on() -> bool {
    WHICH.load(Relaxed) != OFF
}

/// For the holder of the lock, when there is a profile. False: no signal or no timer is left, and nothing is done.
pub(super) fn begin(target: &Target, hz: u32) -> bool {
    let which = match target {
        Target::Node => NODE,
        Target::Service(handle) => {
            HANDLE.store(*handle, Relaxed);
            SERVICE
        }
        Target::Script(name) => {
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
            place.with_stack.store(0, Relaxed);
            place.label.store(0, Relaxed);
            place.handle.store(0, Relaxed);
        }
    }
    OUTSIDE.iter().for_each(|number| number.store(0, Relaxed));
    WHICH.store(which, Release);
    let begun = thread_signal::start_sampling(hz);
    if !begun {
        WHICH.store(OFF, Relaxed);
    }
    begun
}

/// What was counted without a stack.
#[derive(Default)]
pub(super) struct Counts {
    services: Vec<Count>,
    outside: [u32; CLASSES.len()],
    /// CPU time of all threads.
    nanos: u64,
}

/// The samples of one service.
struct Count {
    handle: u32,
    all: u32,
    hooked: u32,
    with_stack: u32,
    label: u32,
}

/// The end of a profile. For the holder of the lock.
pub(super) fn end() -> Counts {
    WHICH.store(OFF, Relaxed);
    let nanos = thread_signal::stop_sampling();
    let services = SAMPLES.iter().map(|place| Count {
        handle: place.handle.load(Relaxed),
        all: place.all.load(Relaxed),
        hooked: place.hooked.load(Relaxed),
        with_stack: place.with_stack.load(Relaxed),
        label: place.label.load(Relaxed),
    });
    Counts {
        services: services.filter(|count| count.handle != 0).collect(),
        outside: OUTSIDE.each_ref().map(|number| number.load(Relaxed)),
        nanos,
    }
}

impl Counts {
    /// Adds them to the stacks of their profile, which has ended, and weighs all by what services have used. Not for the holder of the lock.
    pub fn add_to(&self, profile: &mut Profile) {
        let used = profile
            .before
            .take()
            .map(|before| before.used(&profile.target));
        let mut ended: HashMap<String, u64> = HashMap::new();
        for count in &self.services {
            let known = (count.label as usize).checked_sub(1);
            let label = known.and_then(|place| profile.labels.get(place).cloned());
            let label = label.unwrap_or_else(|| {
                let name = grab(count.handle).map(|service| name_of(&service));
                profile.target.label(count.handle, name)
            });
            if used
                .as_ref()
                .is_some_and(|used| !used.live.contains(&count.handle))
            {
                *ended.entry(label.clone()).or_default() += u64::from(count.all);
            }
            let rest = count.all.saturating_sub(count.hooked + count.with_stack);
            let mut add = |line: &str, samples: u32| {
                let taken = samples.into();
                profile.stacks.add(line, Amount { taken, held: 0 });
            };
            if label.starts_with("[C] ") {
                add(&label, rest);
                continue;
            }
            add(&format!("{label};[a debug hook is set]"), count.hooked);
            add(&format!("{label};[outside of Lua]"), rest);
        }
        if let (Some(used), Kind::Cpu(hz)) = (&used, profile.kind) {
            weigh(profile, used, &ended, hz);
        }
        let mut outside = self.outside.map(u64::from);
        if let (Some(_), Kind::Cpu(hz), Target::Node) = (&used, profile.kind, &profile.target) {
            // What no service has used. The first class is that of workers.
            let total = samples_of(self.nanos, hz).saturating_sub(profile.stacks.sum());
            let sum = outside.iter().sum();
            let mut parts = Parts::new(sum, total);
            outside = outside.map(|number| parts.next(number));
            outside[0] += if sum == 0 { total } else { 0 };
        }
        for (class, taken) in CLASSES.iter().zip(outside) {
            let amount = Amount { taken, held: 0 };
            profile.stacks.add(&format!("[{class} thread]"), amount);
        }
    }
}

/// So many samples stand for a time.
fn samples_of(nanos: u64, hz: u32) -> u64 {
    (nanos as f64 * 1e-9 * f64::from(hz)).round() as u64
}

/// Gives each label as many samples as its services have used; what those had that have ended stays.
fn weigh(profile: &mut Profile, used: &Used, ended: &HashMap<String, u64>, hz: u32) {
    let known = used.by_label.iter();
    let totals: HashMap<&str, u64> = known
        .filter(|(label, _)| !used.unknown.contains(*label))
        .map(|(label, &nanos)| {
            let of_ended = ended.get(label).copied().unwrap_or(0);
            (label.as_str(), samples_of(nanos, hz) + of_ended)
        })
        .collect();
    for label in profile.stacks.weigh(&totals) {
        let amount = Amount {
            taken: totals[label],
            held: 0,
        };
        profile.stacks.add(&format!("{label};{BETWEEN}"), amount);
    }
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
}
