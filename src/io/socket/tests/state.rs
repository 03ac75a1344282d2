//! Every pair of state and input, against a table written by hand.

use crate::io::socket::state::{Actions, Input, Phase, State, step};

/// All states that can occur.
fn states() -> Vec<State> {
    let mut all: Vec<State> = Phase::TAKEN.iter().map(|&p| State::new(p)).collect();
    for phase in [Phase::Reserved, Phase::Connecting, Phase::ReadClosed] {
        all.push(State {
            phase,
            closing: true,
        });
    }
    all
}

const INPUTS: [Input; 13] = [
    Input::Start,
    Input::Close { pending: false },
    Input::Close { pending: true },
    Input::Shutdown,
    Input::Established,
    Input::ConnectFailed,
    Input::EndOfStream { pending: false },
    Input::EndOfStream { pending: true },
    Input::Failed,
    Input::WriteFailed,
    Input::Drained,
    Input::Hangup,
    Input::Orphaned,
];

fn short(s: State) -> String {
    format!("{:?}{}", s.phase, if s.closing { "+closing" } else { "" })
}

/// What the table says about one pair: the next state and the letters of the actions.
/// s start, t transfer, c CONNECT, C CLOSE, E ERROR, x rejected start, r read on, n read off, R shut read, W shut write,
/// f released, F released and descriptor closed.
fn letters(a: Actions) -> String {
    let mut t = String::new();
    for (flag, letter) in [
        (Actions::RAISE_START, 's'),
        (Actions::RAISE_TRANSFER, 't'),
        (Actions::RAISE_CONNECT, 'c'),
        (Actions::RAISE_CLOSE, 'C'),
        (Actions::RAISE_ERROR, 'E'),
        (Actions::REJECT_START, 'x'),
        (Actions::READ_ON, 'r'),
        (Actions::READ_OFF, 'n'),
        (Actions::SHUT_READ, 'R'),
        (Actions::SHUT_WRITE, 'W'),
    ] {
        if a.has(flag) {
            t.push(letter);
        }
    }
    if a.has(Actions::RELEASE) {
        t.push(if a.has(Actions::CLOSE_FD) { 'F' } else { 'f' });
    }
    t
}

/// Columns in the order of `INPUTS`; `=` stays, `-` becomes free, otherwise the next state; then `/` and the letters.
const TABLE: &[(&str, [&str; 13])] = &[
    (
        "Reserved",
        [
            "=/",
            "-/CF",
            "Reserved+closing/C",
            "-/CF",
            "Open/c",
            "-/EF",
            "=/",
            "=/",
            "=/E",
            "=/",
            "=/",
            "-/CF",
            "-/F",
        ],
    ),
    (
        "PreListen",
        [
            "Listen/sr",
            "-/CF",
            "ReadClosed+closing/CnR",
            "-/CF",
            "=/",
            "=/",
            "=/",
            "=/",
            "=/E",
            "=/",
            "=/",
            "-/CF",
            "-/F",
        ],
    ),
    (
        "Listen",
        [
            "=/r",
            "-/CF",
            "ReadClosed+closing/CnR",
            "-/CF",
            "=/",
            "=/",
            "=/",
            "=/",
            "=/E",
            "=/",
            "=/",
            "-/CF",
            "-/F",
        ],
    ),
    (
        "Accepted",
        [
            "Open/sr",
            "-/CF",
            "ReadClosed+closing/CnR",
            "-/CF",
            "=/",
            "=/",
            "ReadClosed/CnR",
            "ReadClosed/CnR",
            "=/E",
            "=/",
            "=/",
            "-/CF",
            "-/F",
        ],
    ),
    (
        "Connecting",
        [
            "=/r",
            "-/CF",
            "Connecting+closing/Cn",
            "-/CF",
            "Open/c",
            "-/EF",
            "=/",
            "=/",
            "=/E",
            "=/",
            "=/",
            "-/CF",
            "-/F",
        ],
    ),
    (
        "Open",
        [
            "=/tr",
            "-/CF",
            "ReadClosed+closing/CnR",
            "-/CF",
            "=/",
            "=/",
            "ReadClosed/CnR",
            "ReadClosed/CnR",
            "=/E",
            "WriteClosed/EW",
            "=/",
            "-/CF",
            "-/F",
        ],
    ),
    (
        "Bound",
        [
            "=/r",
            "-/Cf",
            "ReadClosed+closing/CnR",
            "-/Cf",
            "=/",
            "=/",
            "ReadClosed/CnR",
            "ReadClosed/CnR",
            "=/E",
            "WriteClosed/EW",
            "=/",
            "-/Cf",
            "-/f",
        ],
    ),
    (
        "ReadClosed",
        [
            "=/x",
            "-/F",
            "ReadClosed+closing/",
            "-/F",
            "=/",
            "=/",
            "=/",
            "=/",
            "=/E",
            "-/F",
            "=/",
            "-/F",
            "-/F",
        ],
    ),
    (
        "WriteClosed",
        [
            "=/r", "-/CF", "-/CF", "-/CF", "=/", "=/", "-/CF", "-/CF", "=/E", "=/", "=/", "-/CF",
            "-/F",
        ],
    ),
    (
        "Reserved+closing",
        [
            "=/x",
            "-/F",
            "=/",
            "-/F",
            "ReadClosed+closing/n",
            "-/F",
            "=/",
            "=/",
            "-/F",
            "=/",
            "=/",
            "-/F",
            "-/F",
        ],
    ),
    (
        "Connecting+closing",
        [
            "=/x",
            "-/F",
            "=/",
            "-/F",
            "ReadClosed+closing/n",
            "-/F",
            "=/",
            "=/",
            "-/F",
            "=/",
            "=/",
            "-/F",
            "-/F",
        ],
    ),
    (
        "ReadClosed+closing",
        [
            "=/x", "-/F", "=/", "-/F", "=/", "=/", "-/F", "=/", "-/F", "-/F", "-/F", "-/F", "-/F",
        ],
    ),
];

