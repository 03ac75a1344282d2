//! The service without a node.

use super::*;

fn to_file(name: &str) -> (Logger, PathBuf) {
    let path = std::env::temp_dir().join(format!("skynet-logger-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let mut logger = Logger::new();
    logger.output = Output::open(path.clone()).unwrap();
    (logger, path)
}

#[test]
fn a_file_line_has_local_time_and_source() {
    let (mut logger, path) = to_file("line");
    logger.start = 1_700_000_000;
    logger.line(107, 2, b"text");
    logger.line(108, 0xff, b"");
    logger.flush();
    let mut clock = Clock::default();
    let (stamp, _) = clock.at(Form::Plain, 1_700_000_001);
    let expected = format!("{stamp}.07 [:00000002] text\n{stamp}.08 [:000000ff] \n");
    assert_eq!(std::fs::read(&path).unwrap(), expected.as_bytes());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn further_lines_of_a_message_are_no_lines_of_others() {
    let mut logger = Logger::new();
    logger.line(0, 8, b"error: x\nstack traceback:\n\t[C]: in ?\n[:00000001] forged\n29/11/26 10:00:00.00 [:00000001] too");
    let expected = "[:00000008] error: x\nstack traceback:\n\t[C]: in ?\n\t[:00000001] forged\n\t29/11/26 10:00:00.00 [:00000001] too\n";
    assert_eq!(logger.pending, expected.as_bytes());
    logger.pending.clear();
}

#[test]
fn a_colour_ends_with_its_message() {
    let mut logger = Logger::new();
    logger.line(0, 8, b"\x1b[31mred\nstill\x1b[0m");
    logger.line(0, 8, b"x \x1b[8mhidden\nmore");
    let expected =
        "[:00000008] \x1b[31mred\nstill\x1b[0m\n[:00000008] x \x1b[8mhidden\nmore\x1b[0m\n";
    assert_eq!(logger.pending, expected.as_bytes());
    logger.pending.clear();
}

#[test]
fn a_renamed_file_gets_what_came_before_the_reopening() {
    let (mut logger, path) = to_file("reopen");
    logger.line(0, 1, b"old");
    let moved = path.with_extension("1");
    std::fs::rename(&path, &moved).unwrap();
    logger.reopen();
    logger.line(0, 1, b"new");
    logger.flush();
    assert!(
        std::fs::read_to_string(&moved)
            .unwrap()
            .ends_with("] old\n")
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.ends_with("] new\n") && !text.contains("old"));
    std::fs::remove_file(path).unwrap();
    std::fs::remove_file(moved).unwrap();
}

#[test]
fn an_existing_file_is_continued() {
    let (mut logger, path) = to_file("append");
    logger.line(0, 1, b"one");
    logger.flush();
    logger.output = Output::open(path.clone()).unwrap();
    logger.line(0, 1, b"two");
    logger.flush();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    std::fs::remove_file(path).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_lines_and_nothing_else() {
    let mut logger = Logger::new();
    logger.output = Output::open(PathBuf::from("/dev/full")).unwrap();
    logger.line(0, 1, b"lost");
    logger.line(0, 1, b"lost too");
    logger.flush();
    assert_eq!((logger.lost, logger.pending.len()), (2, 0));
    assert_eq!(logger.untold, 2);
    let (mut working, path) = to_file("full");
    std::mem::swap(&mut working.output, &mut logger.output);
    logger.line(0, 1, b"kept");
    logger.flush();
    assert_eq!(logger.lost, 0);
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .ends_with("] kept\n")
    );
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_file_that_is_full_gets_another_name_and_loses_nothing() {
    let (mut logger, path) = to_file("rotate");
    logger.start = 1_700_000_000;
    logger.rotation.size = 60;
    for (now, text) in [(0, "one"), (100, "two"), (200, "three")] {
        logger.line(now, 1, text.as_bytes());
        logger.flush();
    }
    let old = form::file_stamp(1_700_000_001);
    let first = path.with_extension(old);
    let second = path.with_extension(form::file_stamp(1_700_000_002));
    for (path, word) in [(first, "one"), (second, "two"), (path, "three")] {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with(&format!("] {word}\n")), "{text}");
        assert_eq!(text.lines().count(), 1);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_full_disk_leaves_the_old_files() {
    let folder = std::env::temp_dir().join(format!("skynet-logger-{}-kept", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("node.log");
    std::fs::write(&path, "what was written before").unwrap();
    let mut logger = Logger::new();
    logger.rotation.size = 60;
    logger.rotation.keep = 1;
    // The file of a disk without space.
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    logger.output = Output::File { file, path };
    for number in 0..5 {
        logger.line(number * 100, 1, b"a line of some length");
        logger.flush();
    }
    assert_eq!(logger.lost, 5);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_log_by_a_link_is_rotated_where_it_lies_and_what_is_no_file_stays() {
    let folder = std::env::temp_dir().join(format!("skynet-logger-{}-link", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("far")).unwrap();
    let (link, target) = (folder.join("node.log"), folder.join("far/real.log"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let mut logger = Logger::new();
    logger.output = Output::open(link.clone()).unwrap();
    logger.rotation.size = 60;
    for (now, text) in [(0, "one"), (100, "two")] {
        logger.line(now, 1, text.as_bytes());
        logger.flush();
    }
    assert!(link.is_symlink());
    assert!(std::fs::read_to_string(target).unwrap().ends_with("two\n"));
    assert_eq!(std::fs::read_dir(folder.join("far")).unwrap().count(), 2);

    let pipe = folder.join("pipe");
    let name = std::ffi::CString::new(pipe.as_os_str().as_bytes()).unwrap();
    // SAFETY: a C string.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    // Somebody has to have it open for reading, or the opening waits.
    let _reader = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .unwrap();
    logger.output = Output::open(pipe.clone()).unwrap();
    logger.line(200, 1, b"three");
    logger.flush();
    assert!(logger.stuck && pipe.exists());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn old_files_that_cannot_be_removed_do_not_stop_the_rotation() {
    let folder = std::env::temp_dir().join(format!("skynet-logger-{}-crowd", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    // A folder is none that a removal of a file removes.
    let obstacle = folder.join("node.log.20200101-000000");
    std::fs::create_dir_all(&obstacle).unwrap();
    let path = folder.join("node.log");
    let mut logger = Logger::new();
    logger.output = Output::open(path.clone()).unwrap();
    logger.start = 1_700_000_000;
    logger.rotation.size = 60;
    logger.rotation.keep = 2;
    for number in 0..6 {
        logger.line(number * 100, 1, format!("line {number}").as_bytes());
        logger.flush();
    }
    assert!(logger.crowded && !logger.stuck);
    let stays = |number: i64| {
        let stamp = form::file_stamp(1_700_000_000 + number);
        folder.join(format!("node.log.{stamp}"))
    };
    // The file of a line gets its name when the next line comes; the two before the current one stay.
    for (path, word) in [(stays(4), "3"), (stays(5), "4"), (path, "5")] {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.ends_with(&format!("] line {word}\n")), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_file_that_somebody_else_has_moved_is_begun_anew_by_the_rotation() {
    let (mut logger, path) = to_file("moved");
    logger.rotation.size = 60;
    logger.line(0, 1, b"one");
    logger.flush();
    let moved = path.with_extension("moved");
    std::fs::rename(&path, &moved).unwrap();
    logger.line(0, 1, b"two");
    logger.flush();
    assert!(!logger.stuck);
    for (path, word) in [(moved, "one"), (path, "two")] {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with(&format!("] {word}\n")), "{text}");
        assert_eq!(text.lines().count(), 1);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_key_that_is_not_understood_takes_none_of_the_others_with_it() {
    const KEYS: [(&CStr, &str, &str); 6] = [
        (c"log_color", "off", "purple"),
        (c"log_time", "iso", "noon"),
        (c"log_format", "json", "xml"),
        (c"log_rotate_size", "3k", "much"),
        (c"log_rotate_daily", "true", "yes"),
        (c"log_keep", "7", "all"),
    ];
    let configured = |bad: &[&CStr]| {
        let mut logger = Logger::new();
        let problems = configure(&mut logger, true, |key| {
            let (_, right, wrong) = KEYS.iter().find(|(known, ..)| *known == key)?;
            let value = if bad.contains(&key) { wrong } else { right };
            Some(String::from(*value))
        });
        (logger, problems)
    };
    for (bad, ..) in KEYS {
        let (logger, problems) = configured(&[bad]);
        let name = bad.to_str().unwrap();
        assert!(
            matches!(&problems[..], [line] if line.starts_with(&format!("{name} = "))),
            "{problems:?}"
        );
        assert_eq!(logger.colourless, name != "log_color");
        let form = if name == "log_format" {
            Form::Iso
        } else {
            Form::Json
        };
        assert_eq!(logger.form, form);
        let rotation = Rotation {
            size: if name == "log_rotate_size" {
                0
            } else {
                3 << 10
            },
            daily: name != "log_rotate_daily",
            keep: if name == "log_keep" { 0 } else { 7 },
        };
        assert_eq!(logger.rotation, rotation);
    }
    let (logger, problems) = configured(&KEYS.map(|(key, ..)| key));
    assert_eq!(problems.len(), KEYS.len(), "{problems:?}");
    assert_eq!(
        (logger.form, logger.rotation),
        (Form::Plain, Rotation::default())
    );
}

#[test]
fn colours_are_left_out_if_one_says_so() {
    let mut logger = Logger::new();
    logger.line(0, 8, b"\x1b[31mred\x1b[0m");
    logger.colourless = true;
    logger.line(0, 8, b"\x1b[31mred\x1b[0m \x1b[2J");
    let expected = b"[:00000008] \x1b[31mred\x1b[0m\n[:00000008] red \\x1b[2J\n";
    assert_eq!(logger.pending, expected);
    logger.pending.clear();
}

#[test]
fn lines_on_stdout_have_a_time_if_one_wants_it() {
    let mut logger = Logger::new();
    logger.form = Form::Iso;
    logger.line(5, 8, b"text");
    let line = String::from_utf8_lossy(&logger.pending).into_owned();
    assert!(
        line.ends_with(" [:00000008] text\n") && line[4..].starts_with('-'),
        "{line}"
    );
    logger.pending.clear();
    logger.form = Form::Json;
    logger.line(5, 8, b"a\nb");
    let line = String::from_utf8_lossy(&logger.pending).into_owned();
    assert!(
        line.starts_with("{\"time\":\"") && line.ends_with("\"text\":\"a\\nb\"}\n"),
        "{line}"
    );
    logger.pending.clear();
}

#[test]
fn a_batch_is_bounded_in_bytes_and_in_time() {
    let mut logger = Logger::new();
    logger.line(100, 1, b"x");
    assert!(!logger.due(100));
    assert!(logger.due(100 + BATCH_TIME));
    logger.line(100, 1, &vec![b'x'; BATCH_BYTES]);
    assert!(logger.due(100));
}
