//! Profiles by samples: where the CPU time goes ([`cpu`]), or where Lua code allocates ([`allocations`]); of a service, of the services
//! of a script, or of the node.
//!
//! There is one profile at a time. It belongs to the service that has started it, and ends with it. Without one there is no timer, no
//! signal, no hook, and every VM has the allocator that it began with; a service that nobody profiles is not touched by a profile
//! of another one. `docs/internals/profiler.md` has the whole.

pub mod allocations;
pub mod cpu;
mod exact;
mod stacks;

use super::context::Context;
use crate::base::words::words;
use parking_lot::Mutex;
use stacks::{Amount, Stacks};
use std::fmt::Write as _;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, fence};

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

/// What is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// CPU time: so many samples for each second of it.
    Cpu(u32),
    /// Allocations of Lua VMs: a sample for so many bytes, on an average; 0: for few at first, and for more the more samples there are.
    Allocations(usize),
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

struct Profile {
    owner: u32,
    target: Target,
    kind: Kind,
    /// Lines: the service, and its stack, frames from the outermost on with `;` between.
    stacks: Stacks,
    /// What services were that have had samples, see [`cpu`].
    labels: Vec<String>,
    /// What services had used, see [`exact`]. `None` in a profile of allocations.
    before: Option<exact::Before>,
}

static PROFILE: Mutex<Option<Profile>> = Mutex::new(None);

/// Owner of the profile, 0 without one: what the end of a service looks at. Changes under the lock.
static OWNER: AtomicU32 = AtomicU32::new(0);

impl Target {
    fn includes(&self, context: &Context) -> bool {
        match self {
            Target::Node => true,
            Target::Service(handle) => *handle == context.handle(),
            Target::Script(name) => words_of(context).0 == name.as_bytes(),
        }
    }

    /// The first frame of the stacks of a service of that name.
    fn label(&self, handle: u32, name: Option<String>) -> String {
        match (self, name) {
            (Target::Service(_), Some(name)) => format!("{name} :{handle:08x}"),
            (Target::Service(_), None) => format!(":{handle:08x}"),
            (_, Some(name)) => name,
            (_, None) => String::from("(ended)"),
        }
    }
}

/// The words of the title that tell services apart: the script of a Lua service, or the module of one in C. Further arguments
/// may be secrets, and make names without end.
fn words_of(context: &Context) -> (&[u8], Option<&[u8]>) {
    let (module, args) = context.title();
    let mut words = words(args);
    match words.next() {
        Some(script) if module == c"snlua" => (script, words.next()),
        _ => (module.to_bytes(), None),
    }
}

fn name_of(context: &Context) -> String {
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

/// Begins a profile for the service `owner`.
///
/// # Errors
/// [`Refused`].
pub fn start(owner: &Context, target: Target, kind: Kind) -> Result<(), Refused> {
    begin(owner.handle(), &target, kind)?;
    if matches!(kind, Kind::Allocations(_)) {
        allocations::ask_services(&target);
    }
    // Either this sees that the owner is retired, or who retires it sees the profile.
    fence(SeqCst);
    if owner.is_retired() {
        end(owner.handle());
    }
    Ok(())
}

fn begin(owner: u32, target: &Target, kind: Kind) -> Result<(), Refused> {
    // Without the lock, as it looks at services.
    let before = matches!(kind, Kind::Cpu(_)).then(exact::Before::now);
    let mut profile = PROFILE.lock();
    if let Some(other) = &*profile {
        return Err(Refused::Busy(other.owner));
    }
    if matches!(target, Target::Script(name) if name.len() > LONGEST_SCRIPT) {
        return Err(Refused::LongName);
    }
    *profile = Some(Profile {
        owner,
        target: target.clone(),
        kind,
        stacks: Stacks::new(),
        labels: Vec::new(),
        before,
    });
    let begun = match kind {
        Kind::Cpu(hz) => cpu::begin(target, hz),
        Kind::Allocations(bytes) => {
            allocations::begin(bytes);
            true
        }
    };
    if !begun {
        *profile = None;
        return Err(Refused::NoTimer);
    }
    OWNER.store(owner, Relaxed);
    Ok(())
}

/// The end of the profile of the service `owner`. `None`: it has none.
fn end(owner: u32) -> Option<(Profile, cpu::Counts)> {
    // The next profile begins with the words of this one, too: so they are read before the lock goes.
    let mut current = PROFILE.lock();
    let profile = current.take_if(|profile| profile.owner == owner)?;
    OWNER.store(0, Relaxed);
    let counts = match profile.kind {
        Kind::Cpu(_) => cpu::end(),
        Kind::Allocations(_) => {
            allocations::end();
            cpu::Counts::default()
        }
    };
    Some((profile, counts))
}

/// Ends the profile of the service `owner`: its stacks, a line each, from the outermost frame on. The first frame is the service: the
/// name of its script, with the handle in a profile of one service. Of CPU time they are `frame;frame SAMPLES`, of
/// allocations `frame;frame BYTES HELD`: what was allocated, and what of that is not freed yet. `None`: it has no profile.
pub fn stop(owner: u32) -> Option<String> {
    let (mut profile, counts) = end(owner)?;
    // Without the lock: the last reference to a service may go with this.
    counts.add_to(&mut profile);
    let with_held = matches!(profile.kind, Kind::Allocations(_));
    let mut text = String::new();
    for (line, Amount { taken, held }) in profile.stacks.sorted() {
        let _ = match with_held {
            true => writeln!(text, "{line} {taken} {held}"),
            false => writeln!(text, "{line} {taken}"),
        };
    }
    Some(text)
}

/// A service has been retired. Behind the fence that [`start`] relies on.
pub(super) fn owner_retired(handle: u32) {
    if OWNER.load(Relaxed) == handle {
        end(handle);
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_break_the_lines() {
        assert_eq!(clean("a;b\nc d"), "a_b_c d");
    }

    #[test]
    fn a_service_that_has_ended_has_a_label() {
        assert_eq!(Target::Node.label(16, None), "(ended)");
        assert_eq!(Target::Service(16).label(16, None), ":00000010");
        let label = Target::Service(16).label(16, Some("agent".into()));
        assert_eq!(label, "agent :00000010");
    }
}