#[test]
fn every_pair_of_state_and_input_does_what_the_table_says() {
    let mut seen = 0;
    for s in states() {
        let (_, row) = TABLE
            .iter()
            .find(|(n, _)| *n == short(s))
            .unwrap_or_else(|| panic!("no row for {}", short(s)));
        for (input, want) in INPUTS.iter().zip(row) {
            let (next, actions) = step(s, *input);
            let to = match next {
                n if n == s => "=".to_string(),
                n if n.phase == Phase::Free => "-".to_string(),
                n => short(n),
            };
            assert_eq!(
                &format!("{to}/{}", letters(actions)),
                want,
                "{} with {input:?}",
                short(s)
            );
            seen += 1;
        }
    }
    assert_eq!(seen, TABLE.len() * INPUTS.len());
}

/// All that can happen from `s` on, to a depth that passes every state more than once.
fn walk(s: State, closes: usize, depth: usize) {
    assert!(closes <= 1, "CLOSE is raised at most once");
    if depth == 0 || s.phase == Phase::Free {
        return;
    }
    for input in INPUTS {
        let (next, actions) = step(s, input);
        walk(
            next,
            closes + usize::from(actions.has(Actions::RAISE_CLOSE)),
            depth - 1,
        );
    }
}

#[test]
fn close_is_raised_at_most_once_on_every_path() {
    for s in states() {
        if !s.closing && s.phase != Phase::ReadClosed {
            walk(s, 0, 5);
        }
    }
}

#[test]
fn a_released_socket_is_free_and_a_free_one_stays_free() {
    for s in states() {
        for input in INPUTS {
            let (next, actions) = step(s, input);
            assert_eq!(
                next.phase == Phase::Free,
                actions.has(Actions::RELEASE),
                "{s:?} {input:?}"
            );
        }
    }
    for input in INPUTS {
        assert_eq!(
            step(State::new(Phase::Free), input),
            (State::new(Phase::Free), Actions::NONE)
        );
    }
}

#[test]
fn nothing_but_release_ends_a_closing_socket_in_silence() {
    let loud = [
        Actions::RAISE_CLOSE,
        Actions::RAISE_ERROR,
        Actions::RAISE_CONNECT,
        Actions::RAISE_START,
    ];
    for s in states().into_iter().filter(|s| s.closing) {
        for input in INPUTS {
            let (_, actions) = step(s, input);
            assert!(!loud.iter().any(|&a| actions.has(a)), "{s:?} {input:?}");
        }
    }
}
