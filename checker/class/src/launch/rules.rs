//! The Landlock rules of a process.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use thiserror::Error;

/// [`super::LANDLOCK_ABI`].
const ABI_WANTED: ABI = ABI::V6;

#[derive(Debug, Error)]
pub(super) enum RulesError {
    #[error("{0}")]
    Ruleset(#[from] RulesetError),
    #[error("the kernel enforces a part of the rules only")]
    Partial,
}

/// Restricts this process and its descendants, or fails: a kernel that knows only a part of the
/// rules is refused.
pub(super) fn apply(
    read: &[PathBuf],
    write: &[PathBuf],
    no_connect: bool,
) -> Result<(), RulesError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI_WANTED))?
        .scope(Scope::from_all(ABI_WANTED))?;
    if no_connect {
        // Listening stays free: a server that ignores `ADDR` listens on any port, and must get far
        // enough to be reported by that name.
        rules = rules.handle_access(AccessNet::ConnectTcp)?;
    }
    // A rule for a file must not name rights that only a folder has.
    let rules = rules
        .create()?
        .set_compatibility(CompatLevel::BestEffort)
        .add_rules(path_beneath_rules(read, AccessFs::from_read(ABI_WANTED)))?
        .add_rules(path_beneath_rules(write, AccessFs::from_all(ABI_WANTED)))?;
    match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced => Err(RulesError::Partial),
    }
}

/// The ABI that this kernel names, 0 if it has no Landlock. The process that asks is restricted by
/// it, so a process of its own has to ask.
pub(super) fn abi() -> i32 {
    let restrict =
        || Ruleset::default().handle_access(AccessFs::Execute)?.create()?.restrict_self();
    match restrict().map(|status| status.landlock) {
        Ok(LandlockStatus::Available { effective_abi, kernel_abi }) => {
            kernel_abi.unwrap_or(effective_abi as i32)
        }
        _ => 0,
    }
}
