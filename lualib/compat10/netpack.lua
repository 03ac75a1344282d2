-- Name of skynet 1.0. With lualib/compat10/?.lua on lua_path, `require "netpack"` works as it did.
return require "skynet.netpack"
