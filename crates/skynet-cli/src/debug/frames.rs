//! Messages of the protocol on the standard output: those of the adapter as they are, and events of this process between them.

use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// The longest message of an adapter.
const MOST: u64 = 64 << 20;
/// The longest request, as in the adapter.
const REQUEST: u64 = 8 << 20;
/// Bytes of a header, and of what is wrong and shown.
const HEADER: u64 = 1024;
const SHOWN: usize = 100;
/// The end of what a node has written that a refusal has with it, in bytes.
const TAIL: usize = 4096;
/// What is written at a time, in bytes.
const PIECE: usize = 16 * 1024;
/// How long an editor may take to read a piece when the session has ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// One message, headers included, as it came; `None` at the end.
pub fn read(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut frame = Vec::new();
    let mut length = None;
    loop {
        let start = frame.len();
        if reader.by_ref().take(1024).read_until(b'\n', &mut frame)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&frame[start..]);
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(digits) = line.strip_prefix("Content-Length:") {
            length = digits.trim().parse::<u64>().ok();
        }
    }
    let length = length.filter(|&length| length <= MOST);
    let Some(length) = length else {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    };
    let before = frame.len() as u64;
    reader.take(length).read_to_end(&mut frame)?;
    Ok((frame.len() as u64 == before + length).then_some(frame))
}

/// What is looked at of a request here.
#[derive(Deserialize)]
struct Request {
    #[serde(rename = "seq")]
    _number: i64,
}

/// One request of the editor, headers included, as it came; `None` at the end. It is what the adapter takes: that ends the connection
/// when it gets something else, and cannot say so here.
pub fn read_request(reader: &mut impl BufRead) -> Result<Option<Vec<u8>>, String> {
    let mut frame = Vec::new();
    let mut length = None;
    loop {
        let start = frame.len();
        let size = reader.by_ref().take(HEADER).read_until(b'\n', &mut frame);
        let line = &frame[start..];
        if line == b"\r\n" && length.is_some() {
            break;
        }
        let is_begun = [&b"Content-Length:"[..], b"Content-Type: "]
            .iter()
            .any(|name| line.starts_with(name) || name.starts_with(line));
        let is_ended = line.ends_with(b"\r\n");
        if !is_begun || line.len() as u64 == HEADER || line.ends_with(b"\n") && !is_ended {
            return Err(format!(
                "{:?} is no header of the Debug Adapter Protocol, such as \"Content-Length: 119\"",
                String::from_utf8_lossy(&line[..line.len().min(SHOWN)])
            ));
        } else if !matches!(size, Ok(1..)) || !is_ended {
            return Ok(None); // in the middle, perhaps
        }
        let line = String::from_utf8_lossy(line);
        if let Some(digits) = line.strip_prefix("Content-Length:") {
            let digits = digits.trim();
            length = digits.parse::<u64>().ok().filter(|&one| one <= REQUEST);
            if length.is_none() {
                return Err(format!("{digits:?} is no length of a message"));
            }
        }
    }
    let (before, length) = (frame.len(), length.unwrap_or(0));
    let read = reader.take(length).read_to_end(&mut frame);
    let text = &frame[before..];
    if read.is_err() || (text.len() as u64) < length {
        return Ok(None);
    }
    match serde_json::from_slice::<Request>(text) {
        Ok(_) => Ok(Some(frame)),
        Err(problem) => Err(format!(
            "{:?} is no request: {problem}",
            String::from_utf8_lossy(&text[..text.len().min(SHOWN)])
        )),
    }
}

