//! What a submission is made of, found out by a process of its own with little memory.

mod alike;
mod archive;
mod sources;
mod unpack;

pub(crate) use alike::{Shapes, groups};
pub(crate) use sources::Sources;
pub(crate) use unpack::{UnpackArgs, run, unpack};
