//! How functions over a [`State`](crate::State) are given to Lua.

/// What Lua calls for a `fn(State<'_>) -> c_int`: `lua_function!(unsafe name)`. The `unsafe` promises the rules at the head of
/// [`state`](crate::state).
#[macro_export]
macro_rules! lua_function {
    (unsafe $function:expr) => {{
        /// # Safety
        /// A Lua function: Lua calls it with its running state.
        unsafe extern "C-unwind" fn entry(state: *mut $crate::lua_State) -> $crate::c_int {
            const FUNCTION: fn($crate::State<'_>) -> $crate::c_int = $function;
            // SAFETY: contract of this function; the function keeps the rules by the promise of `unsafe`.
            FUNCTION(unsafe { $crate::State::new(state) })
        }
        entry
    }};
}

/// The functions of a module by their names: `lua_functions!(unsafe { c"name" => function, ... })`. The `unsafe` promises the
/// rules at the head of [`state`](crate::state) for each of them.
#[macro_export]
macro_rules! lua_functions {
    (unsafe { $($name:literal => $function:expr),* $(,)? }) => {
        &[$(($name, $crate::lua_function!(unsafe $function))),*]
    };
}

/// What `require` calls. `lua_module!(unsafe luaopen_name => FUNCTIONS);` for a module that is a table of functions,
/// `lua_module!(unsafe luaopen_name => fn open);` for one that a `fn(State<'_>) -> c_int` pushes. The `unsafe` promises the rules at
/// the head of [`state`](crate::state), and that no other function has this name.
#[macro_export]
macro_rules! lua_module {
    (unsafe $name:ident => fn $open:ident) => {
        /// Opens the module: pushes its table.
        ///
        /// # Safety
        /// Lua calls it, for `require`.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(state: *mut $crate::lua_State) -> $crate::c_int {
            const OPEN: fn($crate::State<'_>) -> $crate::c_int = $open;
            // SAFETY: as `lua_function`.
            OPEN(unsafe { $crate::State::new(state) })
        }
    };
    (unsafe $name:ident => $functions:ident) => {
        /// Opens the module: pushes its table.
        ///
        /// # Safety
        /// Lua calls it, for `require`.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(state: *mut $crate::lua_State) -> $crate::c_int {
            // SAFETY: as `lua_function`.
            unsafe { $crate::State::new(state) }.push_module($functions);
            1
        }
    };
}
