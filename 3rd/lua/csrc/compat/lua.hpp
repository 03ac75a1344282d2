// lua.hpp: the Lua headers for C++ programs (Lua itself is compiled as C).

extern "C" {
#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"
}
