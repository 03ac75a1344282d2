//! The Lua modules `skynet.*`.
//!
//! Errors in Lua are longjmps. Therefore no function of this crate keeps a value with a destructor alive across a call
//! of Lua's interface that can raise: blocks of memory belong to Lua, to a message or to the thread, and the parts that
//! work on them return a status which one thin layer turns into an error.

mod arguments;
pub mod block;
pub mod cluster;
pub mod core;
pub mod datasheet;
pub mod debugchannel;
pub mod deflate;
pub mod http;
mod listener;
pub mod memory;
pub mod mongo;
pub mod multicast;
pub mod netpack;
mod protect;
pub mod rsa;
pub mod seri;
mod service;
pub mod sharedata;
pub mod sharetable;
pub mod socketdriver;
pub mod stm;
mod sync;
mod userdata;

use std::ffi::CStr;

use mlua_sys::lua_CFunction;
pub(crate) use skynet_support::Entry;

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[
    (c"skynet.cluster.core", cluster::luaopen_skynet_cluster_core),
    (c"skynet.core", core::luaopen_skynet_core),
    (c"skynet.crypt", skynet_crypt::luaopen_skynet_crypt),
    (c"skynet.sha2", skynet_crypt::luaopen_skynet_sha2),
    (c"skynet.rsa", rsa::luaopen_skynet_rsa),
    (c"skynet.memory", memory::luaopen_skynet_memory),
    (c"skynet.netpack", netpack::luaopen_skynet_netpack),
    (
        c"skynet.socketdriver",
        socketdriver::luaopen_skynet_socketdriver,
    ),
    (
        c"skynet.debugchannel",
        debugchannel::luaopen_skynet_debugchannel,
    ),
    (c"skynet.deflate.core", deflate::luaopen_skynet_deflate_core),
    (c"skynet.http.core", http::luaopen_skynet_http_core),
    (c"skynet.mongo.driver", mongo::luaopen_skynet_mongo_driver),
    (
        c"skynet.multicast.core",
        multicast::luaopen_skynet_multicast_core,
    ),
    (
        c"skynet.sharedata.core",
        sharedata::luaopen_skynet_sharedata_core,
    ),
    (
        c"skynet.sharetable.core",
        sharetable::luaopen_skynet_sharetable_core,
    ),
    (
        c"skynet.datasheet.core",
        datasheet::luaopen_skynet_datasheet_core,
    ),
    (c"skynet.stm", stm::luaopen_skynet_stm),
];
