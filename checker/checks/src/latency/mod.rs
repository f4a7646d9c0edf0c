//! The check of `latency`: push against polling, in one run, on the same machine.

mod push;

use super::Check;

pub(super) const CHECKS: &[Check] = &[push::CHECK];
