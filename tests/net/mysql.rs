//! The Lua layer's MySQL client against `mariadbd`.

use std::path::Path;
use std::process::Command;

use crate::tools::node::run_test;
use crate::tools::peer::{Peer, mariadb, program, python};
use crate::tools::{root, run, scratch};

#[test]
fn mysql_answers_queries_and_prepared_statements() {
    let folder = scratch("mysql");
    let server = mariadb(&folder);
    run_test(
        "net",
        "mysql",
        &format!(
            "enablessl = true\nmysql_port = {}\nauthorities = {:?}",
            server.port,
            root().join("tests/certificates/ca.pem"),
        ),
    );
}

/// Makes `NAME.pem` and `NAME.pub` in the folder.
fn key_pair(folder: &Path, name: &str) {
    let openssl = program("openssl", "openssl");
    let private = folder.join(name).with_extension("pem");
    run(Command::new(&openssl)
        .args([
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
        ])
        .arg("-out")
        .arg(&private));
    run(Command::new(&openssl)
        .args(["pkey", "-pubout", "-in"])
        .arg(&private)
        .arg("-out")
        .arg(folder.join(name).with_extension("pub")));
}

#[test]
fn mysql_logs_in_to_accounts_with_caching_sha2_password() {
    let folder = scratch("mysql-login");
    key_pair(&folder, "own");
    key_pair(&folder, "other");
    let certificates = root().join("tests/certificates");
    let peer = Peer::announced(
        Command::new(python())
            .arg(root().join("tests/net/mysql_peer.py"))
            .arg(certificates.join("localhost.pem"))
            .arg(certificates.join("localhost.key"))
            .arg(folder.join("own.pem"))
            .arg(folder.join("own.pub")),
    );
    run_test(
        "net",
        "mysql_login",
        &format!(
            "enablessl = true\nmysql_port = {}\npublic_key = {:?}\nother_key = {:?}\nauthorities = {:?}",
            peer.port,
            folder.join("own.pub"),
            folder.join("other.pub"),
            certificates.join("ca.pem"),
        ),
    );
}
