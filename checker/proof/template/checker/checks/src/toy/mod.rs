//! The checks of the template's exercise.

mod capitals;

use crate::Check;

pub(super) const CHECKS: &[Check] = &[capitals::CHECK];
