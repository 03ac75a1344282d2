//! Which group a back reference means.

use skynet_support::state::Shown;

use super::values::Values;
use crate::tree::CaptureKind;

impl Values<'_> {
    /// The last complete group with the name on top of the stack (which is popped) that `from` can see: it is not within
    /// another complete capture that `from` is not in.
    ///
    /// Raises an error when there is none.
    pub(super) fn find_group(&self, from: u32) -> u32 {
        let state = self.state;
        // The captures around `from` from the inside out; entries between two of them are complete.
        let mut around = self.entry(from).parent;
        let mut at = from;
        while at > 1 {
            at -= 1;
            if at == around {
                around = self.entry(at).parent;
                continue;
            }
            while self.entry(at).parent != around {
                at = self.entry(at).parent;
            }
            let capture = self.entry(at);
            if capture.kind == CaptureKind::Group {
                self.push_key(capture.key);
                let same = state.equal(-2, -1);
                state.pop(1);
                if same {
                    state.pop(1);
                    return at;
                }
            }
        }
        let name = Shown(state.to_bytes(-1).unwrap_or(b"(null)"));
        state.error_with(format_args!("back reference '{name}' not found"))
    }
}
