//! The service of `skynet_harbor` as a `.so` that any core with the same C interface loads: the functions have the names that
//! it looks up.

skynet_sys::service_file!(skynet_harbor: harbor_create, harbor_init, harbor_release);
