//! What the tests of this module share, and the screens that are expected.

use super::app::{Action, App, Effect};
use super::draw::{Theme, draw};
use super::snapshot::{Peer, Service, Snapshot, Socket, VERSION};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::{Duration, Instant};

/// A look at process 7 at that moment.
pub fn snapshot(clock: f64, services: Vec<Service>) -> Snapshot {
    Snapshot {
        version: VERSION,
        pid: Some(7),
        clock,
        services,
        ..Snapshot::default()
    }
}

/// A service with messages handled and CPU time.
pub fn service(address: u32, name: &str, message: u64, cpu: f64) -> Service {
    Service {
        address: format!(":{address:08x}"),
        name: name.into(),
        mqlen: Some(0),
        message: Some(message),
        cpu: Some(cpu),
        ..Service::default()
    }
}

/// Two looks at a busy node.
fn app() -> App {
    let node = |clock: f64, part: u64| {
        let agent = Service {
            mqlen: Some(2048),
            memory: Some(3 << 20),
            lua: Some(2 << 20),
            ..service(10, "snlua agent 7", 5000 * part, 0.75 * part as f64)
        };
        let mut all = snapshot(
            clock,
            vec![
                service(1, "logger", 3, 0.001),
                service(8, "snlua main", 10 * part, 0.01 * part as f64),
                agent,
            ],
        );
        let figures = [
            ("services_started", 3),
            ("messages", 6000 * part),
            ("messages_waiting", 2049),
            ("mailbox_largest", 2048),
            ("sockets", 2),
            ("socket_read_bytes", 2048 * part),
            ("socket_written_bytes", 1024 * part),
            ("socket_queued_bytes", 100),
            ("timers", 5),
            ("errors", 1),
            ("start_time", 1),
        ];
        all.node = figures
            .map(|(name, number)| (name.into(), number as f64))
            .into();
        all.node.insert("cpu".into(), 0.8 * part as f64);
        for worker in 0..2 {
            all.node
                .insert(format!("thread_worker_{worker}"), 0.4 * part as f64);
        }
        all.memory = [("allocated", 8 << 20), ("resident", 20 << 20)]
            .map(|(name, bytes)| (name.into(), f64::from(bytes)))
            .into();
        all.ticks = 6100;
        all.sockets = Some(vec![
            Socket {
                id: 1,
                address: ":00000008".into(),
                kind: "LISTEN".into(),
                accept: Some(3),
                name: "127.0.0.1:8888".into(),
                ..Socket::default()
            },
            Socket {
                id: 2,
                address: ":0000000a".into(),
                kind: "TCP".into(),
                read: 2048 * part,
                write: 1024 * part,
                wbuffer: 100,
                name: "127.0.0.1:40000".into(),
                ..Socket::default()
            },
        ]);
        all
    };
    let mut app = App::new("127.0.0.1:8000", Duration::from_secs(2));
    app.look(Ok((node(10.0, 1), false)));
    app.look(Ok((node(11.0, 2), false)));
    app
}

