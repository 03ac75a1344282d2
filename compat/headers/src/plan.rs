//! What each generated header consists of, apart from the functions: those come from `src/abi`.

/// One header of `include/` and how it is put together.
pub struct Plan {
    /// File name without `.h`; the functions are those of `src/abi/NAME.rs`.
    pub name: &'static str,
    /// The include guard. Old projects test for it, so each is the one that the header always had.
    pub guard: &'static str,
    /// Includes, as they stand between `<>` or `""`.
    pub includes: &'static [&'static str],
    /// Whether there is a file in `src/abi`.
    pub has_functions: bool,
}

const fn plan(name: &'static str, guard: &'static str, includes: &'static [&'static str]) -> Plan {
    Plan {
        name,
        guard,
        includes,
        has_functions: true,
    }
}

/// The generated headers. Text around the functions is in `include/inline/`: `NAME.head.h` in front of them,
/// `NAME.decl.h` for declarations that cbindgen cannot make, `NAME.tail.h` for inlines behind them.
pub const PLANS: &[Plan] = &[
    plan(
        "malloc_hook",
        "SKYNET_MALLOC_HOOK_H",
        &["<stdbool.h>", "<stdlib.h>", "<lua.h>", "\"mem_info.h\""],
    ),
    plan(
        "mem_info",
        "_MEM_INFO_H_",
        &["<stdalign.h>", "<stddef.h>", "\"atomic.h\""],
    ),
    plan(
        "skynet",
        "SKYNET_H",
        &["<stddef.h>", "<stdint.h>", "\"skynet_malloc.h\""],
    ),
    plan("skynet_daemon", "skynet_daemon_h", &[]),
    plan("skynet_env", "SKYNET_ENV_H", &[]),
    plan("skynet_handle", "SKYNET_CONTEXT_HANDLE_H", &["<stdint.h>"]),
    plan(
        "skynet_harbor",
        "SKYNET_HARBOR_H",
        &["<stdint.h>", "<stdlib.h>"],
    ),
    plan(
        "skynet_imp",
        "SKYNET_IMP_H",
        &["<string.h>", "\"skynet_malloc.h\""],
    ),
    plan(
        "skynet_log",
        "skynet_log_h",
        &[
            "<stdint.h>",
            "<stdio.h>",
            "\"skynet.h\"",
            "\"skynet_env.h\"",
        ],
    ),
    // malloc.h has memalign, which stdlib.h has not.
    plan(
        "skynet_malloc",
        "skynet_malloc_h",
        &["<malloc.h>", "<stddef.h>", "<stdlib.h>"],
    ),
    plan("skynet_module", "SKYNET_MODULE_H", &[]),
    plan("skynet_monitor", "SKYNET_MONITOR_H", &["<stdint.h>"]),
    plan(
        "skynet_mq",
        "SKYNET_MESSAGE_QUEUE_H",
        &["<stdint.h>", "<stdlib.h>"],
    ),
    plan(
        "skynet_server",
        "SKYNET_SERVER_H",
        &["<stdint.h>", "<stdlib.h>"],
    ),
    plan(
        "skynet_socket",
        "skynet_socket_h",
        &["<string.h>", "\"socket_buffer.h\"", "\"socket_info.h\""],
    ),
    plan("skynet_timer", "SKYNET_TIMER_H", &["<stdint.h>"]),
    Plan {
        name: "socket_buffer",
        guard: "socket_buffer_h",
        includes: &["<stdlib.h>"],
        has_functions: false,
    },
    plan("socket_info", "socket_info_h", &["<stdint.h>"]),
    plan(
        "socket_server",
        "skynet_socket_server_h",
        &["<stdint.h>", "\"socket_buffer.h\"", "\"socket_info.h\""],
    ),
];

/// Rust types of `src/abi` under their C names. Whatever a header does not list is opaque there or comes from an include.
pub const TYPES: &[(&str, &str)] = &[
    ("Context", "struct skynet_context"),
    ("Message", "struct skynet_message"),
    ("Config", "struct skynet_config"),
    ("Module", "struct skynet_module"),
    ("Monitor", "struct skynet_monitor"),
    ("MessageQueue", "struct message_queue"),
    ("RemoteMessage", "struct remote_message"),
    ("RemoteName", "struct remote_name"),
    ("SendBuffer", "struct socket_sendbuffer"),
    ("SocketMessage", "struct skynet_socket_message"),
    ("SocketInfo", "struct socket_info"),
    ("SocketServer", "struct socket_server"),
    ("ServerMessage", "struct socket_message"),
    ("UdpAddress", "struct socket_udp_address"),
    ("ObjectInterface", "struct socket_object_interface"),
    ("SkynetCb", "skynet_cb"),
    ("MessageDrop", "message_drop"),
];

/// Functions of `src/abi` that a `.decl.h` part declares: variadic, renamed for the linker, or of old generations only.
pub const DECLARED_BY_HAND: &[&str] = &["skynet_error", "skynet_strdup", "skynet_module_insert"];

/// Prefix of the functions between the C shim and `src/abi`: no other code calls them.
pub const INTERNAL: &str = "skynet_rs_";

/// A declaration that depends on the generation of the interface.
pub struct Variant {
    /// Name of the function.
    pub function: &'static str,
    /// Preprocessor condition of the newest generation.
    pub newest_if: &'static str,
    /// The newest declaration where it is not what the Rust function says.
    pub newest: Option<&'static str>,
    /// The declaration of the older generations; empty when they have no such function.
    pub older: &'static str,
}

const fn variant(
    function: &'static str,
    newest_if: &'static str,
    newest: Option<&'static str>,
    older: &'static str,
) -> Variant {
    Variant {
        function,
        newest_if,
        newest,
        older,
    }
}

/// What changed between the generations.
pub const VARIANTS: &[Variant] = &[
    variant(
        "skynet_context_new",
        "SKYNET_API_VERSION > 10800",
        None,
        "struct skynet_context *skynet_context_new(const char *name, const char *parm);",
    ),
    // One function serves both: it answers NULL when that was the last reference.
    variant(
        "skynet_context_release",
        "SKYNET_API_VERSION > 10800",
        Some("void skynet_context_release(struct skynet_context *);"),
        "struct skynet_context *skynet_context_release(struct skynet_context *);",
    ),
    // The library ignores the number of threads, so that the shorter call is safe.
    variant(
        "skynet_handle_init",
        "SKYNET_API_VERSION > 10800",
        None,
        "void skynet_handle_init(int harbor);",
    ),
    variant(
        "skynet_handle_register_thread",
        "SKYNET_API_VERSION > 10800",
        None,
        "",
    ),
];
