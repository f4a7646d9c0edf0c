//! Locks without poisoning.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks the mutex, even after a panic in another thread that held it. The panic is reported where
/// it happened, and no data in this workspace is left half changed by one.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