fn press(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn typed(app: &mut App, text: &str) -> Vec<Effect> {
    text.chars()
        .flat_map(|c| press(app, KeyCode::Char(c)))
        .collect()
}

/// The lines of a screen of that size.
fn screen(app: &mut App, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a backend in memory");
    let theme = Theme { colour: true };
    let frame = terminal.draw(|frame| draw(frame, app, theme, Instant::now()));
    let buffer = frame.expect("a backend in memory").buffer.clone();
    let line =
        |row: &[ratatui::buffer::Cell]| row.iter().map(|cell| cell.symbol()).collect::<String>();
    let lines = buffer.content.chunks(usize::from(width));
    lines.map(|row| line(row).trim_end().to_owned()).collect()
}

#[test]
fn services_are_below_the_sums_of_the_node() {
    let expected = "\
skynet top  127.0.0.1:8000  pid 7                                      every 2 s
services  3, CPU 80.0 %, 2 workers 80.0 %, up 1m01s
messages  6000/s, 2049 waiting (most in one mailbox: 2048), errors 1
memory    8.0M allocated, 20.0M resident, 2.0M in Lua
sockets   2, in 2.0K/s, out 1.0K/s, 100 waiting, timers 5
1 services  2 sockets  3 cluster
ADDRESS    CPU%     TIME  MSG/S HANDLED  MAIL MEMORY SERVICE
:0000000a  75.0    1.500   5000   10.0k  2048   3.0M snlua agent 7
:00000008   1.0    0.020     10      20     0      - snlua main
:00000001   0.0    0.001      0       3     0      - logger


? help  q quit  Enter look into  / filter  < > sort  Space pause";
    assert_eq!(screen(&mut app(), 80, 13).join("\n"), expected);
}

#[test]
fn a_narrow_and_low_screen_keeps_what_matters() {
    let expected = "\
skynet top  127.0.0.1:8000 … every 2 s
services  3, CPU 80.0 %, 2 workers 80.
1 services  2 sockets  3 cluster
ADDRESS    CPU%  MSG/S  MAIL SERVICE
:0000000a  75.0   5000  2048 snlua ag…
:00000008   1.0     10     0 snlua ma…
:00000001   0.0      0     0 logger
? help  q quit  Enter look into  / fil";
    assert_eq!(screen(&mut app(), 38, 8).join("\n"), expected);
    for (width, height) in [(1, 1), (2, 30), (300, 3), (20, 5)] {
        screen(&mut app(), width, height);
    }
}

#[test]
fn sockets_are_told_with_their_owners() {
    let mut app = app();
    press(&mut app, KeyCode::Char('2'));
    assert!(app.wants_sockets());
    let lines = screen(&mut app, 110, 12);
    assert_eq!(
        lines[6..9],
        [
            "        ID TYPE    BYTES/S   READ WRITTEN WAITING OWNER     PEER                  SERVICE",
            "         2 TCP        3.0K   4.0K    2.0K     100 :0000000a 127.0.0.1:40000       snlua agent 7",
            "         1 LISTEN        0     +3       0       0 :00000008 127.0.0.1:8888        snlua main",
        ]
        .map(|line| line.to_owned())
    );
}

#[test]
fn nodes_of_the_cluster_are_told() {
    let mut app = app();
    let mut look = snapshot(12.0, Vec::new());
    let peer = Peer {
        up: true,
        waiting: 3,
        latency: 0.0012,
        ..Peer::default()
    };
    look.cluster = Some(super::snapshot::Cluster {
        nodes: [("db".into(), peer)].into(),
        discovery: None,
    });
    app.look(Ok((look, false)));
    press(&mut app, KeyCode::Char('3'));
    let lines = screen(&mut app, 80, 12);
    assert!(
        lines[7].starts_with("connected       1.20 ms       3      0"),
        "{}",
        lines[7]
    );
    assert!(lines[7].ends_with(" db"), "{}", lines[7]);
}

#[test]
fn a_filter_shows_what_has_its_text_and_escape_ends_it() {
    let mut app = app();
    typed(&mut app, "/AGENT");
    let lines = screen(&mut app, 80, 12);
    assert!(lines[11].starts_with("filter: AGENT_"), "{lines:?}");
    assert_eq!(app.services.rows().len(), 1);
    press(&mut app, KeyCode::Enter);
    assert!(screen(&mut app, 80, 12)[5].ends_with("with \"AGENT\""));
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.services.rows().len(), 3);
    typed(&mut app, "/x");
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.filter, "");
}

#[test]
fn nothing_is_killed_without_a_question() {
    let mut app = app();
    assert_eq!(typed(&mut app, "K"), []);
    let lines = screen(&mut app, 80, 12);
    assert!(
        lines[11].starts_with("kill :0000000a? It ends at once"),
        "{lines:?}"
    );
    // A slip is no answer.
    assert_eq!(typed(&mut app, "x"), []);
    assert_eq!(typed(&mut app, "n"), []);
    assert_eq!(typed(&mut app, "y"), []);
    typed(&mut app, "K");
    let action = Action::Kill(":0000000a".into());
    assert_eq!(typed(&mut app, "y"), [Effect::Do(action.clone())]);
    app.done(&action, Err("no such service".into()));
    let lines = screen(&mut app, 80, 12);
    assert_eq!(lines[11], "kill :0000000a: no such service");
    typed(&mut app, "G");
    assert_eq!(typed(&mut app, "y"), [Effect::Do(Action::Gc)]);
}

