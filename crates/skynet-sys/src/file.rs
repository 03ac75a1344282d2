//! A service as a file of its own.

/// Defines the functions that a core looks up in the file of a service: `service_file!(skynet_gate: gate_create, gate_init,
/// gate_release);` exports the functions `create`, `init` and `release` of the crate `skynet_gate` under those names.
#[macro_export]
macro_rules! service_file {
    ($service:ident: $create:ident, $init:ident, $release:ident) => {
        /// See `create` of the service.
        ///
        /// # Safety
        /// As there.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $create() -> *mut ::core::ffi::c_void {
            // SAFETY: as the caller promises.
            unsafe { $service::create() }
        }

        /// See `init` of the service.
        ///
        /// # Safety
        /// As there.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $init(
            instance: *mut ::core::ffi::c_void,
            context: *mut $crate::Context,
            parm: *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int {
            // SAFETY: as the caller promises.
            unsafe { $service::init(instance, context, parm) }
        }

        /// See `release` of the service.
        ///
        /// # Safety
        /// As there.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $release(instance: *mut ::core::ffi::c_void) {
            // SAFETY: as the caller promises.
            unsafe { $service::release(instance) }
        }
    };
}
