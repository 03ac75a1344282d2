//! Streams of DEFLATE (RFC 1951, without a header) that are cut into messages as RFC 7692 §7.2 has it: a message ends on the
//! boundary of a byte with an empty block, whose last four bytes are left out.
//!
//! Invariant of both types: `open` says whether the state behind `stream` exists. It is made by the library's init function,
//! and released once, by `close`. A closed stream owns nothing.

use std::mem::{MaybeUninit, size_of};
use std::ptr;

use libc::{c_int, c_uint};
use libz_rs_sys::{
    Z_BLOCK, Z_BUF_ERROR, Z_DEFAULT_STRATEGY, Z_DEFLATED, Z_NO_FLUSH, Z_OK, Z_STREAM_END,
    Z_SYNC_FLUSH, deflate, deflateEnd, deflateInit2_, deflateReset, inflate, inflateEnd,
    inflateInit2_, inflateReset, inflateResetKeep, z_stream, zlibVersion,
};

/// What a message ends with, and does not carry.
pub const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Bytes that have to be free at each step of a [`Compressor`]: the end of a message must not be written twice.
pub const ROOM: usize = 64;

/// Bits of the window size, as DEFLATE has them. A window of 8 bits is not offered: the library makes it one of 9, whose
/// output another side could not read.
pub const WINDOW_BITS: std::ops::RangeInclusive<c_int> = 9..=15;

const EMPTY: z_stream = z_stream {
    next_in: ptr::null(),
    avail_in: 0,
    total_in: 0,
    next_out: ptr::null_mut(),
    avail_out: 0,
    total_out: 0,
    msg: ptr::null_mut(),
    state: ptr::null_mut(),
    zalloc: None,
    zfree: None,
    opaque: ptr::null_mut(),
    data_type: 0,
    adler: 0,
    reserved: 0,
};

/// The part of `input` behind `at` that one call takes.
fn give(stream: &mut z_stream, input: &[u8], output: &mut [MaybeUninit<u8>]) {
    stream.next_in = input.as_ptr();
    stream.avail_in = c_uint::try_from(input.len()).unwrap_or(c_uint::MAX);
    stream.next_out = output.as_mut_ptr().cast();
    stream.avail_out = c_uint::try_from(output.len()).unwrap_or(c_uint::MAX);
}

/// The pointers of [`give`] are valid until here.
fn take_back(stream: &mut z_stream) {
    stream.next_in = ptr::null();
    stream.next_out = ptr::null_mut();
}

/// What a step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the input that are done with.
    pub read: usize,
    /// Bytes at the beginning of the output that are initialised.
    pub written: usize,
    /// There is more to be written: call again with the rest of the input, and room.
    pub more: bool,
}

/// Makes messages small.
pub struct Compressor {
    stream: z_stream,
    open: bool,
    /// A message has been begun and not ended: what the other side knows of it is not known.
    broken: bool,
}

impl Compressor {
    /// One that owns nothing, and does nothing.
    pub const fn closed() -> Self {
        Self {
            stream: EMPTY,
            open: false,
            broken: false,
        }
    }

    /// Opens a closed one, with a level of 1 to 9 and a window of [`WINDOW_BITS`]. False when there is no memory for it, or
    /// an argument is out of its range.
    pub fn open(&mut self, level: c_int, window_bits: c_int) -> bool {
        assert!(!self.open);
        if !(1..=9).contains(&level) || !WINDOW_BITS.contains(&window_bits) {
            return false;
        }
        // Small windows are asked for to save memory: the rest gets smaller with them.
        let memory = (window_bits - 7).max(2);
        // SAFETY: the stream is empty, which has the library use the allocator of the program; the version is its own.
        let status = unsafe {
            deflateInit2_(
                &mut self.stream,
                level,
                Z_DEFLATED,
                -window_bits,
                memory,
                Z_DEFAULT_STRATEGY,
                zlibVersion(),
                size_of::<z_stream>() as c_int,
            )
        };
        self.open = status == Z_OK;
        self.broken = false;
        self.open
    }

    /// Whether it has been opened, and not closed.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Begins a message. One before that was not ended is forgotten: the stream goes on without what came before.
    pub fn begin(&mut self) {
        if self.broken {
            self.reset();
        }
        self.broken = true;
    }

