//! Reads a submission, in a process of its own with little memory.

mod archive;
mod fingerprints;
mod layout;
mod manifests;
mod sources;
mod unpack;

pub(crate) use archive::READ as ARCHIVES;
pub(crate) use fingerprints::{Fingerprints, Run, runs};
pub(crate) use manifests::{Changes, dependencies};
pub(crate) use sources::Sources;
pub(crate) use unpack::{UnpackArgs, run, unpack};
