//! `skynet.unpack`: serialised Lua values, made in place as the executable does it. What reads the bytes is the same for the
//! way through Lua's interface.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skynet_fuzz::feed_module;
use skynet_luaclib::core::luaopen_skynet_core;
use skynet_luaclib::seri::values_in_place;

fuzz_target!(|data: &[u8]| {
    values_in_place();
    feed_module(luaopen_skynet_core, c"unpack", data);
});
