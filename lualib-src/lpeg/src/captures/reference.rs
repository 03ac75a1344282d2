//! Which group a back reference means.

use mlua_sys::{LUA_OPEQ, lua_compare, lua_pop, lua_tostring, luaL_error};

use super::values::Values;
use crate::tree::CaptureKind;

impl Values {
    /// The last complete group with the name on top of the stack (which is popped) that `from` can see: it is not within
    /// another complete capture that `from` is not in.
    ///
    /// # Safety
    /// As for all methods of `Values`; may raise an error.
    pub(super) unsafe fn find_group(&self, from: u32) -> u32 {
        let state = self.state;
        // SAFETY: entries before one of the list, and their parents, are of the list.
        unsafe {
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
                    let same = lua_compare(state, -2, -1, LUA_OPEQ) != 0;
                    lua_pop(state, 1);
                    if same {
                        lua_pop(state, 1);
                        return at;
                    }
                }
            }
            let name = lua_tostring(state, -1);
            luaL_error(state, c"back reference '%s' not found".as_ptr(), name);
        }
        from
    }
}
