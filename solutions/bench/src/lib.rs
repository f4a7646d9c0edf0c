//! Measures the solutions against servers that keep the same contract in other ways.
//!
//! The generator is a process of its own, on a processor of its own, and talks raw frames over raw sockets; that it is
//! not what limits the servers is shown by the floor, a TCP server that sends back what it gets.

pub mod drive;
pub mod figures;
pub mod machine;
pub mod peer;
pub mod serve;
pub mod show;
pub mod workload;
