//! What is told of a node: reports of crashes, figures.

pub mod crash;
pub mod figures;
