//! Measures the solutions and `solution-fast` against other servers with the same contract.
//!
//! The load generator is a separate process on a processor of its own. It writes prepared frames
//! to raw sockets. The `floor` peer shows that the generator does not limit the servers: it is a
//! TCP server that only returns the bytes it receives.

pub mod drive;
pub mod figures;
pub mod machine;
pub mod peer;
pub mod serve;
pub mod show;
pub mod steps;
pub mod workload;
