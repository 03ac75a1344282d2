//! The module `grid` for Lua: fields in rows, as one block of memory.

use mlua::prelude::*;
use mlua::{UserData, UserDataMethods};

/// Numbers in rows. Lua has it as a userdata, and drops it when it is collected.
struct Grid {
    width: usize,
    fields: Vec<f64>,
}

impl Grid {
    /// Where a field is; Lua counts from 1.
    fn place(&self, x: usize, y: usize) -> LuaResult<usize> {
        let height = self.fields.len() / self.width;
        if (1..=self.width).contains(&x) && (1..=height).contains(&y) {
            return Ok((y - 1) * self.width + x - 1);
        }
        // An error is a value here. mlua raises it in Lua when all that this function has is dropped.
        let text = format!(
            "there is no field {x}, {y} in a grid of {} x {height}",
            self.width
        );
        Err(LuaError::runtime(text))
    }
}

impl UserData for Grid {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("get", |_, grid, (x, y)| Ok(grid.fields[grid.place(x, y)?]));
        methods.add_method_mut("set", |_, grid, (x, y, value): (_, _, f64)| {
            let place = grid.place(x, y)?;
            grid.fields[place] = value;
            Ok(())
        });
        // Calls back to Lua. What that raises is an `Err` here, so `new` is dropped as ever.
        methods.add_method("map", |_, grid, function: LuaFunction| {
            let mut new = Vec::with_capacity(grid.fields.len());
            for field in &grid.fields {
                new.push(function.call::<f64>(*field)?);
            }
            Ok(Grid {
                width: grid.width,
                fields: new,
            })
        });
        methods.add_method("sum", |_, grid, ()| Ok(grid.fields.iter().sum::<f64>()));
    }
}

/// `local grid = require "grid"`
#[mlua::lua_module]
fn grid(lua: &Lua) -> LuaResult<LuaTable> {
    let module = lua.create_table()?;
    module.set(
        "new",
        lua.create_function(|_, (width, height): (usize, usize)| {
            let size = width.checked_mul(height).filter(|size| *size <= 1 << 24);
            match size {
                Some(size) if size > 0 => Ok(Grid {
                    width,
                    fields: vec![0.0; size],
                }),
                _ => Err(LuaError::runtime("a grid has from 1 to 2^24 fields")),
            }
        })?,
    )?;
    Ok(module)
}
