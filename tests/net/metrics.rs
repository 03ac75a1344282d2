//! The service `metrics`, read by the Python package `prometheus_client`, and its flame graphs, read by a parser of XML.

use crate::tools::node::run_test;
use crate::tools::peer::python;
use crate::tools::root;

#[test]
fn prometheus_reads_the_figures_of_a_node() {
    if crate::tools::node::other_tree().is_some() {
        return; // only our executable carries the service
    }
    run_test(
        "lua",
        "figures",
        &format!(
            // Some are of discovery, even if that finds nothing.
            "thread = 4\ncluster_discovery = \"dns://nobody.test:1?server=127.0.0.1:9\"\npython = {:?}\nscripts = {:?}\nmanual = {:?}",
            python(),
            root().join("tests/net"),
            root().join("docs/operations.md")
        ),
    );
}

#[test]
fn a_flame_graph_is_xml_whatever_functions_are_called() {
    if crate::tools::node::other_tree().is_some() {
        return;
    }
    run_test(
        "net",
        "flamegraph",
        &format!(
            "python = {:?}\nscripts = {:?}",
            python(),
            root().join("tests/net")
        ),
    );
}
