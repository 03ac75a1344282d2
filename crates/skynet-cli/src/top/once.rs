//! One look, printed: as a table or as JSON.

use super::columns::{self, Column};
use super::format::{UNKNOWN, bytes, count, duration, known, percent};
use super::list::List;
use super::rates::{ServiceRow, SocketRow, Totals, View};
use serde_json::{Value, json};
use skynet_printable::one_line;
use unicode_width::UnicodeWidthStr;

/// The sums of the node, a line for each kind.
pub fn summary(totals: &Totals) -> Vec<String> {
    let workers = match totals.workers.len() {
        0 => String::new(),
        1 => format!(", worker {} %", percent(totals.workers[0])),
        number => format!(
            ", {number} workers {} %",
            percent(totals.workers.iter().sum())
        ),
    };
    let memory = |name: &str| known(totals.memory.get(name).copied(), bytes);
    let error_rate = totals.error_rate.filter(|rate| *rate > 0.0);
    vec![
        format!(
            "services  {}, CPU {} %{workers}{}",
            totals.services,
            known(totals.cpu_percent, percent),
            totals.uptime.map_or(String::new(), |seconds| format!(
                ", up {}",
                duration(seconds)
            )),
        ),
        format!(
            "messages  {}/s, {} waiting (most in one mailbox: {}){}",
            known(totals.message_rate, count),
            count(totals.waiting as f64),
            count(totals.largest as f64),
            totals.errors.map_or(String::new(), |number| format!(
                ", errors {}{}",
                count(number),
                error_rate.map_or(String::new(), |rate| format!(" (+{}/s)", count(rate)))
            )),
        ),
        format!(
            "memory    {} allocated, {} resident, {} in Lua",
            memory("allocated"),
            memory("resident"),
            bytes(totals.lua as f64)
        ),
        format!(
            "sockets   {}, in {}/s, out {}/s, {} waiting{}",
            totals.sockets.map_or(UNKNOWN.into(), count),
            known(totals.read_rate, bytes),
            known(totals.write_rate, bytes),
            known(totals.queued, bytes),
            totals.timers.map_or(String::new(), |number| format!(
                ", timers {}",
                count(number)
            )),
        ),
    ]
}

