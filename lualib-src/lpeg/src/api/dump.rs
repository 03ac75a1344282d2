//! `ptree` and `pcode`: what a pattern looks like inside, for those who work on this module.

use libc::c_int;
use mlua_sys::lua_State;

use super::convert::to_pattern;

/// `ptree(patt)`: prints the tree.
pub(super) unsafe extern "C-unwind" fn tree(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; printing does not call it.
    unsafe {
        let tree = to_pattern(state, 1).tree();
        for (at, node) in tree.nodes.iter().enumerate() {
            println!("{at:4} {:?} ({} nodes)", node.op, node.size);
        }
    }
    0
}

/// `pcode(patt)`: prints the program.
pub(super) unsafe extern "C-unwind" fn code(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; printing does not call it.
    unsafe {
        let program = to_pattern(state, 1).program(state, 1);
        for (at, inst) in program.instructions().iter().enumerate() {
            println!("{at:4} {inst:?}");
        }
    }
    0
}
