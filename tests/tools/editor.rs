//! An editor that debugs a node, as far as the Debug Adapter Protocol goes.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// How long a message may take to come.
const LIMIT: Duration = Duration::from_secs(60);

/// One connection to a debug adapter.
pub struct Editor {
    out: Box<dyn Write>,
    messages: Receiver<Value>,
    events: VecDeque<Value>,
    sequence: i64,
    stream: Option<TcpStream>,
}

/// The thread that reads has the connection too, so it is ended here.
impl Drop for Editor {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Reads messages until the end.
fn read(reader: impl Read) -> impl Iterator<Item = Value> {
    let mut reader = BufReader::new(reader);
    std::iter::from_fn(move || {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", digits)) => length = digits.parse().ok()?,
                Some(other) => panic!("header {other:?}"),
                None => break,
            }
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).ok()?;
        Some(serde_json::from_slice(&text).expect("messages are JSON"))
    })
}

impl Editor {
    /// Over any two streams.
    pub fn over(input: impl Read + Send + 'static, out: impl Write + 'static) -> Editor {
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in read(input) {
                if sender.send(message).is_err() {
                    break; // the test is over
                }
            }
        });
        Editor {
            out: Box::new(out),
            messages,
            events: VecDeque::new(),
            sequence: 0,
            stream: None,
        }
    }

    /// To the adapter at a port of this machine.
    pub fn connect(port: u16) -> Editor {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the adapter listens");
        let handle = || stream.try_clone().expect("another handle");
        let mut editor = Editor::over(handle(), handle());
        editor.stream = Some(stream);
        editor
    }

    fn next(&mut self, what: &str) -> Value {
        let events = &self.events;
        self.messages
            .recv_timeout(LIMIT)
            .unwrap_or_else(|error| panic!("no {what}: {error}; there were {events:?}"))
    }

    /// Sends a request, whose answer is left out.
    pub fn send(&mut self, command: &str, arguments: Value) {
        self.sequence += 1;
        let request = json!({ "seq": self.sequence, "type": "request", "command": command, "arguments": arguments });
        let text = request.to_string();
        write!(self.out, "Content-Length: {}\r\n\r\n{text}", text.len())
            .expect("the adapter reads");
        self.out.flush().expect("the adapter reads");
    }

    /// Sends a request, and gives what it is answered: a body, or the reason of a failure.
    pub fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, String> {
        self.send(command, arguments);
        loop {
            let mut message = self.next(command);
            if message["type"] == "event" {
                self.events.push_back(message);
            } else if message["request_seq"] == self.sequence {
                assert_eq!(message["command"], command);
                return if message["success"] == true {
                    Ok(message["body"].take())
                } else {
                    Err(message["message"].as_str().expect("a reason").to_owned())
                };
            }
        }
    }

    /// The body of an answer.
    pub fn get(&mut self, command: &str, arguments: Value) -> Value {
        self.ask(command, arguments)
            .unwrap_or_else(|problem| panic!("{command}: {problem}"))
    }

    /// The body of the next event of that name for which `test` holds. Others stay for later.
    pub fn event(&mut self, name: &str, test: impl Fn(&Value) -> bool) -> Value {
        let fits = |message: &Value| message["event"] == name && test(&message["body"]);
        if let Some(place) = self.events.iter().position(fits) {
            return self.events.remove(place).expect("it is there")["body"].take();
        }
        loop {
            let mut message = self.next(name);
            if fits(&message) {
                return message["body"].take();
            }
            self.events.push_back(message);
        }
    }

    /// Whether something has stopped since the last one that was waited for.
    pub fn has_stopped(&self) -> bool {
        let stops = |message: &Value| {
            message["event"] == "stopped" && message["body"]["preserveFocusHint"] != true
        };
        self.events.iter().any(stops)
    }

    /// Attaches, with more arguments, up to the end of the configuration. `breakpoints`: file and lines.
    pub fn attach(
        &mut self,
        request: &str,
        arguments: Value,
        filters: &[&str],
        breakpoints: &[(&str, Value)],
    ) {
        self.get("initialize", json!({ "adapterID": "skynet" }));
        self.get(request, arguments);
        self.event("initialized", |_| true);
        for (file, list) in breakpoints {
            self.breakpoints(file, list);
        }
        self.get("setExceptionBreakpoints", json!({ "filters": filters }));
        self.get("configurationDone", json!({}));
    }

    /// Sets the breakpoints of a file: `[{ line, ... }]`. What became of them.
    pub fn breakpoints(&mut self, file: &str, list: &Value) -> Vec<Value> {
        let arguments = json!({ "source": { "path": file }, "breakpoints": list });
        let body = self.get("setBreakpoints", arguments);
        body["breakpoints"].as_array().expect("a list").clone()
    }

    /// The next stop that is none of a task that waits: its thread and its reason.
    pub fn stopped(&mut self) -> (u64, String) {
        let body = self.event("stopped", |body| body["preserveFocusHint"] != true);
        let thread = body["threadId"].as_u64().expect("a thread");
        (
            thread,
            body["reason"].as_str().expect("a reason").to_owned(),
        )
    }

    /// The functions of a stack that are the application's: name, file and line.
    pub fn stack(&mut self, thread: u64) -> Vec<(String, String, u64)> {
        let frames = self.frames(thread);
        let shown = frames
            .iter()
            .filter(|frame| frame["presentationHint"].is_null());
        shown
            .map(|frame| {
                let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
                let file = text(&frame["source"]["name"]);
                (
                    text(&frame["name"]),
                    file,
                    frame["line"].as_u64().expect("a line"),
                )
            })
            .collect()
    }

    /// All frames of a stack.
    pub fn frames(&mut self, thread: u64) -> Vec<Value> {
        let body = self.get("stackTrace", json!({ "threadId": thread }));
        body["stackFrames"].as_array().expect("frames").clone()
    }

    /// The number of the innermost frame.
    pub fn top(&mut self, thread: u64) -> u64 {
        self.frames(thread)[0]["id"].as_u64().expect("a number")
    }

    /// The variables of a scope of a frame, name and value; and the number of the scope.
    pub fn scope(&mut self, frame: u64, name: &str) -> (u64, Vec<(String, String)>) {
        let body = self.get("scopes", json!({ "frameId": frame }));
        let scopes = body["scopes"].as_array().expect("scopes");
        let scope = scopes
            .iter()
            .find(|scope| scope["name"] == name)
            .expect("such a scope");
        let reference = scope["variablesReference"].as_u64().expect("a number");
        (reference, self.variables(reference))
    }

    /// What is inside of a variable.
    pub fn variables(&mut self, reference: u64) -> Vec<(String, String)> {
        let body = self.get("variables", json!({ "variablesReference": reference }));
        let list = body["variables"].as_array().expect("variables");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        list.iter()
            .map(|v| (text(&v["name"]), text(&v["value"])))
            .collect()
    }

    /// The value of an expression, as text.
    pub fn evaluate(&mut self, frame: u64, expression: &str) -> Result<String, String> {
        let arguments = json!({ "expression": expression, "frameId": frame, "context": "repl" });
        let body = self.ask("evaluate", arguments)?;
        Ok(body["result"].as_str().expect("a text").to_owned())
    }

    /// Goes on, or makes a step.
    pub fn go(&mut self, command: &str, thread: u64) {
        self.get(command, json!({ "threadId": thread }));
    }
}
