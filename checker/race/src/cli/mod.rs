//! The commands and their arguments, one file each.

pub(crate) mod polling;
pub(crate) mod race;
