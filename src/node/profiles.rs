//! The parameter of the command `PROFILE`, and what is said when there is no profile.

use crate::actor::service::sampling::{self, LONGEST_SCRIPT, Refused, Target};
use crate::actor::service::{Context, describe, grab};
use std::ffi::{CStr, CString};

/// Samples for each second of CPU time. More cost what they measure, and the system's clock ticks not much oftener.
const MOST_HZ: u32 = 1000;

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
    let ["start", hz, what, more @ ..] = &words[..] else {
        return Err(EXPECTED.into());
    };
    let hz = hz.parse().ok().filter(|hz| (1..=MOST_HZ).contains(hz));
    let Some(hz) = hz else {
        return Err(format!("a profile takes 1 to {MOST_HZ} samples a second"));
    };
    let target = match (*what, more) {
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
    sampling::start(owner, target, hz).map_err(|refused| match refused {
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

const EXPECTED: &str = "expected start HZ node, start HZ script NAME, start HZ ADDRESS, or stop";
