//! `skynet.unpack`: serialised Lua values.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skynet_fuzz::feed_module;
use skynet_luaclib::core::luaopen_skynet_core;

fuzz_target!(|data: &[u8]| {
    feed_module(luaopen_skynet_core, c"unpack", data);
});