    /// Goes on with a message whose rest is `input`. `output` has at least [`ROOM`] bytes. The message ends with [`TAIL`].
    /// None: it is closed.
    pub fn step(&mut self, input: &[u8], output: &mut [MaybeUninit<u8>]) -> Option<Step> {
        assert!(output.len() >= ROOM);
        if !self.open {
            return None;
        }
        let stream = &mut self.stream;
        give(stream, input, output);
        let (given, room) = (stream.avail_in, stream.avail_out);
        let last = given as usize == input.len();
        // SAFETY: the stream is open; input and output are as long as it says.
        let status = unsafe { deflate(stream, if last { Z_SYNC_FLUSH } else { Z_NO_FLUSH }) };
        let read = (given - stream.avail_in) as usize;
        let written = (room - stream.avail_out) as usize;
        let full = stream.avail_out == 0;
        take_back(stream);
        // Z_BUF_ERROR: all had been written, into the last byte of the output before.
        let more = status != Z_BUF_ERROR && (full || !last || read < given as usize);
        Some(Step {
            read,
            written,
            more,
        })
    }

    /// Ends a message. Unless `keep`, the next one does not use it.
    pub fn end(&mut self, keep: bool) {
        self.broken = false;
        if !keep {
            self.reset();
        }
    }

    fn reset(&mut self) {
        if self.open {
            // SAFETY: the stream is open.
            unsafe { deflateReset(&mut self.stream) };
        }
    }

    /// Releases its memory.
    pub fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            // SAFETY: the stream is open, and is not used any more.
            unsafe { deflateEnd(&mut self.stream) };
            self.stream = EMPTY;
        }
    }
}

/// Makes messages large again.
pub struct Decompressor {
    stream: z_stream,
    open: bool,
}

/// The input is not DEFLATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

impl Decompressor {
    /// One that owns nothing, and does nothing.
    pub const fn closed() -> Self {
        Self {
            stream: EMPTY,
            open: false,
        }
    }

    /// Opens a closed one. It reads messages of every window. False when there is no memory.
    pub fn open(&mut self) -> bool {
        assert!(!self.open);
        // SAFETY: as in `Compressor::open`.
        let status = unsafe {
            inflateInit2_(
                &mut self.stream,
                -WINDOW_BITS.end(),
                zlibVersion(),
                size_of::<z_stream>() as c_int,
            )
        };
        self.open = status == Z_OK;
        self.open
    }

    /// Whether it has been opened, and not closed.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Goes on with a message, of which `input` is a part. `output` is not empty.
    pub fn step(&mut self, input: &[u8], output: &mut [MaybeUninit<u8>]) -> Result<Step, Corrupt> {
        self.inflate(input, output, Z_SYNC_FLUSH)
    }

    fn inflate(
        &mut self,
        input: &[u8],
        output: &mut [MaybeUninit<u8>],
        flush: c_int,
    ) -> Result<Step, Corrupt> {
        assert!(!output.is_empty());
        if !self.open {
            return Err(Corrupt);
        }
        let stream = &mut self.stream;
        give(stream, input, output);
        let (given, room) = (stream.avail_in, stream.avail_out);
        // SAFETY: the stream is open; input and output are as long as it says.
        let status = unsafe { inflate(stream, flush) };
        let read = (given - stream.avail_in) as usize;
        let written = (room - stream.avail_out) as usize;
        let full = stream.avail_out == 0;
        take_back(stream);
        match status {
            Z_OK | Z_BUF_ERROR => {}
            // A block that says it is the last one of its stream may end a message (§7.2.3.4).
            Z_STREAM_END => self.go_on(),
            _ => return Err(Corrupt),
        }
        let more = full || (status != Z_BUF_ERROR && read < input.len());
        Ok(Step {
            read,
            written,
            more,
        })
    }

    /// Behind the last block of a stream: what follows may repeat what was before it.
    fn go_on(&mut self) {
        // SAFETY: only called when the stream is open.
        unsafe { inflateResetKeep(&mut self.stream) };
    }

    /// Ends a message. Unless `keep`, the next one does not use it. An error when it was cut off inside of a block.
    pub fn end(&mut self, keep: bool) -> Result<(), Corrupt> {
        // What `data_type` says: between two blocks, behind the last one of a stream; below that are bits left over.
        const BETWEEN: c_int = 128;
        const LAST: c_int = 64;
        let mut nothing = [MaybeUninit::uninit()];
        let step = self.inflate(&TAIL, &mut nothing, Z_BLOCK)?;
        let place = self.stream.data_type;
        if step.written > 0 || step.read < TAIL.len() || place & !LAST != BETWEEN {
            return Err(Corrupt);
        }
        if !keep {
            // SAFETY: the stream is open, for the step went well.
            unsafe { inflateReset(&mut self.stream) };
        } else if place & LAST != 0 {
            self.go_on();
        }
        Ok(())
    }

    /// Releases its memory.
    pub fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            // SAFETY: the stream is open, and is not used any more.
            unsafe { inflateEnd(&mut self.stream) };
            self.stream = EMPTY;
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