/// The sums, and the rows below the titles of their columns.
pub fn table<R>(view: &View, list: &List<R>) -> String {
    let mut text = summary(&view.totals).join("\n");
    for line in &view.stuck {
        text.push_str(&format!("\nlong      {line}"));
    }
    text.push_str("\n\n");
    let columns: Vec<&Column<R>> = columns::known(list.columns, list.rows());
    let mut lines = vec![
        columns
            .iter()
            .map(|column| column.title.to_owned())
            .collect::<Vec<_>>(),
    ];
    lines.extend(list.rows().iter().map(|row| {
        columns
            .iter()
            // A terminal that shows a name does not obey it.
            .map(|column| one_line(&(column.text)(row)).into_owned())
            .collect()
    }));
    let width = |place: usize| {
        lines
            .iter()
            .map(|line| line[place].width())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    for line in &lines {
        let mut row = String::new();
        for (place, field) in line.iter().enumerate() {
            let blanks = " ".repeat(widths[place] - field.width());
            let number = columns[place].is_number();
            row.push_str(if number { &blanks } else { "" });
            row.push_str(field);
            row.push_str(if number { "" } else { &blanks });
            row.push_str("  ");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// JSON in which strings have no characters that steer a terminal, but escapes.
pub fn shown(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\x7f'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => text.push(character),
        }
    }
    text
}

/// All that is known, as one object.
pub fn object(place: &str, view: &View, services: &[ServiceRow], sockets: &[SocketRow]) -> Value {
    let totals = &view.totals;
    json!({
        "node": place,
        "pid": view.pid,
        "seconds": view.seconds,
        "totals": {
            "services": totals.services,
            "cpu_percent": totals.cpu_percent,
            "messages_per_second": totals.message_rate,
            "mqlen": totals.waiting,
            "largest_mqlen": totals.largest,
            "memory": totals.memory,
            "lua": totals.lua,
            "sockets": totals.sockets,
            "read_per_second": totals.read_rate,
            "write_per_second": totals.write_rate,
            "wbuffer": totals.queued,
            "timers": totals.timers,
            "errors": totals.errors,
            "uptime": totals.uptime,
            "worker_cpu_percent": totals.workers,
        },
        "services": services.iter().map(service).collect::<Vec<_>>(),
        "sockets": sockets.iter().map(socket).collect::<Vec<_>>(),
        "cluster": view.cluster,
        "long": view.stuck,
    })
}

fn service(row: &ServiceRow) -> Value {
    json!({
        "address": row.now.address,
        "name": row.now.name,
        "cpu_percent": row.cpu_percent,
        "cpu": row.now.cpu,
        "messages_per_second": row.message_rate,
        "message": row.now.message,
        "mqlen": row.now.mqlen,
        "memory": columns::memory(row),
        "lua": row.now.lua,
        "task": row.now.task,
        "running": row.running,
    })
}

fn socket(row: &SocketRow) -> Value {
    json!({
        "id": row.now.id,
        "type": row.now.kind,
        "address": row.now.address,
        "name": row.now.name,
        "service": row.owner,
        "read": row.now.read,
        "write": row.now.write,
        "wbuffer": row.now.wbuffer,
        "accept": row.now.accept,
        "read_per_second": row.read_rate,
        "write_per_second": row.write_rate,
    })
}

#[cfg(test)]
mod tests {
    use super::super::app::service_list;
    use super::super::tests::{service as one, snapshot};
    use super::*;

    #[test]
    fn names_of_strangers_steer_no_terminal() {
        let name = "snlua \u{1b}]0;x\u{7}\u{9b}2J\u{202e}";
        let look = |clock| snapshot(clock, vec![one(8, name, 0, 0.0)]);
        let view = View::new(Some(&look(1.0)), &look(2.0));
        let mut list = service_list();
        list.set(view.services.iter(), "");
        let table = table(&view, &list);
        assert!(
            table.contains(r"snlua \x1b]0;x\x07\xc2\x9b2J\xe2\x80\xae"),
            "{table}"
        );
        let json = shown(&object("here", &view, &view.services, &[]).to_string());
        assert!(
            json.contains(r#"snlua \u001b]0;x\u0007\u009b2J\u202e""#),
            "{json}"
        );
        let read: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(read["services"][0]["name"], name);
    }

    #[test]
    fn columns_are_as_wide_as_what_they_have() {
        let old = snapshot(1.0, vec![one(8, "snlua main", 0, 0.0)]);
        let new = snapshot(
            3.0,
            vec![one(8, "snlua main", 20, 1.0), one(9, "snlua 中文", 0, 0.0)],
        );
        let view = View::new(Some(&old), &new);
        let mut list = service_list();
        list.set(view.services.iter(), "");
        assert_eq!(
            table(&view, &list),
            "services  2, CPU 50.0 %\n\
             messages  10/s, 0 waiting (most in one mailbox: 0)\n\
             memory    - allocated, - resident, 0 in Lua\n\
             sockets   -, in -/s, out -/s, - waiting\n\
             \n\
             ADDRESS    CPU%   TIME  MSG/S  HANDLED  MAIL  SERVICE\n\
             :00000008  50.0  1.000     10       20     0  snlua main\n\
             :00000009   0.0  0.000      0        0     0  snlua 中文\n"
        );
        let object = object("here", &view, &view.services, &[]);
        assert_eq!(object["services"][0]["cpu_percent"], 50.0);
        assert_eq!(object["totals"]["messages_per_second"], 10.0);
        assert!(object["services"][0]["memory"].is_null());
    }
}
