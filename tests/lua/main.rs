//! The Lua layer: runs `tests/lua/*.lua` on the executable, in an empty folder, so that everything but the
//! test itself comes from inside of the executable.
#![cfg(feature = "lua")]

#[path = "../tools/mod.rs"]
mod tools;

use tools::node::{self, run_test as run};
use tools::peer::free_port;
use tools::{compiler, lua_headers, root, run as command, scratch};

fn run_test(name: &str) {
    run("lua", name, "");
}

#[test]
fn calls_answer_or_fail_as_documented() {
    let output = run("lua", "calls", "");
    let reports = output.matches("Invalid serialize stream").count();
    assert!(reports < 20, "{reports} reports:\n{output}");
}

#[test]
fn tasks_are_scheduled_as_documented() {
    run_test("tasks");
}

#[test]
fn sessions_in_use_are_not_given_out_again() {
    run_test("sessions");
}

#[test]
fn services_start_are_found_and_answer_the_console() {
    run_test("services");
}

#[test]
fn a_copied_api_is_like_one_that_was_run() {
    run_test("layer");
}

#[test]
fn messages_have_the_bytes_that_other_nodes_read() {
    run_test("serialise");
}

#[test]
fn services_can_be_interrupted_limited_and_profiled() {
    let output = run("lua", "machine", "");
    if tools::node::ours() {
        let line = "machine ended without skynet.start";
        assert!(output.contains(line), "no {line:?} in\n{output}");
    }
}

#[test]
fn what_fails_in_odd_ways_fails_alone() {
    run_test("failing");
}

#[test]
fn snax_services_answer_and_can_be_hot_fixed() {
    let scripts = root().join("tests/lua/snax/?.lua");
    run("lua", "snax", &format!("snax = {scripts:?}"));
}

#[test]
fn sockets_do_what_their_documentation_says() {
    run_with_ports("socket");
}

#[test]
fn socket_channels_connect_log_in_and_match_answers() {
    run_test("socketchannel");
}

#[test]
fn clients_do_not_believe_servers_that_lie() {
    if std::env::var_os("SKYNET_TREE").is_some() {
        return; // the C core's layer does
    }
    let output = run("lua", "lying_servers", "");
    let lines = output.matches("unknown session").count();
    assert!((1..50).contains(&lines), "{lines} lines:\n{output}");
}

#[test]
fn what_strangers_send_is_read_in_linear_time() {
    if std::env::var_os("SKYNET_TREE").is_some() {
        return; // the C core's layer has none of these functions, or takes the square
    }
    run_test("linear");
}

#[test]
fn pools_lose_no_connection() {
    run_test("pool");
}

#[test]
fn hashes_for_log_ins_are_those_of_the_standards() {
    run_test("sha2");
}

#[test]
fn mail_and_output_have_limits_if_asked() {
    if std::env::var_os("SKYNET_TREE").is_some() {
        return; // the C core has none
    }
    let limits = "mailbox_limit = '1k'\nsocket_write_limit = 512 * 1024\nsocket_write_total = '1g'";
    let output = run("lua", "limits", limits);
    for line in [
        "] error: Mailbox is full (limit 10), ",
        " messages rejected: 1, the last from :",
        " messages dropped: 1, the last from :",
        " bytes wait, the limit of the socket is 1048576",
        " bytes wait, the limit of the socket is 524288",
    ] {
        assert!(output.contains(line), "no {line:?} in\n{output}");
    }
}

#[test]
fn host_names_are_looked_up() {
    let output = run("lua", "dns", "");
    let lines = output.matches("Recv an invalid package").count();
    assert!(lines < 100 || !node::ours(), "{lines} lines:\n{output}");
}

/// Compiled with nothing but the headers that `compat/lua-headers.sh` gives, linked with nothing.
#[test]
fn modules_in_c_and_in_cpp_are_compiled_against_our_headers() {
    let headers = lua_headers(&[]);
    let folder = scratch("native");
    for (language, name) in [("c", "native_c"), ("c++", "native_cpp")] {
        command(
            compiler(language)
                .args(["-shared", "-fPIC", "-O1"])
                .arg(format!("-DOPEN=luaopen_{name}"))
                .arg("-I")
                .arg(&headers)
                .arg(root().join("test-c/modules/native.c"))
                .arg("-o")
                .arg(folder.join(name).with_extension("so")),
        );
    }
    run(
        "lua",
        "native",
        &format!("lua_cpath = {:?}", folder.join("?.so")),
    );
}

/// A test that listens on ports of the loopback.
fn run_with_ports(name: &str) -> String {
    let ports = [(); 6].map(|()| free_port().to_string());
    run("lua", name, &format!("ports = {:?}", ports.join(" ")))
}

#[cfg(target_os = "linux")]
#[test]
fn sockets_and_timers_work_on_a_kernel_without_brief_waits() {
    tools::old_kernel::without_brief_waits(|| run_with_ports("old_kernel"));
}

#[test]
fn cluster_requests_reach_names_and_handles() {
    run_with_ports("cluster");
}

#[test]
fn cluster_requests_end_when_their_node_is_away_or_silent() {
    run_with_ports("cluster_down");
}

