//! The texts that a gate is given: its launch parameter and its commands.

use libc::c_int;

/// What a gate is launched with: `S|L WATCHDOG ADDRESS TAG MAX`.
#[derive(Debug, PartialEq)]
pub struct Parameter<'a> {
    /// Bytes of a frame's length: 2 for `S`, 4 for `L`.
    pub width: usize,
    /// Who is told about clients, `:hex` or `.name`; none for `!`.
    pub watchdog: Option<&'a str>,
    /// `host:port`, or only a port.
    pub address: &'a str,
    /// `PTYPE_*` of what is forwarded; 0 for the usual one.
    pub tag: c_int,
    /// Clients at a time.
    pub max: usize,
}

/// Why a parameter is refused.
#[derive(Debug, PartialEq)]
pub enum Refused {
    /// There are not all of the words.
    Incomplete,
    /// The number of clients is missing or not positive.
    Max,
    /// The frame's length has neither of the two letters.
    Header,
}

/// The number at the front of a text, as `strtol` reads it: 0 if there is none.
pub fn number(text: &str) -> c_int {
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit());
    let digits = &digits[..end.unwrap_or(digits.len())];
    let value: i64 = digits.parse().unwrap_or(0);
    let value = if text.starts_with('-') { -value } else { value };
    c_int::try_from(value).unwrap_or(0)
}

impl Parameter<'_> {
    /// Reads the launch parameter.
    pub fn parse(text: &str) -> Result<Parameter<'_>, Refused> {
        let mut letters = text.chars();
        let header = letters.next().ok_or(Refused::Incomplete)?;
        let mut words = letters.as_str().split_ascii_whitespace();
        let watchdog = words.next().ok_or(Refused::Incomplete)?;
        let address = words.next().ok_or(Refused::Incomplete)?;
        let tag = words.next().ok_or(Refused::Incomplete)?;
        if !tag.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
            return Err(Refused::Incomplete);
        }
        let max = usize::try_from(words.next().map_or(0, number)).unwrap_or(0);
        if max == 0 {
            return Err(Refused::Max);
        }
        let width = match header {
            'S' => 2,
            'L' => 4,
            _ => return Err(Refused::Header),
        };
        let watchdog = Some(watchdog).filter(|name| !name.starts_with('!'));
        Ok(Parameter {
            width,
            watchdog,
            address,
            tag: number(tag),
            max,
        })
    }

    /// Host and port to listen on; an empty host means all addresses.
    pub fn host_and_port(&self) -> Option<(&str, c_int)> {
        let (host, port) = self.address.rsplit_once(':').unwrap_or(("", self.address));
        Some((host, number(port))).filter(|&(_, port)| port > 0)
    }
}

/// A command of the watchdog.
#[derive(Debug, PartialEq)]
pub enum Command<'a> {
    /// Let the client's bytes in.
    Start(c_int),
    /// Close the client's connection.
    Kick(c_int),
    /// Send what the client sends to that agent, in the name of that source.
    Forward(c_int, u32, u32),
    /// Send what clients send to the service of that name.
    Broker(&'a str),
    /// Do not listen any more.
    Close,
    /// Words are missing; it has no effect.
    Incomplete,
}

/// The handle in `:hex`; whatever the first letter is.
fn handle(text: &str) -> u32 {
    let digits = text.get(1..).unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_hexdigit());
    u32::from_str_radix(&digits[..end.unwrap_or(digits.len())], 16).unwrap_or(0)
}

impl Command<'_> {
    /// Reads a command; `None` for an unknown one.
    pub fn parse(text: &str) -> Option<Command<'_>> {
        let (command, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim_start_matches(' ');
        Some(match command {
            "start" => Command::Start(number(rest)),
            "kick" => Command::Kick(number(rest)),
            "close" => Command::Close,
            "broker" => Command::Broker(rest),
            "forward" => {
                let mut words = rest.split(' ');
                let (Some(id), Some(agent), Some(client)) =
                    (words.next(), words.next(), words.next())
                else {
                    return Some(Command::Incomplete);
                };
                Command::Forward(number(id), handle(agent), handle(client))
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_has_five_words() {
        let expected = Parameter {
            width: 2,
            watchdog: Some(":0000000a"),
            address: "127.0.0.1:8888",
            tag: 0,
            max: 64,
        };
        assert_eq!(
            Parameter::parse("S :0000000a 127.0.0.1:8888 0 64"),
            Ok(expected)
        );
        let raw = Parameter::parse("L ! 8888 4 1").unwrap();
        assert_eq!((raw.width, raw.watchdog, raw.tag, raw.max), (4, None, 4, 1));
        assert_eq!(raw.host_and_port(), Some(("", 8888)));
        for text in ["", "S", "S !", "S ! 8888", "S ! 8888 tag 5"] {
            assert_eq!(Parameter::parse(text), Err(Refused::Incomplete), "{text}");
        }
        for text in [
            "S ! 8888 0",
            "S ! 8888 0 0",
            "S ! 8888 0 -1",
            "X ! 8888 0 many",
        ] {
            assert_eq!(Parameter::parse(text), Err(Refused::Max), "{text}");
        }
        assert_eq!(Parameter::parse("X ! 8888 0 1"), Err(Refused::Header));
    }

    #[test]
    fn an_address_needs_a_positive_port() {
        for (address, expected) in [
            ("127.0.0.1:80", Some(("127.0.0.1", 80))),
            ("::1:80", Some(("::1", 80))),
            (":80", Some(("", 80))),
            ("host", None),
            ("host:", None),
            ("host:0", None),
            ("host:-1", None),
        ] {
            let text = format!("S ! {address} 0 1");
            let parameter = Parameter::parse(&text).unwrap();
            assert_eq!(parameter.host_and_port(), expected, "{address}");
        }
    }

    #[test]
    fn commands_are_words_and_numbers() {
        for (text, command) in [
            ("start 5", Command::Start(5)),
            ("start   5 6", Command::Start(5)),
            ("kick", Command::Kick(0)),
            ("close", Command::Close),
            ("broker .name", Command::Broker(".name")),
            ("forward 5 :0000000b :ff", Command::Forward(5, 11, 255)),
            ("forward 5 :b :c extra", Command::Forward(5, 11, 12)),
        ] {
            assert_eq!(Command::parse(text), Some(command), "{text}");
        }
        assert_eq!(Command::parse("forward 5 :b"), Some(Command::Incomplete));
        assert_eq!(Command::parse("forward"), Some(Command::Incomplete));
        for text in ["stop", "kickoff 5", "K 5", ""] {
            assert_eq!(Command::parse(text), None, "{text}");
        }
    }
}
