//! Files that need a network of harbors, or listeners with limits of the config.

use crate::tools::cases::Run;
use crate::tools::node;
use crate::tools::peer::free_port;

pub fn killed_harbor(run: &Run) {
    if node::other_tree().is_none() {
        let [address, master] = [(); 2].map(|()| free_port());
        run.node(&format!(
            "harbor = 1\nstandalone = \"127.0.0.1:{master}\"\nmaster = standalone\naddress = \"127.0.0.1:{address}\""
        ));
    }
}

pub fn listener_keys(run: &Run) {
    if node::other_tree().is_some() {
        return; // the C core's layer has none of them
    }
    let ports = [(); 24].map(|()| free_port().to_string()).join(" ");
    let [master, address] = [free_port(), free_port()];
    let network = format!(
        "harbor = 1\nstandalone = '127.0.0.1:{master}'\nmaster = standalone\naddress = '127.0.0.1:{address}'"
    );
    let parts = [
        "part = 'counts'
gate_peraddress = 2
login_peraddress = 2
metrics_peraddress = 2
debug_console_clients = 2
harbor_master_clients = 3
harbor_strangers = 2
http_connections_per_address = 2
websocket_connections_per_address = 2",
        "gate_handshake = 0.3
gate_idle = 0.6
gate_frame = 32
login_handshake = 0.3
msgserver_handshake = 0.3
metrics_handshake = 0.3
debug_console_handshake = 0.3
debug_console_idle = 0.3
harbor_handshake = 0.3
http_header_limit = 500
http_fields_limit = 5
http_body_limit = 100
http_header_time = 1
http_idle_time = 1
http_body_time = 1
websocket_message_limit = 100
websocket_handshake_time = 1
websocket_idle_time = 1
websocket_message_time = 1",
    ];
    for part in parts {
        run.node(&format!("ports = {ports:?}\n{network}\n{part}"));
    }
}

pub fn global_names(run: &Run) {
    let [address, master, other] = [(); 3].map(|()| free_port());
    let output = run.node(&format!(
        "harbor = 1\nstandalone = \"127.0.0.1:{master}\"\nmaster = standalone\n\
             address = \"127.0.0.1:{address}\"\nharbor_names = 3000\nports = \"0 0 0 {other}\""
    ));
    let lines = output.matches("Invalid global name").count();
    assert!(lines < 100, "{lines} lines:\n{output}");
    if node::ours() {
        assert!(!output.contains("\n[:00000001] FORGED"), "{output}");
    }
}
