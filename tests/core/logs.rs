//! The error log, the log file with its SIGHUP, and the message logs.

use crate::node::{Setup, eventually, ours};
use std::path::Path;

fn read(path: &Path) -> String {
    std::fs::read(path).map_or_else(
        |_| String::new(),
        |b| String::from_utf8_lossy(&b).into_owned(),
    )
}

#[test]
fn error_lines_are_printf_with_one_exception() {
    let node = Setup::new("logs lines").start();
    node.wait_line("LAUNCH logs lines");
    let log = node.log();
    let mine: Vec<_> = log
        .iter()
        .skip_while(|l| !l.contains("int -5"))
        .map(String::as_str)
        .collect();
    // Ours shows control characters in a way that no terminal obeys.
    let zero = if ours() {
        "[:00000002] with\\x00zero"
    } else {
        "[:00000002] with\0zero"
    };
    let middle = "m".repeat(299);
    let big = "b".repeat(70000);
    assert_eq!(
        mine[..17],
        [
            "[:00000002] int -5 hex 00000abc text word percent %",
            "[:00000002] wide    42|42   |1.500|x|1099511627776|7",
            "[:00000000] from nobody",
            "[:00000002] ",
            "[:00000002] two",
            "lines",
            "[:00000002] counted",
            zero,
            "[:00000002] ",
            "[:00000002]    pad|",
            "[:00000002] pre",
            &format!("[:00000002] {middle}"),
            &format!("[:00000002] {}", &middle[..255]),
            &format!("[:00000002] {}", &middle[..256]),
            &format!("[:00000002] {big}"),
            "[:00000002] done",
            "[:00000002] LAUNCH logs lines",
        ]
    );
}

/// `dd/mm/yy hh:mm:ss.cc [:source] text`.
fn is_stamped(line: &str) -> bool {
    let shape = "dd/dd/dd dd:dd:dd.dd [:xxxxxxxx] ";
    line.len() >= shape.len()
        && shape.bytes().zip(line.bytes()).all(|(s, c)| match s {
            b'd' => c.is_ascii_digit(),
            b'x' => c.is_ascii_hexdigit(),
            _ => s == c,
        })
}

#[test]
fn the_log_file_is_stamped_appended_to_and_reopened_by_sighup() {
    let setup = Setup::new("logs talks").line("logger = 'node.log'");
    let file = setup.dir().join("node.log");
    let old = setup.dir().join("node.log.1");
    std::fs::write(&file, "kept\n").unwrap();
    let node = setup.start();
    eventually("a tick in the log", || {
        read(&file).contains(" tick ").then_some(())
    });
    std::fs::rename(&file, &old).unwrap();
    node.signal(libc::SIGHUP);
    eventually("a new file", || {
        read(&file).contains(" tick ").then_some(())
    });
    let before = read(&old);
    assert!(before.starts_with("kept\n"), "{before}");
    assert!(before.lines().skip(1).all(is_stamped), "{before}");
    assert!(
        before.contains("[:00000002] LAUNCH logs talks\n"),
        "{before}"
    );
    let after = read(&file);
    assert!(
        after[..=after.rfind('\n').unwrap()].lines().all(is_stamped),
        "{after}"
    );
    assert_eq!(node.stdout(), "");
}

#[test]
fn rotation_loses_no_line_and_lines_of_json_are_objects() {
    if !ours() {
        return;
    }
    let setup = Setup::new("logs burst 5000")
        .line("logger = 'node.log'")
        .line("log_format = 'json'")
        .line("log_rotate_size = '128k'");
    let folder = setup.dir().to_path_buf();
    let node = setup.start();
    let texts = || -> Vec<String> {
        let files = std::fs::read_dir(&folder).unwrap();
        let names = files.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("node.log")).collect();
        // The one that is written has no time in its name, and is the last.
        names.sort_by_key(|name| (name == "node.log", name.clone()));
        names.iter().map(|name| read(&folder.join(name))).collect()
    };
    eventually("the last line", || {
        let last = texts().pop()?;
        last.contains("\"text\":\"done\"}\n").then_some(())
    });
    // Once more: a file may have got its name after the names were read, and before the last file was.
    let texts = texts();
    drop(node);
    assert!(texts.len() > 2, "{} files", texts.len());
    let mut next = 0;
    for text in &texts {
        assert!(text.ends_with('\n') && text.len() < 256 << 10);
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("an object");
            assert_eq!(line["level"], "info");
            if line["text"]
                .as_str()
                .is_some_and(|text| text.starts_with("line "))
            {
                next += 1;
            }
        }
    }
    assert_eq!(next, 5000);
}

