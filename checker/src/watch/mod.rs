//! Grades again what is saved: [`files`] tells of saves, [`round`] builds and grades, [`screen`] shows what came out,
//! [`keys`] are pressed, and [`session`] brings them together.

pub mod files;
pub mod keys;
pub mod round;
pub mod screen;
pub mod session;
