//! The parameter of the command `PROFILE`, and what is said when there is no profile.

use crate::actor::service::sampling::{self, Kind, LONGEST_SCRIPT, Refused, Target};
use crate::actor::service::{Context, describe, grab};
use std::ffi::{CStr, CString};

/// Samples for each second of CPU time. More cost what they measure, and the system's clock ticks not much oftener.
const MOST_HZ: u32 = 1000;
/// Bytes between two samples of allocations. With less, most allocations would have one, and so a stack.
const LEAST_BYTES: usize = 256;
const MOST_BYTES: usize = 1 << 30;

/// Begins a profile for the service `owner`.
///
/// # Errors
/// Why not, for people.
pub(super) fn start(
    owner: &Context,
    text: &[u8],
    to_handle: impl Fn(&CStr) -> u32,
) -> Result<(), String> {
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (kind, what, more) = match &words[..] {
        ["start", hz, what, more @ ..] => {
            let hz = hz.parse().ok().filter(|hz| (1..=MOST_HZ).contains(hz));
            let hz = hz.ok_or_else(|| format!("a profile takes 1 to {MOST_HZ} samples a second"));
            (Kind::Cpu(hz?), *what, more)
        }
        ["allocations", bytes, what, more @ ..] => {
            let bytes = bytes
                .parse()
                .ok()
                .filter(|&bytes| bytes == 0 || (LEAST_BYTES..=MOST_BYTES).contains(&bytes));
            let bytes = bytes.ok_or_else(|| {
                format!("a profile takes a sample for {LEAST_BYTES} to {MOST_BYTES} bytes, or 0: it sees to that itself")
            });
            (Kind::Allocations(bytes?), *what, more)
        }
        _ => return Err(EXPECTED.into()),
    };
    let target = match (what, more) {
        ("node", []) => Target::Node,
        ("script", [name]) => Target::Script((*name).into()),
        (address, []) => {
            let name = CString::new(address).unwrap_or_default();
            let handle = to_handle(&name);
            if handle == 0 || grab(handle).is_none() {
                return Err(format!("there is no service {address}"));
            }
            Target::Service(handle)
        }
        _ => return Err(EXPECTED.into()),
    };
    sampling::start(owner, target, kind).map_err(|refused| match refused {
        Refused::Busy(other) => format!(
            "a profile runs already, begun by {}: one at a time",
            describe(other)
        ),
        Refused::LongName => {
            format!("the name of a script in a profile has at most {LONGEST_SCRIPT} bytes")
        }
        Refused::NoTimer => String::from(
            "no profile: the system has no timer or no real-time signal left (ulimit -i, and what libraries have taken)",
        ),
    })
}

const EXPECTED: &str = "expected start HZ TARGET, allocations BYTES TARGET, or stop; the target is node, script NAME, or an address";
