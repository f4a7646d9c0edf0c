//! The catalogue of mistakes: what students write, and the check that must catch it.
//!
//! [`catalogue`] reads the mistakes and edits the solutions, [`grading`] grades the results, and
//! [`table`] shows them.

pub mod catalogue;
pub mod grading;
pub mod table;
