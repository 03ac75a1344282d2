//! The Lua layer: runs `tests/lua/*.lua` on the executable, in an empty folder, so that everything but the
//! test itself comes from inside of the executable. `cargo test --test lua NAME` runs files, or single cases of them.

mod listeners;
#[path = "../tools/mod.rs"]
mod tools;

use listeners::{global_names, killed_harbor, listener_keys};
use tools::cases::{LuaFile, Run, lua_file, plain};
use tools::node;
use tools::peer::free_port;
use tools::root;

const FILES: &[LuaFile] = &[
    lua_file("calls", "calls_answer_or_fail_as_documented", calls),
    lua_file("tasks", "tasks_are_scheduled_as_documented", plain),
    lua_file(
        "coroutines",
        "coroutines_of_the_application_may_call_and_end",
        plain,
    ),
    lua_file("killed", "what_killed_tasks_had_is_given_back", killed),
    lua_file(
        "http_mistakes",
        "mistakes_in_calls_of_http_are_told_where_they_are_made",
        own_layer_only,
    ),
    lua_file(
        "killed_gates",
        "gates_and_log_ins_go_on_whoever_is_killed",
        own_layer_with_ports,
    ),
    lua_file(
        "killed_cluster",
        "a_cluster_goes_on_whoever_is_killed",
        own_layer_with_ports,
    ),
    lua_file(
        "killed_harbor",
        "a_network_of_harbors_goes_on_whoever_is_killed",
        killed_harbor,
    ),
    lua_file("timers", "timers_that_are_taken_back_leave_nothing", plain),
    lua_file("log_levels", "lines_have_levels", plain),
    #[cfg(target_os = "linux")]
    lua_file("log_full", "a_log_that_is_full_is_told_of", log_full),
    lua_file("sessions", "sessions_in_use_are_not_given_out_again", plain),
    lua_file(
        "services",
        "services_start_are_found_and_answer_the_console",
        plain,
    ),
    lua_file("layer", "a_copied_api_is_like_one_that_was_run", plain),
    lua_file(
        "serialise",
        "messages_have_the_bytes_that_other_nodes_read",
        plain,
    ),
    lua_file(
        "machine",
        "services_can_be_interrupted_limited_and_profiled",
        machine,
    ),
    lua_file("failing", "what_fails_in_odd_ways_fails_alone", failing),
    lua_file("snax", "snax_services_answer_and_can_be_hot_fixed", snax),
    lua_file(
        "socket",
        "sockets_do_what_their_documentation_says",
        with_ports,
    ),
    lua_file(
        "closing",
        "any_number_of_tasks_may_close_a_socket",
        own_layer_only,
    ),
    lua_file(
        "socketchannel",
        "socket_channels_connect_log_in_and_match_answers",
        plain,
    ),
    lua_file(
        "lying_servers",
        "clients_do_not_believe_servers_that_lie",
        lying_servers,
    ),
    lua_file(
        "linear",
        "what_strangers_send_is_read_in_linear_time",
        own_layer_only,
    ),
    lua_file("pool", "pools_lose_no_connection", plain),
    lua_file(
        "sha2",
        "hashes_for_log_ins_are_those_of_the_standards",
        plain,
    ),
    lua_file(
        "limits",
        "mailboxes_and_output_have_limits_if_asked",
        limits,
    ),
    lua_file("dns", "host_names_are_looked_up", dns),
    lua_file(
        "native",
        "modules_in_c_and_in_cpp_are_compiled_against_our_headers",
        native,
    ),
    #[cfg(target_os = "linux")]
    lua_file(
        "old_kernel",
        "sockets_and_timers_work_on_a_kernel_without_brief_waits",
        old_kernel,
    ),
    lua_file(
        "cluster",
        "cluster_requests_reach_names_and_handles",
        with_ports,
    ),
    lua_file(
        "cluster_down",
        "cluster_requests_end_when_their_node_is_away_or_silent",
        with_ports,
    ),
    lua_file(
        "cluster_packets",
        "cluster_nodes_stand_what_others_send",
        with_ports,
    ),
    lua_file(
        "cluster_traces",
        "cluster_nodes_trace_so_much_for_others",
        own_layer_with_ports,
    ),
    lua_file(
        "cluster_links",
        "cluster_nodes_agree_on_windows_compression_and_the_end",
        own_layer_with_ports,
    ),
    lua_file(
        "cluster_secret",
        "cluster_nodes_that_share_a_secret_serve_nobody_else",
        cluster_secret,
    ),
    lua_file(
        "cluster_allow",
        "cluster_nodes_serve_what_they_allow",
        cluster_allow,
    ),
    lua_file(
        "discovery",
        "a_cluster_that_finds_itself_keeps_what_it_knows",
        own_layer_only,
    ),
    lua_file(
        "discovery_answers",
        "engines_of_discovery_that_make_no_sense_are_told_of",
        own_layer_only,
    ),
    lua_file(
        "choice",
        "a_call_by_name_goes_to_the_right_one_of_many",
        own_layer_only,
    ),
    lua_file(
        "globalnames",
        "global_names_may_be_used_by_who_is_told_them",
        global_names,
    ),
    lua_file(
        "console",
        "debug_console_runs_commands_and_asks_for_the_password",
        console,
    ),
    lua_file(
        "stepping",
        "the_debug_console_steps_through_a_service",
        stepping,
    ),
    lua_file(
        "dashboard",
        "the_page_of_a_node_tells_what_it_may_and_does_what_it_may",
        own_layer_only,
    ),
    lua_file(
        "admission",
        "listeners_let_in_who_speaks_and_close_who_is_silent",
        plain,
    ),
    lua_file(
        "ws_gates",
        "gates_of_websockets_are_like_those_of_packets",
        plain,
    ),
    lua_file("gates", "gates_pass_packets_and_users_log_in", with_ports),
    lua_file(
        "gates_behind",
        "clients_faster_than_their_agents_are_served_in_the_end",
        own_layer_with_ports,
    ),
    lua_file(
        "listener_keys",
        "limits_of_listeners_are_those_of_the_config",
        listener_keys,
    ),
    lua_file("sharedata", "shared_data_follows_its_updates", plain),
    lua_file("datasheet", "datasheets_follow_their_builder", plain),
    lua_file(
        "sharetable",
        "shared_tables_are_replaced_wherever_they_are_kept_and_freed_when_unused",
        plain,
    ),
    #[cfg(all(target_os = "linux", feature = "jemalloc"))]
    lua_file(
        "freed",
        "free_memory_goes_back_to_the_system_by_itself",
        plain,
    ),
    lua_file(
        "quiet",
        "garbage_of_services_that_have_become_quiet_is_collected",
        quiet,
    ),
    lua_file("sharemap", "shared_maps_carry_what_is_committed", plain),
    lua_file(
        "protocols",
        "sproto_messages_and_requests_pass_between_two_ends",
        plain,
    ),
    lua_file(
        "firstnames",
        "names_of_the_first_generation_lead_to_their_modules",
        first_names,
    ),
    lua_file(
        "ownloader",
        "projects_with_a_loader_of_their_own_get_the_services_inside",
        own_loader,
    ),
    lua_file("multicast", "channels_reach_their_subscribers", plain),
    lua_file("fields", "stored_fields_are_where_they_belong", plain),
    lua_file("small", "small_modules_do_what_their_names_say", plain),
    lua_file(
        "lines",
        "printed_lines_of_several_services_stay_whole",
        lines,
    ),
    lua_file("profiling", "profiles_show_where_the_time_goes", plain),
    lua_file(
        "allocations",
        "profiles_show_where_memory_is_allocated",
        allocations,
    ),
    lua_file("stuck", "stuck_services_show_what_they_run", stuck),
    lua_file("ending", "services_finish_before_the_node_ends", ending),
];

