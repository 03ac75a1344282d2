//! `ptree` and `pcode`: what a pattern looks like inside, for those who work on this module.

use libc::c_int;
use skynet_support::State;

use super::convert::to_pattern;

/// `ptree(patt)`: prints the tree.
pub(super) fn tree(state: State<'_>) -> c_int {
    let tree = to_pattern(state, 1).tree();
    for (at, node) in tree.nodes.iter().enumerate() {
        println!("{at:4} {:?} ({} nodes)", node.op, node.size);
    }
    0
}

/// `pcode(patt)`: prints the program.
pub(super) fn code(state: State<'_>) -> c_int {
    let program = to_pattern(state, 1).program(state, 1);
    for (at, inst) in program.instructions().iter().enumerate() {
        println!("{at:4} {inst:?}");
    }
    0
}
