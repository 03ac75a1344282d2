//! Whether a grammar can be matched at all: no rule may come back to itself, and no loop may go on, without taking a byte.

use crate::facts::Facts;
use crate::tree::{Op, Tree};

/// What is wrong with a grammar; the number is that of the rule, from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The rule may call itself where it started.
    LeftRecursion(usize),
    /// The rule has a loop whose body may be empty.
    EmptyLoop(usize),
}

/// Checks the rules of the grammar at the root, other than those that nothing refers to. Grammars inside of it were
/// checked when they were made.
pub fn verify(tree: Tree, facts: &[Facts]) -> Result<(), Fault> {
    let rules: Vec<usize> = tree.children(0).collect();
    left_recursion(tree, facts, &rules)?;
    let looping = |&at: &usize| used(tree, at) && has_empty_loop(tree, facts, at);
    match rules.iter().position(looping) {
        Some(rule) => Err(Fault::EmptyLoop(rule)),
        None => Ok(()),
    }
}

fn used(tree: Tree, rule: usize) -> bool {
    tree.nodes[rule].op == Op::Rule(true)
}

/// The nodes below a node, other than those of inner grammars.
fn inside(tree: Tree<'_>, at: usize) -> impl Iterator<Item = usize> {
    let end = at + tree.nodes[at].size as usize;
    let mut next = at + 1;
    std::iter::from_fn(move || {
        let at = next;
        (at < end).then(|| {
            next += match tree.nodes[at].op {
                Op::Grammar => tree.nodes[at].size as usize,
                _ => 1,
            };
            at
        })
    })
}

fn is_call(tree: Tree, at: usize) -> bool {
    matches!(tree.nodes[at].op, Op::Call(_))
}

fn has_empty_loop(tree: Tree, facts: &[Facts], rule: usize) -> bool {
    inside(tree, rule).any(|at| tree.nodes[at].op == Op::Repeat && facts[at + 1].nullable)
}

/// A rule on the way down, with the calls at its beginning and how many of them were followed.
struct Step {
    rule: usize,
    calls: Vec<usize>,
    followed: usize,
}

/// How far down a chain of calls the rule is looked for that an error names: a fixed number, so that it is always the same
/// rule of a circle.
const DEPTH_OF_NAME: usize = 1000;

fn left_recursion(tree: Tree, facts: &[Facts], rules: &[usize]) -> Result<(), Fault> {
    let number = |at: usize| rules.binary_search(&at).expect("calls refer to rules");
    let mut done = vec![false; rules.len()];
    for start in 0..rules.len() {
        if done[start] || !used(tree, rules[start]) {
            continue;
        }
        let step = |rule: usize| Step {
            rule,
            calls: left_calls(tree, facts, rules[rule]),
            followed: 0,
        };
        let mut path = vec![step(start)];
        while let Some(last) = path.last_mut() {
            let Some(&call) = last.calls.get(last.followed) else {
                done[last.rule] = true;
                path.pop();
                continue;
            };
            last.followed += 1;
            let next = number(call);
            if let Some(begin) = path.iter().position(|step| step.rule == next) {
                let circle = path.len() - begin;
                let named = path[begin + (DEPTH_OF_NAME.saturating_sub(begin)) % circle].rule;
                return Err(Fault::LeftRecursion(named));
            }
            if !done[next] {
                path.push(step(next));
            }
        }
    }
    Ok(())
}

/// The rules that may be called before the rule has taken a byte, in the order of the calls.
fn left_calls(tree: Tree, facts: &[Facts], rule: usize) -> Vec<usize> {
    let mut calls = Vec::new();
    let mut todo = vec![rule + 1];
    while let Some(at) = todo.pop() {
        let before = todo.len();
        match tree.nodes[at].op {
            Op::Call(distance) => calls.push(at.wrapping_add_signed(distance as isize)),
            Op::Sequence => {
                for child in tree.children(at) {
                    todo.push(child);
                    if !facts[child].nullable {
                        break;
                    }
                }
            }
            Op::Choice => todo.extend(tree.children(at)),
            Op::Repeat | Op::AtMost(_) | Op::Not | Op::And => todo.push(at + 1),
            Op::Capture(..) | Op::Runtime(_) => todo.push(at + 1),
            // Bytes that are gone back to are no progress, so every call counts.
            Op::Behind(_) => todo.extend(inside(tree, at).filter(|&at| is_call(tree, at))),
            // An inner grammar cannot call the rules of this one.
            _ => {}
        }
        todo[before..].reverse();
    }
    calls
}
