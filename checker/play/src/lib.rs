//! The playground: a page that shows each frame between clients and a server, and can cut, delay
//! and throttle a client's link.
//!
//! [`server_under_test`] keeps the server running. Each client connects through a [`lane`] of its
//! own, which records into the [`event_log`]. [`page`] serves the page, and [`control`] is the
//! WebSocket between the page and this program.

pub mod control;
pub mod dissect;
pub mod event_log;
pub mod lane;
pub mod link_observer;
pub mod own_client;
pub mod page;
pub mod polling_comparison;
pub mod recording;
mod server_socket;
pub mod server_under_test;
pub mod session;
