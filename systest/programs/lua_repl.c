/* SPDX-License-Identifier: BSD-2-Clause */
/* A Lua interpreter that reads statements from the console, over Debian's library for i386. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

int main(void)
{
    static char line[4096];
    lua_State *lua = luaL_newstate();

    if (lua == NULL) {
        printf("no memory for Lua\n");
        return 1;
    }
    luaL_openlibs(lua);
    while (printf("> "), fflush(stdout), fgets(line, sizeof(line), stdin) != NULL) {
        if (luaL_dostring(lua, line) != LUA_OK) {
            printf("%s\n", lua_tostring(lua, -1));
            lua_pop(lua, 1);
        }
    }
    lua_close(lua);
    return 0;
}
