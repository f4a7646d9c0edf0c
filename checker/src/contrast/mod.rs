//! The race between push and polling: measure, summarise, draw.
//!
//! [`run`] lets everybody [`measure::race`] in real time, [`cost::count`]s what each takes on the wire, and puts it
//! into a [`summary::Race`], which [`table`], [`chart`], [`page`] and [`csv`] tell.

pub mod chart;
pub mod clock;
pub mod cost;
pub mod csv;
pub mod heat;
pub mod host;
pub mod idle;
pub mod lane;
pub mod line;
pub mod measure;
pub mod page;
pub mod place;
pub mod plan;
pub mod relay;
pub mod run;
pub mod socket;
pub mod summary;
pub mod table;
