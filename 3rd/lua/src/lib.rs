//! Lua 5.5, patched for sharing between VMs.
