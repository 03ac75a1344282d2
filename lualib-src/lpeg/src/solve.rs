//! Properties of the nodes of a tree that follow from those of their children, and, where rules are called, of the rules.

use crate::tree::{Op, Tree};

/// Finds the property of each node. `of` tells it for a node other than a call from the properties of all later nodes.
/// Rules begin with `nothing`, and are gone through until no property changes: what comes from more must not be less.
pub fn solve<T: Copy + PartialEq>(tree: Tree, nothing: T, of: impl Fn(usize, &[T]) -> T) -> Vec<T> {
    let mut all = vec![nothing; tree.nodes.len()];
    let visit = |from: usize, all: &mut [T]| {
        for at in (from..from + tree.nodes[from].size as usize).rev() {
            all[at] = match tree.nodes[at].op {
                Op::Call(distance) => all[at.wrapping_add_signed(distance as isize)],
                _ => of(at, all),
            };
        }
    };
    let rules = called_first(tree);
    loop {
        let mut changed = false;
        for &rule in &rules {
            let before = all[rule];
            visit(rule, &mut all);
            changed |= all[rule] != before;
        }
        if !changed {
            break;
        }
    }
    visit(0, &mut all);
    all
}

/// All rules, those that a rule calls before it where that is possible: then few rounds are needed.
fn called_first(tree: Tree) -> Vec<usize> {
    let mut order = Vec::new();
    let mut seen = vec![false; tree.nodes.len()];
    // Rules on the way, each with the node where to go on.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for (start, node) in tree.nodes.iter().enumerate() {
        if !matches!(node.op, Op::Rule(_)) || seen[start] {
            continue;
        }
        seen[start] = true;
        path.push((start, start + 1));
        while let Some((rule, at)) = path.last_mut() {
            if *at == *rule + tree.nodes[*rule].size as usize {
                order.push(*rule);
                path.pop();
                continue;
            }
            let next = match tree.nodes[*at].op {
                Op::Call(distance) => at.wrapping_add_signed(distance as isize),
                Op::Rule(_) => *at,
                _ => *rule,
            };
            *at += 1;
            if !seen[next] {
                seen[next] = true;
                path.push((next, next + 1));
            }
        }
    }
    order
}
