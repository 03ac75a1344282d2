-- Name of skynet 1.0. With lualib/compat10/?.lua on lua_path, `require "memory"` works as it did.
return require "skynet.memory"