#[test]
fn a_log_service_of_the_users_gets_lines_and_sighup() {
    let node = Setup::new("logs speaks words")
        .line("logservice = 'logs'")
        .line("logger = 'sink'")
        .start();
    node.wait_line("fact type 0 session 0 size 5 <ready>");
    node.signal(libc::SIGHUP);
    node.wait_line("fact type 4 session 0 size 0 null <>");
    assert!(
        node.stdout()
            .contains("[:00000002] fact type 0 session 0 size 5 <words>\n"),
        "{}",
        node.stdout()
    );
    assert!(
        node.stdout().contains("[:00000000] fact type 4 "),
        "{}",
        node.stdout()
    );
}

#[test]
fn sighup_and_sigpipe_do_no_harm_without_a_log_file() {
    let node = Setup::new("logs talks").start();
    node.wait_line("tick 1");
    node.signal(libc::SIGHUP);
    node.signal(libc::SIGPIPE);
    let now = node.stdout().matches(" tick ").count();
    eventually("more ticks", || {
        (node.stdout().matches(" tick ").count() > now + 3).then_some(())
    });
}

/// The log service writes some thousand lines at once; a sixteenth of what may wait for it is worth a warning.
#[test]
fn lines_that_wait_are_an_overload_by_their_bytes() {
    let warned = |limit: &str| {
        let node = Setup::new("logs burst 5000").line(limit).start();
        node.wait_line("done");
        assert_eq!(node.stdout().matches("] line ").count(), 5000);
        node.stdout().contains("[:00000001] error: May overload, ")
    };
    // An executable that is named to the tests may be the C core's, which counts messages alone.
    if ours() {
        assert!(!warned("log_limit = '64m'"));
    }
    assert!(warned("log_limit = '1m'"));
    assert!(warned("log_limit = 0"), "nothing is known of bytes then");
}

#[test]
fn message_logs_hold_every_message_between_logon_and_logoff() {
    let setup = Setup::new("logs records").line("logpath = '.'");
    let node = setup.start();
    node.wait_line("done");
    let log = read(&setup.dir().join("00000003.log"));
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 6, "{log}");
    let opened: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(opened[..2], ["open", "time:"]);
    assert!(
        opened[2].parse::<u32>().is_ok() && opened.len() == 8,
        "{log}"
    );
    // The fourth word is the time; the rest is certain.
    let without_time = |line: &str| {
        let mut words: Vec<_> = line.split(' ').collect();
        assert!(words[3].parse::<u32>().is_ok(), "{log}");
        words.remove(3);
        words.join(" ")
    };
    assert_eq!(without_time(lines[1]), ":00000002 0 0 68656c6c6f");
    assert_eq!(without_time(lines[2]), ":00000002 0 7 ");
    assert_eq!(without_time(lines[3]), ":0000abcd 200 42 000102ff");
    assert_eq!(without_time(lines[4]), ":00000002 1 99 ");
    let closed = lines[5].strip_prefix("close time: ").unwrap();
    assert!(closed.parse::<u32>().is_ok(), "{log}");
    let text = node.stdout();
    assert_eq!(
        text.matches("[:00000002] Open log file ./00000003.log\n")
            .count(),
        1,
        "{text}"
    );
    assert_eq!(
        text.matches("[:00000002] Close log file :00000003\n")
            .count(),
        1,
        "{text}"
    );
}

#[test]
fn message_logs_without_a_writable_path_do_nothing() {
    let node = Setup::new("logs unwritable").start();
    node.wait_line("done");
    assert!(!node.stdout().contains("log file"), "{}", node.stdout());
    let node = Setup::new("logs unwritable")
        .line("logpath = './missing'")
        .start();
    node.wait_line("done");
    assert!(
        node.stdout()
            .contains("[:00000002] Open log file ./missing/00000002.log fail\n"),
        "{}",
        node.stdout()
    );
    assert!(
        !node.stdout().contains("Close log file"),
        "{}",
        node.stdout()
    );
}
