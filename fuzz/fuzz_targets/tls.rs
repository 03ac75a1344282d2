//! `ltls.c`: what a stranger sends, before and after a handshake, to a server or a client, in one or two pieces; and the search
//! for the key in a certificate.
//!
//! Byte 0 says who listens and where the pieces are parted; the rest is what comes.
#![no_main]

use std::cell::RefCell;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
// Linked for Lua, which the module is made for.
use skynet_fuzz as _;
use skynet_ltls::der::public_key_info;
use skynet_ltls::session::Session;
use skynet_ltls::settings::Settings;

/// More than a session ever needs for one input: its buffers and a handshake.
const OUTPUT: usize = 1 << 17;

thread_local! {
    static SETTINGS: RefCell<Settings> = RefCell::new(settings());
}

fn settings() -> Settings {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/certificates");
    let mut settings = Settings::new();
    settings
        .set_identity(
            &folder.join("localhost.pem"),
            &folder.join("localhost.key"),
            None,
        )
        .expect("the certificate of the tests");
    settings
}

/// A server and a client after their handshake.
fn connected(settings: &mut Settings) -> (Session, Session) {
    let mut server = Session::server(settings).expect("a server");
    let mut client = Session::client(settings).expect("a client");
    client.handshake(b"").expect("the first step");
    while !server.finished() {
        server.handshake(client.output()).expect("a server's step");
        client.sent();
        if !client.finished() {
            client.handshake(server.output()).expect("a client's step");
            server.sent();
        }
    }
    (server, client)
}

fuzz_target!(|data: &[u8]| {
    public_key_info(data);
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let mut session = SETTINGS.with_borrow_mut(|settings| match choice & 3 {
        0 => Session::server(settings).expect("a server"),
        1 => {
            let mut client = Session::client(settings).expect("a client");
            client.handshake(b"").expect("the first step");
            client
        }
        2 => connected(settings).0,
        _ => connected(settings).1,
    });
    let (first, second) = data.split_at(data.len().min(usize::from(choice >> 2)));
    for piece in [first, second] {
        if session.finished() {
            // Without the keys nothing can be encrypted for it.
            let _ = session.read(piece);
            assert!(session.plain().is_empty());
        } else {
            let _ = session.handshake(piece);
        }
        assert!(session.output().len() < OUTPUT);
    }
});
