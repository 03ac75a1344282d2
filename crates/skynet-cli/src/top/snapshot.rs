//! What a node tells of itself at one moment: the answer of `snapshot` (docs/operations.md), or what the commands of a console
//! that has no `snapshot` say together.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The form that is understood.
pub const VERSION: u32 = 1;

/// Figures by name.
pub type Figures = BTreeMap<String, f64>;

/// A look at a node. What is `None` is not known.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Snapshot {
    pub version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// A clock that goes steadily, in seconds.
    pub clock: f64,
    /// The node's clock, in 1/100 s: that of the times of sockets.
    #[serde(default)]
    pub ticks: u64,
    #[serde(default)]
    pub node: Figures,
    /// Bytes, by what the allocator says of them.
    #[serde(default)]
    pub memory: Figures,
    /// What each worker runs.
    #[serde(default)]
    pub workers: Vec<String>,
    pub services: Vec<Service>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sockets: Option<Vec<Socket>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
}

/// A service; figures count from its start.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Service {
    /// With its colon.
    pub address: String,
    /// What it was launched as.
    pub name: String,
    /// Messages that wait.
    #[serde(default)]
    pub mqlen: Option<u64>,
    /// Messages handled.
    #[serde(default)]
    pub message: Option<u64>,
    /// Seconds.
    #[serde(default)]
    pub cpu: Option<f64>,
    /// Bytes of its VM.
    #[serde(default)]
    pub lua: Option<u64>,
    /// Bytes of all that it has.
    #[serde(default)]
    pub memory: Option<u64>,
    /// Tasks that wait for something; only a console without `snapshot` counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<u64>,
}

/// A socket; bytes count from its start.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Socket {
    pub id: i64,
    /// Of the service that owns it.
    pub address: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// Connections accepted, of one that listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<u64>,
    #[serde(default)]
    pub read: u64,
    #[serde(default)]
    pub write: u64,
    /// Bytes that wait to be sent.
    #[serde(default)]
    pub wbuffer: u64,
    /// When something was read and written, by the node's clock.
    #[serde(default)]
    pub rtime: u64,
    #[serde(default)]
    pub wtime: u64,
    /// The peer, or where it listens.
    #[serde(default)]
    pub name: String,
}

/// What is known of the other nodes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Cluster {
    #[serde(default)]
    pub nodes: BTreeMap<String, Peer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<Figures>,
}

/// A node of the cluster that this one has called.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Peer {
    #[serde(deserialize_with = "truth")]
    pub up: bool,
    pub waiting: u64,
    pub waiting_bytes: u64,
    pub failed: u64,
    pub dropped: u64,
    pub reconnects: u64,
    /// Seconds of the last heartbeat.
    #[serde(deserialize_with = "number")]
    pub latency: f64,
}

/// A figure may be a truth, and a truth a figure.
fn truth<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(match serde_json::Value::deserialize(from)? {
        serde_json::Value::Bool(value) => value,
        serde_json::Value::Number(value) => value.as_f64() != Some(0.0),
        _ => false,
    })
}

fn number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(value.as_f64().unwrap_or_default())
}

impl Snapshot {
    /// Reads the answer of `snapshot`.
    pub fn parse(text: &str) -> Result<Snapshot, String> {
        let snapshot: Snapshot = serde_json::from_str(text)
            .map_err(|error| format!("the node's snapshot cannot be read: {error}"))?;
        match snapshot.version {
            VERSION => Ok(snapshot),
            other => Err(format!(
                "the node's snapshot has the form {other}, this program reads {VERSION}: use the `skynet top` of the node's release"
            )),
        }
    }

    /// A figure of the node.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.node.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_node_is_read_and_what_is_new_in_it_passed_over() {
        let text = r#"{"version":1,"pid":7,"clock":1.5,"ticks":150,"node":{"services":2},"memory":{},"workers":["idle"],"later":[],
            "services":[{"address":":00000008","name":"snlua main","mqlen":1,"message":4,"cpu":0.25,"lua":1000,"memory":2000}],
            "sockets":[{"id":1,"address":":00000008","type":"LISTEN","accept":3,"rtime":9,"name":"127.0.0.1:1"}],
            "cluster":{"nodes":{"db":{"up":true,"waiting":1,"waiting_bytes":2,"failed":3,"dropped":4,"reconnects":5,"latency":0.5}}}}"#;
        let snapshot = Snapshot::parse(text).expect("readable");
        assert_eq!(snapshot.figure("services"), Some(2.0));
        assert_eq!(snapshot.services[0].cpu, Some(0.25));
        assert_eq!(snapshot.sockets.expect("sockets")[0].accept, Some(3));
        let peer = &snapshot.cluster.expect("cluster").nodes["db"];
        assert!(peer.up && peer.latency == 0.5);
    }

    #[test]
    fn another_form_is_refused_with_what_to_do() {
        let text = r#"{"version":2,"clock":0,"services":[]}"#;
        let told = Snapshot::parse(text).expect_err("another form");
        assert!(told.contains("the form 2"), "{told}");
        assert!(Snapshot::parse("{").is_err());
    }
}
