//! Text commands: `command`, `intcommand`, `addresscommand`.

use skynet_support::State;
use skynet_support::state::Shown;
use std::ffi::CStr;
use std::io::Write;
use std::ptr;

use libc::{c_char, c_int};

use crate::block::Block;
use crate::service::service;

/// A parameter of so many bytes is long: there has to be memory for what a command may make of it.
const LONG: usize = 64 * 1024;

/// Argument 2, a text. Raises if it is long and there is no memory for copies of it: a command can only answer that nothing was
/// done, which is what it answers for other reasons, too.
fn parameter(state: State<'_>) -> &CStr {
    let text = state.check_text(2);
    let len = state.raw_len(2);
    if len > LONG && Block::with_capacity(len.saturating_mul(2)).is_err() {
        state.error(c"not enough memory");
    }
    text
}

/// Runs the command named by argument 1; argument 2, when there are two, is its parameter.
fn run(state: State<'_>) -> Option<&CStr> {
    let command = state.check_text(1);
    let parameter = (state.top() == 2).then(|| parameter(state));
    service(state).command(command, parameter)
}

/// `command(name [, parameter])`: the answer, or nothing.
pub fn command(state: State<'_>) -> c_int {
    let Some(answer) = run(state) else {
        return 0;
    };
    state.push_text(answer);
    1
}

/// `addresscommand(name [, parameter])`: the handle that the answer, `:hex`, names, or nothing.
pub fn addresscommand(state: State<'_>) -> c_int {
    let Some(handle) = run(state).and_then(|answer| address(answer.to_bytes())) else {
        return 0;
    };
    state.push_integer(handle.into());
    1
}

fn address(answer: &[u8]) -> Option<u32> {
    let digits = answer.strip_prefix(b":")?;
    digits.iter().try_fold(0u32, |handle, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(handle.wrapping_mul(16).wrapping_add(digit))
    })
}

/// `intcommand(name [, parameter])`: the answer as a number, or nothing. A number as parameter is cut to 32 bits.
pub fn intcommand(state: State<'_>) -> c_int {
    let command = state.check_text(1);
    let mut decimal = [0; 16];
    let mut parameter = None;
    if state.top() == 2 {
        if state.is_number(2) {
            let number = state.check_integer(2) as i32;
            let _ = write!(&mut decimal[..], "{number}"); // 11 characters at most
            parameter = CStr::from_bytes_until_nul(&decimal).ok();
        } else {
            parameter = Some(self::parameter(state));
        }
    }
    let Some(answer) = service(state).command(command, parameter) else {
        return 0;
    };
    let mut end: *mut c_char = ptr::null_mut();
    // SAFETY: both read the C string up to where `end` is then.
    let (real, whole) = unsafe {
        let integer = libc::strtoll(answer.as_ptr(), &mut end, 0);
        if *end == 0 {
            state.push_integer(integer);
            return 1;
        }
        (libc::strtod(answer.as_ptr(), &mut end), *end == 0)
    };
    if !whole {
        state.error_with(format_args!("Invalid result {}", Shown(answer.to_bytes())));
    }
    state.push_number(real);
    1
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_is_hexadecimal_after_a_colon() {
        assert_eq!(address(b":0100aBcD"), Some(0x0100_abcd));
        assert_eq!(address(b":"), Some(0));
        assert_eq!(address(b":12x"), None);
        assert_eq!(address(b"12"), None);
    }
}
