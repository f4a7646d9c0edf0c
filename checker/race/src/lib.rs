//! A whole race between push and polling: run, counted, told.
//!
//! [`run`] lets everybody race in real time by [`measure`](baseline::transports::measure), [`cost`] and [`idle`] count what
//! each takes on the wire, and all of it comes together in a [`summary::Race`], which [`table`], [`chart`], [`page`] and
//! [`csv`] tell.

pub mod chart;
pub mod cost;
pub mod csv;
pub mod heat;
pub mod idle;
pub mod page;
pub mod run;
pub mod summary;
pub mod table;