fn main() {
    tools::cases::main("lua", FILES);
}

/// The file listens on ports of the loopback.
fn with_ports(run: &Run) {
    node_with_ports(run);
}

fn node_with_ports(run: &Run) -> String {
    let ports = [(); 9].map(|()| free_port().to_string());
    run.node(&format!("ports = {:?}", ports.join(" ")))
}

/// The file tests what the C core's layer does not do.
fn own_layer_only(run: &Run) {
    if node::other_tree().is_none() {
        run.node("");
    }
}

/// With the C core's layer, most of it is never given back.
fn killed(run: &Run) {
    if node::other_tree().is_none() {
        run.node("enablessl = true");
    }
}

fn own_layer_with_ports(run: &Run) {
    if node::other_tree().is_none() {
        with_ports(run);
    }
}

fn cluster_secret(run: &Run) {
    own_cluster(run, "cluster_secret = \"a long secret\"");
}

fn cluster_allow(run: &Run) {
    own_cluster(run, "cluster_allow = \"scores .known\"");
}

fn own_cluster(run: &Run, setting: &str) {
    if node::other_tree().is_none() {
        let ports = [(); 6].map(|()| free_port().to_string()).join(" ");
        run.node(&format!("ports = {ports:?}\n{setting}"));
    }
}

fn calls(run: &Run) {
    let output = run.node("");
    let reports = output.matches("Invalid serialize stream").count();
    assert!(reports < 20, "{reports} reports:\n{output}");
    if node::ours() && run.is_whole() {
        let dropped = "has not answered, and is gone: the call fails";
        let place = "peer.lua:";
        let told = |line: &str| line.contains(dropped) && line.contains(place);
        assert!(output.lines().any(told), "no place in\n{output}");
    }
}

