//! The service of `skynet_gate` as a `.so` that any core with the same C interface loads: the functions have the names that
//! it looks up.

skynet_sys::service_file!(skynet_gate: gate_create, gate_init, gate_release);
