//! The commands, one file each.

pub(crate) mod play;
pub(crate) mod polling;
pub(crate) mod race;
