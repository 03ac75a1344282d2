//! The Lua layer's MySQL client against `mariadbd`.
#![cfg(feature = "lua")]

mod tools;

use tools::node::run_test;
use tools::peer::mariadb;
use tools::scratch;

#[test]
fn mysql_answers_queries_and_prepared_statements() {
    let folder = scratch("mysql");
    let server = mariadb(&folder);
    run_test("net", "mysql", &format!("mysql_port = {}", server.port));
}
