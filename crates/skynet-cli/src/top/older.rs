//! A console without `snapshot`, such as the C core's: its texts `list`, `stat`, `mem`, `netstat` and `jmem` as one [`Snapshot`].

use super::snapshot::{Figures, Service, Snapshot, Socket, VERSION};
use std::collections::BTreeMap;

/// The answers of the commands; those that were not asked are empty.
#[derive(Debug, Default)]
pub struct Answers {
    pub list: Vec<String>,
    pub stat: Vec<String>,
    pub mem: Vec<String>,
    pub netstat: Vec<String>,
    pub jmem: Vec<String>,
}

/// What they say together, at a moment by the clock of this machine. `sockets`: `netstat` was asked.
pub fn snapshot(answers: &Answers, clock: f64, sockets: bool) -> Snapshot {
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    for line in &answers.list {
        if let Some((address, name)) = line.split_once('\t') {
            let service = Service {
                address: address.into(),
                name: name.trim_end().into(),
                ..Service::default()
            };
            services.insert(address.into(), service);
        }
    }
    for line in &answers.stat {
        let Some((address, rest)) = line.split_once('\t') else {
            continue;
        };
        if let Some(service) = services.get_mut(address) {
            let fields = fields(rest);
            let number = |name: &str| fields.get(name)?.parse::<f64>().ok();
            service.cpu = number("cpu");
            service.message = number("message").map(|number| number as u64);
            service.mqlen = number("mqlen").map(|number| number as u64);
            service.task = number("task").map(|number| number as u64);
        }
    }
    for line in &answers.mem {
        if let Some((address, rest)) = line.split_once('\t')
            && let Some(service) = services.get_mut(address)
        {
            let kilobytes = rest.split(' ').next().unwrap_or_default().parse::<f64>();
            service.lua = kilobytes.ok().map(|number| (number * 1024.0) as u64);
        }
    }
    Snapshot {
        version: VERSION,
        clock,
        memory: memory(&answers.jmem),
        services: services.into_values().collect(),
        sockets: sockets.then(|| {
            answers
                .netstat
                .iter()
                .filter_map(|line| socket(line))
                .collect()
        }),
        ..Snapshot::default()
    }
}

/// `name:value` between tabs.
fn fields(line: &str) -> BTreeMap<&str, &str> {
    line.split('\t')
        .filter_map(|field| field.split_once(':'))
        .collect()
}

fn memory(lines: &[String]) -> Figures {
    let figure = |line: &String| {
        let (name, rest) = line.split_once('\t')?;
        let bytes = rest.split_whitespace().next()?.parse().ok()?;
        Some((name.strip_prefix("stats.")?.to_owned(), bytes))
    };
    lines.iter().filter_map(figure).collect()
}

/// Times are told as ages here, which have no clock: they are left out.
fn socket(line: &str) -> Option<Socket> {
    let (_, rest) = line.split_once('\t')?;
    let fields = fields(rest);
    let text = |name: &str| fields.get(name).map_or(String::new(), |&text| text.into());
    let size = |name: &str| fields.get(name).copied().map_or(0, bytes);
    Some(Socket {
        id: fields.get("id")?.parse().ok()?,
        address: text("address"),
        kind: text("type"),
        accept: fields.get("accept").and_then(|text| text.parse().ok()),
        read: size("read"),
        write: size("write"),
        wbuffer: size("wbuffer"),
        name: text(if fields.contains_key("peer") {
            "peer"
        } else {
            "sock"
        }),
        ..Socket::default()
    })
}

/// `12`, `1.5K`, `3.25M`.
fn bytes(text: &str) -> u64 {
    let (number, unit) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 1024.0),
        Some(b'M') => (&text[..text.len() - 1], 1024.0 * 1024.0),
        _ => (text, 1.0),
    };
    (number.parse::<f64>().unwrap_or(0.0) * unit) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn answers_of_the_c_core_are_put_together_by_address() {
        let answers = Answers {
            list: lines(":00000008\tsnlua main\n:0000000a\tgate S\n"),
            stat: lines(
                ":00000008\tcpu:0.25\tmessage:6\tmqlen:1\ttask:2\n:0000000a\tTIMEOUT\n:0000000c\tcpu:1\n",
            ),
            mem: lines(":00000008\t2.50 Kb (snlua main)\n:0000000a\tTIMEOUT (gate S)\n"),
            netstat: lines(
                "1\taddress::00000008\tid:6\tpeer:[::1]:46\tread:1.5K\treading:true\trtime:0.0s\ttype:TCP\twbuffer:2M\twrite:26\twriting:false\twtime:1:2s\n\
                 2\taccept:5\taddress::00000008\tid:1\trtime:0.0s\tsock:127.0.0.1:18777\ttype:LISTEN\n",
            ),
            jmem: lines("stats.active\t   15646720     14.92 Mb\n"),
        };
        let snapshot = snapshot(&answers, 3.0, true);
        let names: Vec<_> = snapshot.services.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["snlua main", "gate S"]);
        let main = &snapshot.services[0];
        assert_eq!(
            (main.cpu, main.message, main.mqlen),
            (Some(0.25), Some(6), Some(1))
        );
        assert_eq!((main.task, main.lua), (Some(2), Some(2560)));
        let gate = &snapshot.services[1];
        assert_eq!((gate.cpu, gate.lua), (None, None));
        let sockets = snapshot.sockets.expect("sockets");
        assert_eq!(
            (sockets[0].id, sockets[0].read, sockets[0].wbuffer),
            (6, 1536, 2 << 20)
        );
        assert_eq!(
            (sockets[0].name.as_str(), sockets[0].address.as_str()),
            ("[::1]:46", ":00000008")
        );
        assert_eq!(
            (sockets[1].accept, sockets[1].name.as_str()),
            (Some(5), "127.0.0.1:18777")
        );
        assert_eq!(snapshot.memory["active"], 15646720.0);
    }
}
