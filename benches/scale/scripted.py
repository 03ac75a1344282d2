"""A node that runs one of the scripts of lua/."""

import pathlib

from engine import FOLDER
from nodes import Node


class Scripted(Node):
    def __init__(self, given, script, config, command=()):
        """`given` are the arguments of the command line: `exe`, and `layer` for another Lua layer than the executable's."""
        if given.layer:
            layer = pathlib.Path(given.layer).resolve()
            config += f'luaservice = luaservice .. ";{layer}/service/?.lua"\n'
            config += f'lua_path = lua_path .. ";{layer}/lualib/?.lua;{layer}/lualib/?/init.lua"\n'
        super().__init__(given.exe, None, FOLDER / "lua", script, config, command=command)