fn failing(run: &Run) {
    let output = run.node("");
    if node::ours() && run.is_whole() {
        let logged = output.matches("expected: one of a flood").count();
        assert!((100..10_000).contains(&logged), "{logged} of 20,002");
        let told = "more like this before that were not written)";
        assert!(output.contains(told), "no {told:?}");
    }
}

#[cfg(target_os = "linux")]
fn log_full(run: &Run) {
    if node::other_tree().is_none() {
        run.node("logger = \"/dev/full\"");
    }
}

fn quiet(run: &Run) {
    if node::other_tree().is_some() {
        return;
    }
    // Both wait for most of the time.
    std::thread::scope(|scope| {
        if run.is_whole() {
            let place = run.scratch("off");
            scope.spawn(move || node::run_test_in(&place, "lua", "quiet", "gc_when_quiet = false"));
        }
        run.node("");
    });
}

fn machine(run: &Run) {
    let output = run.node("");
    if node::ours() && run.is_whole() {
        let line = "machine ended without skynet.start";
        assert!(output.contains(line), "no {line:?} in\n{output}");
    }
}

fn snax(run: &Run) {
    let scripts = root().join("tests/lua/snax/?.lua");
    run.node(&format!("snax = {scripts:?}"));
}

fn lying_servers(run: &Run) {
    if node::other_tree().is_some() {
        return; // the C core's layer does
    }
    let output = run.node("");
    let lines = output.matches("unknown session").count();
    assert!(lines < 50, "{lines} lines:\n{output}");
    assert!(lines > 0 || !run.is_whole(), "no line:\n{output}");
}

fn limits(run: &Run) {
    if node::other_tree().is_some() {
        return; // the C core has none
    }
    let limits = "mailbox_limit = '1k'\nsocket_write_limit = 512 * 1024\nsocket_write_total = '1g'";
    let output = run.node(limits);
    if !run.is_whole() {
        return;
    }
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

fn dns(run: &Run) {
    let output = run.node("");
    let lines = output.matches("Recv an invalid package").count();
    assert!(lines < 100 || !node::ours(), "{lines} lines:\n{output}");
}

fn native(run: &Run) {
    run.with_modules(&[("c", "native", "native_c"), ("c++", "native", "native_cpp")]);
}

fn allocations(run: &Run) {
    run.with_modules(&[("c", "allocator", "allocator")]);
}

#[cfg(target_os = "linux")]
fn old_kernel(run: &Run) {
    let run = run.clone();
    tools::old_kernel::without_brief_waits(move || with_ports(&run));
}

fn console(run: &Run) {
    let ports = [(); 9].map(|()| free_port().to_string()).join(" ");
    let own = "luaservice = \"./own/?.lua;\" .. luaservice\nsnax = \"./own/?.lua\"";
    let output = run.node(&format!(
        "ports = {ports:?}\ndebug_console_timeout = 1\n{own}"
    ));
    assert!(!output.contains("another task waits"), "{output}");
    assert!(!output.contains("nil value (upvalue"), "{output}");
}

fn stepping(run: &Run) {
    if node::other_tree().is_none() {
        console(run); // what else the debugger says and does is only ours
    }
}

fn first_names(run: &Run) {
    if node::other_tree().is_some() {
        return; // only our executable carries them
    }
    // As in old configs, whether the folder exists or not.
    run.node("lua_path = lua_path .. \";./lualib/compat10/?.lua\"");
}

fn own_loader(run: &Run) {
    let loader = root().join("tests/lua/ownloader/loader.lua");
    let preload = root().join("tests/lua/ownloader/preload.lua");
    let preload = format!("{};", preload.display()); // a list, for that loader
    run.node(&format!("lualoader = {loader:?}\npreload = {preload:?}"));
}

fn lines(run: &Run) {
    let output = run.node("");
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
fn stuck(run: &Run) {
    if node::other_tree().is_some() {
        return; // the C core shows nothing
    }
    let more = "thread = 6\nlogservice = \"snlua\"\nlogger = \"stuck log\"";
    run.node(more);
}

fn ending(run: &Run) {
    if node::other_tree().is_some() {
        return; // the C core ends without a word
    }
    let place = run.scratch("node");
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
