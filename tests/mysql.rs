//! The Lua layer's MySQL client against `mariadbd`.
#![cfg(feature = "lua")]

mod tools;

use std::path::Path;
use std::process::Command;

use tools::node::run_test;
use tools::peer::{Peer, accepts, free_port, program};
use tools::{run, scratch};

/// What the server does when it starts; one statement a line.
const ACCOUNTS: &str = "\
CREATE DATABASE game;
CREATE USER me IDENTIFIED BY 'secret';
GRANT ALL ON *.* TO me;
CREATE USER nobody;
DELETE FROM mysql.global_priv WHERE user = '';
FLUSH PRIVILEGES;
";

fn server(folder: &Path) -> Peer {
    // As root the server wants to be told that this is meant.
    let user = run(Command::new("id").arg("-un")).stdout;
    let user = format!("--user={}", String::from_utf8_lossy(&user).trim());
    let data = format!("--datadir={}", folder.join("data").display());
    run(
        Command::new(program("mariadb-install-db", "mariadb-server"))
            .args(["--no-defaults", "--skip-test-db", &user, &data])
            .arg("--auth-root-authentication-method=normal"),
    );
    std::fs::write(folder.join("accounts.sql"), ACCOUNTS).expect("accounts");
    let port = free_port();
    Peer::on_port(
        Command::new(program("mariadbd", "mariadb-server"))
            .args(["--no-defaults", "--bind-address=127.0.0.1", &user, &data])
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", folder.join("socket").display()))
            .arg(format!(
                "--init-file={}",
                folder.join("accounts.sql").display()
            ))
            .args([
                "--max-allowed-packet=128M",
                "--innodb-flush-log-at-trx-commit=0",
            ]),
        port,
        accepts,
    )
}

#[test]
fn mysql_answers_queries_and_prepared_statements() {
    let folder = scratch("mysql");
    let server = server(&folder);
    run_test("net", "mysql", &format!("mysql_port = {}", server.port));
}