fn frame(message: &Value) -> Vec<u8> {
    let text = message.to_string();
    format!("Content-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

#[derive(Default)]
struct State {
    /// The editor has got its first answer: events may come.
    begun: bool,
    /// What is to come then.
    waiting: Vec<Value>,
    /// The end of all that the node has written.
    tail: Vec<u8>,
}

/// The standard output, for several threads.
#[derive(Default)]
pub struct Output {
    state: Mutex<State>,
    /// Pieces that were written.
    written: AtomicUsize,
}

impl Output {
    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Writes all of a message. Waits as long as the editor does not read.
    fn put(&self, message: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for piece in message.chunks(PIECE) {
            out.write_all(piece)?;
            out.flush()?;
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A message of the adapter.
    pub fn write(&self, message: &[u8]) -> io::Result<()> {
        self.with(|state| {
            self.put(message)?;
            if !state.begun {
                state.begun = true;
                for event in state.waiting.drain(..) {
                    self.put(&frame(&event))?;
                }
            }
            Ok(())
        })
    }

    /// Waits until nothing is being written.
    pub fn settle(&self) {
        self.with(|_| ());
    }

    /// Waits for the end of a channel to which nothing is sent, as long as the editor reads. Whether it has come.
    pub fn wait_for(&self, end: &Receiver<()>) -> bool {
        loop {
            let before = self.written.load(Ordering::Relaxed);
            let waited = end.recv_timeout(PATIENCE);
            if waited != Err(RecvTimeoutError::Timeout) {
                return true;
            } else if self.written.load(Ordering::Relaxed) == before {
                return false;
            }
        }
    }

    fn send(&self, event: Value) {
        self.with(|state| {
            if !state.begun {
                state.waiting.push(event);
                return;
            }
            // An editor that is gone misses nothing.
            let _ = self.put(&frame(&event));
        });
    }

    /// Something that the node has written.
    pub fn line(&self, category: &str, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        self.with(|state| {
            state.tail.extend_from_slice(line);
            let excess = state.tail.len().saturating_sub(TAIL);
            state.tail.drain(..excess);
            // Those that wait are few: a node that has an adapter soon has an editor.
            let excess = state.waiting.len().saturating_sub(1000);
            state.waiting.drain(..excess);
        });
        self.send(event(
            "output",
            &json!({ "category": category, "output": text }),
        ));
    }

    /// The node has ended.
    pub fn exited(&self, code: i32) {
        self.send(event("exited", &json!({ "exitCode": code })));
        self.send(event("terminated", &json!({})));
    }

    /// The node has ended before its adapter listened: the editor's first request fails, with what the node has written.
    pub fn refuse_first_request(&self, requests: impl Read, why: &str) -> io::Result<()> {
        let request = match read_request(&mut BufReader::new(requests)) {
            Ok(Some(request)) => request,
            other => {
                super::complain(&format!("skynet debug: {why}"));
                return other.map(|_| ()).map_err(io::Error::other);
            }
        };
        let text = request.iter().position(|&byte| byte == b'{').unwrap_or(0);
        let request: Value = serde_json::from_slice(&request[text..]).unwrap_or_default();
        let written = self.with(|state| String::from_utf8_lossy(&state.tail).trim().to_owned());
        let problem = format!("{why}\n{written}");
        // Braces stand for variables in this field.
        let escaped = problem.replace('{', "{{").replace('}', "}}");
        let answer = json!({
            "seq": 1,
            "type": "response",
            "request_seq": request["seq"],
            "command": request["command"],
            "success": false,
            "message": problem,
            "body": { "error": { "id": 1, "format": escaped, "showUser": true } },
        });
        self.write(&frame(&answer))?;
        self.send(event("terminated", &json!({})));
        Ok(())
    }
}

fn event(name: &str, body: &Value) -> Value {
    json!({ "seq": 0, "type": "event", "event": name, "body": body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_passed_on_whole_or_not_at_all() {
        let text = b"Content-Length: 2\r\n\r\n{}Content-Length: 5\r\n\r\n{}";
        let mut reader = &text[..];
        assert_eq!(read(&mut reader).unwrap().as_deref(), Some(&text[..23]));
        assert_eq!(read(&mut reader).unwrap(), None);
        assert!(read(&mut &b"Content-Length: 99999999999\r\n\r\n"[..]).is_err());
        assert!(read(&mut &b"hello\r\n\r\n"[..]).is_err());
    }

    #[test]
    fn what_is_no_request_is_told_and_a_part_of_one_is_none() {
        let text = b"Content-Length: 11\r\nContent-Type: x\r\n\r\n{\"seq\": 1 }Content-Le";
        let mut reader = &text[..];
        let whole = text.len() - 10;
        assert_eq!(
            read_request(&mut reader).unwrap().as_deref(),
            Some(&text[..whole])
        );
        assert_eq!(read_request(&mut reader), Ok(None));
        assert_eq!(read_request(&mut &b""[..]), Ok(None));
        assert_eq!(
            read_request(&mut &b"Content-Length: 20\r\n\r\n{\"seq\""[..]),
            Ok(None)
        );
        for (text, told) in [
            (&b"hello"[..], "\"hello\" is no header"),
            (
                b"GET / HTTP/1.1\r\n\r\n",
                "\"GET / HTTP/1.1\\r\\n\" is no header",
            ),
            (b"\r\n", "is no header"),
            (b"Content-Length: 2\n\n{}", "is no header"),
            (
                b"Content-Length: 2\r\nContent-X: 1\r\n\r\n{}",
                "is no header",
            ),
            (b"Content-Length: -1\r\n\r\n", "\"-1\" is no length"),
            (
                b"Content-Length: 99999999\r\n\r\n",
                "\"99999999\" is no length",
            ),
            (b"Content-Length: 4\r\n\r\nnull", "\"null\" is no request"),
            (
                b"Content-Length: 2\r\n\r\n{}",
                "\"{}\" is no request: missing field `seq`",
            ),
        ] {
            let problem = read_request(&mut &text[..]).unwrap_err();
            assert!(problem.contains(told), "{problem}");
        }
    }
}
