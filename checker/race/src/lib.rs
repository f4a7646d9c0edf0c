//! Races push against polling: measures, counts and draws.
//!
//! [`run`] races all contestants in real time. [`cost`] and [`idle`] count what each takes on the
//! wire. The results are a [`summary::Race`], which [`table`], [`chart`], [`page`] and [`csv`]
//! render.

pub mod chart;
pub mod cost;
pub mod csv;
pub mod heat;
pub mod idle;
pub mod page;
pub mod run;
pub mod summary;
pub mod table;
