/*
 * A service `snlua` of a project's own: the VM that it makes has nothing but what Lua's official interface gives it. The
 * loader gets its arguments, and the paths in globals.
 */

#include <skynet.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *setting(struct skynet_context *context, const char *key, const char *otherwise)
{
	const char *value = skynet_command(context, "GETENV", key);
	return value == NULL ? otherwise : value;
}

static void set(lua_State *L, const char *name, const char *value)
{
	lua_pushstring(L, value);
	lua_setglobal(L, name);
}

/* skynet.profile is a part of snlua: it has to hand its VM the functions of 'coroutine' that it measures with. */
static void own_profile(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "_LOADED");
	lua_newtable(L);
	lua_getglobal(L, "coroutine");
	lua_getfield(L, -1, "resume");
	lua_setfield(L, -3, "resume");
	lua_getfield(L, -1, "wrap");
	lua_setfield(L, -3, "wrap");
	lua_pop(L, 1);
	lua_setfield(L, -2, "skynet.profile");
	lua_pop(L, 1);
}

static int begin(struct skynet_context *context, void *ud, int type, int session, uint32_t source, const void *msg, size_t sz)
{
	lua_State *L = ud;
	const char *loader = setting(context, "lualoader", "./lualib/loader.lua");
	(void)type, (void)session, (void)source;
	skynet_callback(context, NULL, NULL);
	luaL_openlibs(L);
	lua_pushlightuserdata(L, context);
	lua_setfield(L, LUA_REGISTRYINDEX, "skynet_context");
	set(L, "LUA_PATH", setting(context, "lua_path", "./lualib/?.lua"));
	set(L, "LUA_CPATH", setting(context, "lua_cpath", "./luaclib/?.so"));
	set(L, "LUA_SERVICE", setting(context, "luaservice", "./service/?.lua"));
	set(L, "OWN_VM", "yes");
	own_profile(L);
	if (luaL_loadfile(L, loader) != LUA_OK) {
		skynet_error(context, "Can't load %s : %s", loader, lua_tostring(L, -1));
	} else {
		lua_pushlstring(L, msg, sz);
		if (lua_pcall(L, 1, 0, 0) == LUA_OK)
			return 0;
		skynet_error(context, "lua loader error : %s", lua_tostring(L, -1));
	}
	skynet_sendname(context, 0, ".launcher", PTYPE_TEXT, 0, (void *)"ERROR", 5);
	skynet_command(context, "EXIT", NULL);
	return 0;
}

void *snlua_create(void)
{
	return luaL_newstate();
}

int snlua_init(lua_State *L, struct skynet_context *context, const char *args)
{
	const char *self = skynet_command(context, "REG", NULL);
	uint32_t handle = (uint32_t)strtoul(self + 1, NULL, 16);
	skynet_callback(context, L, begin);
	skynet_send(context, 0, handle, 0, 0, (void *)args, strlen(args));
	return 0;
}

void snlua_release(lua_State *L)
{
	lua_close(L);
}
