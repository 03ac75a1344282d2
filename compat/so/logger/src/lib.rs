//! The service of `skynet_logger` as a `.so` that any core with the same C interface loads: the functions have the names that
//! it looks up.

skynet_sys::service_file!(skynet_logger: logger_create, logger_init, logger_release);
