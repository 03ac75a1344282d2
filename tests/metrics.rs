//! The service `metrics`, read by the Python package `prometheus_client`.
#![cfg(feature = "lua")]

mod tools;

use tools::node::run_test;
use tools::peer::python;
use tools::root;

#[test]
fn prometheus_reads_the_figures_of_a_node() {
    if std::env::var_os("SKYNET_TREE").is_some() {
        return; // only our executable carries the service
    }
    run_test(
        "lua",
        "figures",
        &format!(
            "thread = 4\npython = {:?}\nscripts = {:?}\nmanual = {:?}",
            python(),
            root().join("tests/net"),
            root().join("docs/operations.md")
        ),
    );
}
