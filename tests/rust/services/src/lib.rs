//! Services of the tests in `tests/rust`.

mod counter;
