//! Reads a submission, in a process of its own with little memory.

mod archive;
mod manifests;
mod similarity;
mod sources;
mod unpack;

pub(crate) use archive::READ as ARCHIVES;
pub(crate) use manifests::{Changes, dependencies};
pub(crate) use similarity::{Shapes, groups};
pub(crate) use sources::Sources;
pub(crate) use unpack::{UnpackArgs, run, unpack};
