//! Handles and local names. (Skeleton: signatures that the rest of the core builds on.)

use std::ffi::CStr;

/// Handle of the local service called `name` (without the dot); 0 if there is none.
pub fn find_name(_name: &CStr) -> u32 {
    0
}
