//! The life of a socket as it was before v1.5.0 of the interface, which brought the half-closed connection.
//!
//! Where it differs from [`super::state`]:
//! - The end of the peer's stream closes the socket, without the application: at once, or when the queue is empty.
//! - So does every error, of reading and of writing.
//! - A close that finds data queued raises CLOSE when the data is out, not before.

use super::state::{Actions, Input, Phase, State, release, step as newest};

const DRAINING: State = State {
    phase: Phase::Draining,
    closing: true,
};

const fn release_with(s: State, event: Actions) -> (State, Actions) {
    (State::FREE, release(s.phase).and(event))
}

/// One step of a socket's life, as [`super::state::step`].
pub const fn step(s: State, input: Input) -> (State, Actions) {
    use Phase::*;
    match (s.phase, input) {
        (
            Draining,
            Input::Drained
            | Input::WriteFailed
            | Input::Shutdown
            | Input::Hangup
            | Input::Close { pending: false }
            | Input::EndOfStream { pending: false },
        )
        | (Open | Bound | Accepted, Input::EndOfStream { pending: false } | Input::WriteFailed) => {
            release_with(s, Actions::RAISE_CLOSE)
        }
        (Draining, Input::Orphaned) => release_with(s, Actions::NONE),
        (Open | Bound | Accepted | Draining, Input::Failed) => {
            release_with(s, Actions::RAISE_ERROR)
        }
        (
            Open | Bound | Accepted,
            Input::EndOfStream { pending: true } | Input::Close { pending: true },
        ) => (DRAINING, Actions::READ_OFF.and(Actions::SHUT_READ)),
        (Draining, _) => (s, Actions::NONE),
        _ => newest(s, input),
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    const OPEN: State = State::new(Phase::Open);

    fn closed(s: State, input: Input) -> bool {
        let (next, act) = step(s, input);
        next == State::FREE
            && act.has(Actions::RAISE_CLOSE)
            && act.has(Actions::RELEASE)
            && act.has(Actions::CLOSE_FD)
    }

    #[test]
    fn the_end_of_the_stream_closes_the_socket() {
        assert!(closed(OPEN, Input::EndOfStream { pending: false }));
        let (next, act) = step(OPEN, Input::EndOfStream { pending: true });
        assert_eq!(next, DRAINING);
        assert!(!act.has(Actions::RAISE_CLOSE), "CLOSE waits for the data");
        assert!(closed(next, Input::Drained));
    }

    #[test]
    fn a_close_with_data_queued_tells_when_the_data_is_out() {
        let (next, act) = step(OPEN, Input::Close { pending: true });
        assert_eq!(next, DRAINING);
        assert!(!act.has(Actions::RAISE_CLOSE));
        assert_eq!(
            step(next, Input::Close { pending: true }),
            (next, Actions::NONE)
        );
        assert!(closed(next, Input::Drained));
        assert!(closed(next, Input::WriteFailed));
        assert!(closed(next, Input::Shutdown));
    }

    #[test]
    fn an_error_ends_the_socket() {
        assert!(closed(OPEN, Input::WriteFailed));
        for s in [OPEN, DRAINING] {
            let (next, act) = step(s, Input::Failed);
            assert_eq!(next, State::FREE);
            assert!(act.has(Actions::RAISE_ERROR) && act.has(Actions::CLOSE_FD));
        }
    }

    #[test]
    fn what_did_not_change_is_left_to_the_newest_rules() {
        for input in [
            Input::Start,
            Input::Shutdown,
            Input::Established,
            Input::Hangup,
        ] {
            for phase in [
                Phase::Reserved,
                Phase::Connecting,
                Phase::Accepted,
                Phase::Listen,
            ] {
                let s = State::new(phase);
                assert_eq!(step(s, input), newest(s, input));
            }
        }
    }
}
