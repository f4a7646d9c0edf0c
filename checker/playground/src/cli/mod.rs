//! The commands, one file each.

mod far;
pub(crate) mod play;
pub(crate) mod polling;
pub(crate) mod race;