#[test]
fn cluster_nodes_stand_what_others_send() {
    run_with_ports("cluster_packets");
}

#[test]
fn a_cluster_that_finds_itself_keeps_what_it_knows() {
    if node::ours() {
        run("lua", "discovery", "");
    }
}

#[test]
fn global_names_may_be_used_by_who_is_told_them() {
    let [address, master, other] = [(); 3].map(|()| free_port());
    let output = run(
        "lua",
        "globalnames",
        &format!(
            "harbor = 1\nstandalone = \"127.0.0.1:{master}\"\nmaster = standalone\n\
             address = \"127.0.0.1:{address}\"\nports = \"0 0 0 {other}\""
        ),
    );
    let lines = output.matches("Invalid global name").count();
    assert!(lines < 100, "{lines} lines:\n{output}");
    if node::ours() {
        assert!(!output.contains("\n[:00000001] FORGED"), "{output}");
    }
}

#[test]
fn debug_console_runs_commands_and_asks_for_the_password() {
    let output = run_with_ports("console");
    assert!(!output.contains("another task waits"), "{output}");
}

#[test]
fn listeners_let_in_who_speaks_and_close_who_is_silent() {
    run_test("admission");
}

#[test]
fn gates_pass_packets_and_users_log_in() {
    run_with_ports("gates");
}

#[test]
fn clients_faster_than_their_agents_are_served_in_the_end() {
    if std::env::var_os("SKYNET_TREE").is_some() {
        return; // the C core holds nobody up
    }
    run_with_ports("gates_behind");
}

#[test]
fn shared_data_follows_its_updates() {
    run_test("sharedata");
}

#[test]
fn datasheets_follow_their_builder() {
    run_test("datasheet");
}

#[test]
fn shared_tables_are_replaced_wherever_they_are_kept_and_freed_when_nobody_has_them() {
    run_test("sharetable");
}

#[cfg(all(target_os = "linux", feature = "jemalloc"))]
#[test]
fn free_memory_goes_back_to_the_system_by_itself() {
    run_test("freed");
}

#[test]
fn shared_maps_carry_what_is_committed() {
    run_test("sharemap");
}

#[test]
fn sproto_messages_and_requests_pass_between_two_ends() {
    run_test("protocols");
}

#[test]
fn names_of_the_first_generation_lead_to_their_modules() {
    if std::env::var_os("SKYNET_TREE").is_some() {
        return; // only our executable carries them
    }
    // As in old configs, whether the folder exists or not.
    run(
        "lua",
        "firstnames",
        "lua_path = lua_path .. \";./lualib/compat10/?.lua\"",
    );
}

#[test]
fn projects_with_a_loader_of_their_own_get_the_services_inside() {
    let loader = root().join("tests/lua/ownloader/loader.lua");
    let preload = root().join("tests/lua/ownloader/preload.lua");
    let preload = format!("{};", preload.display()); // a list, for that loader
    run(
        "lua",
        "ownloader",
        &format!("lualoader = {loader:?}\npreload = {preload:?}"),
    );
}

#[test]
fn channels_reach_their_subscribers() {
    run_test("multicast");
}

#[test]
fn small_modules_do_what_their_names_say() {
    run_test("small");
}

#[test]
fn printed_lines_of_several_services_stay_whole() {
    let output = run("lua", "lines", "");
    let mut counts = [0; 5];
    for line in output.lines().filter(|line| line.contains("line")) {
        let words: Vec<&str> = line.split('\t').collect();
        let writer = match words[..] {
            ["line", writer, number, "of", "nil"] if number.parse::<u32>().is_ok() => {
                writer.parse().unwrap_or(0)
            }
            _ if line.contains("lines") => continue,
            _ => panic!("a line in pieces: {line:?}"),
        };
        counts[writer] += 1;
    }
    assert_eq!(counts, [0, 2000, 2000, 2000, 2000]);
}

/// The log service of this test is its own, and ends what is stuck when the report has come.
#[test]
fn stuck_services_show_what_they_run() {
    if std::env::var_os("SKYNET_TREE").is_some() {
        return; // the C core shows nothing
    }
    let more = "thread = 6\nlogservice = \"snlua\"\nlogger = \"stuck log\"";
    run("lua", "stuck", more);
}

#[test]
fn services_finish_before_the_node_ends() {
    if std::env::var_os("SKYNET_TREE").is_some() {
        return; // the C core ends without a word
    }
    let place = scratch("lua-ending");
    let scripts = root().join("tests/lua").display().to_string();
    let config =
        node::config(&scripts, None) + "harbor = 0\nstart = \"ending\"\nshutdown_grace = 60\n";
    std::fs::write(place.join("config"), config).expect("config");
    let (status, output) = node::run_node(&place, "config");
    assert!(status.success(), "{status}\n{output}");
    for line in [
        "main",
        "first\tstored first",
        "added",
        "leaves",
        "own\thello",
        "system",
    ] {
        assert!(output.lines().any(|l| l == line), "{line}\n{output}");
    }
    assert!(
        output.contains("shutdown: ") && output.contains("no reason"),
        "{output}"
    );
    assert!(!output.contains("own\tshutdown"), "{output}");
}