#[test]
fn a_service_is_looked_into_and_late_answers_are_waited_for() {
    let mut app = app();
    let asked = press(&mut app, KeyCode::Enter);
    let commands = ["task :0000000a", "info :0000000a"].map(str::to_owned);
    assert_eq!(asked, [Effect::Details(commands.into())]);
    let lines = screen(&mut app, 80, 24).join("\n");
    assert!(lines.contains("asked 0s ago, no answer yet"), "{lines}");
    let stack = [
        "thread: 0x1\tstack traceback:",
        "\t./agent.lua:12: in local 'f'",
    ];
    app.answer(
        ":0000000a",
        "task :0000000a",
        Ok(stack.map(str::to_owned).into()),
    );
    app.answer(
        ":0000000a",
        "info :0000000a",
        Err("no answer within 60 s".into()),
    );
    // Of one that is not shown any more.
    app.answer(":00000001", "task :0000000a", Ok(Vec::new()));
    let lines = screen(&mut app, 80, 24);
    assert_eq!(
        lines[6..]
            .iter()
            .filter(|line| !line.is_empty())
            .map(String::as_str)
            .collect::<Vec<_>>(),
        [
            ":0000000a  snlua agent 7",
            "CPU 75.0 %, 1.500 s in all; messages 5000/s, 10.0k in all, 2048 waiting",
            "memory 3.0M, of which its VM 2.0M",
            "tasks that wait",
            "  thread: 0x1  stack traceback:",
            "      ./agent.lua:12: in local 'f'",
            "what it tells (skynet.info_func)",
            "  no answer within 60 s",
            "sockets",
            "  TCP     2 127.0.0.1:40000  read 4.0K, written 2.0K, waiting 100",
            "Esc back  r again  u count equal stacks  K kill  S signal  arrows scroll",
        ]
    );
    // The end of what is there is the end of scrolling.
    press(&mut app, KeyCode::End);
    screen(&mut app, 80, 12);
    typed(&mut app, "k");
    assert!(app.details().is_some_and(|details| details.scroll < 20));
    app.look(Ok((snapshot(13.0, Vec::new()), false)));
    assert!(screen(&mut app, 80, 24).join("\n").contains("it has ended"));
    press(&mut app, KeyCode::Esc);
    assert!(app.details().is_none());
}

#[test]
fn a_node_that_has_gone_is_told_and_what_was_seen_stays() {
    let mut app = app();
    app.look(Err(
        "127.0.0.1:8000: Connection refused (os error 111)".into()
    ));
    let lines = screen(&mut app, 80, 14);
    assert_eq!(
        lines[5],
        "127.0.0.1:8000: Connection refused (os error 111)"
    );
    assert!(lines[8].starts_with(":0000000a"), "{lines:?}");
    // Another process that listens there: nothing is compared with the one before.
    let mut look = snapshot(1.0, vec![service(1, "logger", 9, 0.5)]);
    look.pid = Some(8);
    app.look(Ok((look, true)));
    let lines = screen(&mut app, 80, 14);
    assert!(lines[0].contains("pid 8"), "{lines:?}");
    assert!(
        lines[5].starts_with("This console has no `snapshot`"),
        "{lines:?}"
    );
}

#[test]
fn help_lists_the_keys_and_any_key_ends_it() {
    let mut app = app();
    typed(&mut app, "?");
    let lines = screen(&mut app, 80, 24).join("\n");
    assert!(lines.contains("a ADDRESS  c CPU%  t TIME"), "{lines}");
    assert_eq!(typed(&mut app, "q"), []);
    assert_eq!(typed(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn looks_are_paused_and_come_more_or_less_often() {
    let mut app = app();
    assert_eq!(
        typed(&mut app, "+"),
        [Effect::Interval(Some(Duration::from_secs(4)))]
    );
    assert_eq!(typed(&mut app, " "), [Effect::Interval(None)]);
    assert_eq!(typed(&mut app, "-"), []);
    assert!(screen(&mut app, 80, 12)[0].ends_with("paused"));
    assert_eq!(
        typed(&mut app, " "),
        [Effect::Interval(Some(Duration::from_secs(2)))]
    );
    for _ in 0..10 {
        typed(&mut app, "-");
    }
    assert_eq!(app.interval, Duration::from_millis(100));
}
