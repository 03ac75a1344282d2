//! Which Lua a compiled file was made for.
//!
//! Three things tell the generations apart:
//! - functions that not every one of them has;
//! - the pseudo-indices of the registry and of upvalues, which the headers put into the code as numbers: -1001000 and below
//!   up to 5.4, -1073742823 and below in 5.5. A file with the wrong ones runs into the stack of Lua;
//! - the version that it hands to `luaL_checkversion_`, if it calls it: then Lua itself refuses what does not fit.

use super::{Image, code};
use object::{Architecture, SectionKind};
use std::fmt;

/// A set of generations of Lua.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions(u8);

impl Versions {
    /// None.
    pub const NONE: Versions = Versions(0);
    /// Lua 5.1, and LuaJIT.
    pub const V51: Versions = Versions(1);
    /// Lua 5.2.
    pub const V52: Versions = Versions(2);
    /// Lua 5.3.
    pub const V53: Versions = Versions(4);
    /// Lua 5.4.
    pub const V54: Versions = Versions(8);
    /// Lua 5.5, which is in this program.
    pub const V55: Versions = Versions(16);
    /// All that are known.
    pub const ALL: Versions = Versions(31);

    const NAMES: [(Versions, &str); 5] = [
        (Versions::V51, "5.1"),
        (Versions::V52, "5.2"),
        (Versions::V53, "5.3"),
        (Versions::V54, "5.4"),
        (Versions::V55, "5.5"),
    ];

    /// The generation of a number such as 504, as `luaL_checkversion_` gets it.
    pub fn of_number(number: f64) -> Versions {
        let known = [501.0, 502.0, 503.0, 504.0, 505.0];
        let place = known.iter().position(|&version| version == number);
        place.map_or(Versions::NONE, |place| Versions(1 << place))
    }

    /// Whether it is one generation and no other.
    pub const fn is_one(self) -> bool {
        self.0.is_power_of_two()
    }

    /// What both have.
    pub const fn and(self, other: Versions) -> Versions {
        Versions(self.0 & other.0)
    }

    /// What one of them has.
    pub const fn or(self, other: Versions) -> Versions {
        Versions(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    pub const fn has(self, other: Versions) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it is empty.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// "5.3 or 5.4"; "an unknown version" for none.
impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Versions::NAMES;
        let names: Vec<&str> = names
            .iter()
            .filter(|(version, _)| self.has(*version))
            .map(|&(_, name)| name)
            .collect();
        match names.split_last() {
            None => f.write_str("an unknown version"),
            Some((last, [])) => f.write_str(last),
            Some((last, others)) => write!(f, "{} or {last}", others.join(", ")),
        }
    }
}

const OLD: Versions = Versions::V51;
const TO_52: Versions = OLD.or(Versions::V52);
const TO_53: Versions = TO_52.or(Versions::V53);
const TO_54: Versions = TO_53.or(Versions::V54);
const FROM_54: Versions = Versions::V54.or(Versions::V55);
const FROM_53: Versions = FROM_54.or(Versions::V53);
const FROM_52: Versions = FROM_53.or(Versions::V52);
const IN_52_53: Versions = Versions::V52.or(Versions::V53);

/// Functions that not every generation has, in order; the last ones are of the patched Lua 5.3 in old releases of skynet.
const SOME_HAVE: &[(&str, Versions)] = &[
    ("luaL_addgsub", FROM_54),
    ("luaL_alloc", Versions::V55),
    ("luaL_buffinitsize", FROM_52),
    ("luaL_checkunsigned", Versions::V52),
    ("luaL_checkversion_", FROM_52),
    ("luaL_execresult", FROM_52),
    ("luaL_fileresult", FROM_52),
    ("luaL_findtable", OLD),
    ("luaL_getsubtable", FROM_52),
    ("luaL_len", FROM_52),
    ("luaL_loadbuffer", OLD),
    ("luaL_loadbufferx", FROM_52),
    ("luaL_loadfile", OLD),
    ("luaL_loadfilex", FROM_52),
    ("luaL_makeseed", Versions::V55),
    ("luaL_openlib", TO_53),
    ("luaL_openlibs", TO_54),
    ("luaL_openselectedlibs", Versions::V55),
    ("luaL_optunsigned", Versions::V52),
    ("luaL_prepbuffer", OLD),
    ("luaL_prepbuffsize", FROM_52),
    ("luaL_pushmodule", IN_52_53),
    ("luaL_pushresultsize", FROM_52),
    ("luaL_register", OLD),
    ("luaL_requiref", FROM_52),
    ("luaL_setfuncs", FROM_52),
    ("luaL_setmetatable", FROM_52),
    ("luaL_testudata", FROM_52),
    ("luaL_tolstring", FROM_52),
    ("luaL_traceback", FROM_52),
    ("luaL_typeerror", FROM_54),
    ("luaL_typerror", OLD),
    ("lua_absindex", FROM_52),
    ("lua_arith", FROM_52),
    ("lua_call", OLD),
    ("lua_callk", FROM_52),
    ("lua_closeslot", FROM_54),
    ("lua_closethread", FROM_54),
    ("lua_compare", FROM_52),
    ("lua_copy", FROM_52),
    ("lua_cpcall", OLD),
    ("lua_equal", OLD),
    ("lua_getctx", Versions::V52),
    ("lua_getfenv", OLD),
    ("lua_getglobal", FROM_52),
    ("lua_geti", FROM_53),
    ("lua_getiuservalue", FROM_54),
    ("lua_getuservalue", IN_52_53),
    ("lua_insert", TO_52),
    ("lua_isinteger", FROM_53),
    ("lua_isyieldable", FROM_53),
    ("lua_len", FROM_52),
    ("lua_lessthan", OLD),
    ("lua_newuserdata", TO_53),
    ("lua_newuserdatauv", FROM_54),
    ("lua_numbertocstring", Versions::V55),
    ("lua_objlen", OLD),
    ("lua_pcall", OLD),
    ("lua_pcallk", FROM_52),
    ("lua_pushexternalstring", Versions::V55),
    ("lua_pushunsigned", Versions::V52),
    ("lua_rawgetp", FROM_52),
    ("lua_rawlen", FROM_52),
    ("lua_rawsetp", FROM_52),
    ("lua_remove", TO_52),
    ("lua_replace", TO_52),
    ("lua_resetthread", Versions::V54),
    ("lua_rotate", FROM_53),
    ("lua_setcstacklimit", Versions::V54),
    ("lua_setfenv", OLD),
    ("lua_setglobal", FROM_52),
    ("lua_seti", FROM_53),
    ("lua_setiuservalue", FROM_54),
    ("lua_setuservalue", IN_52_53),
    ("lua_setwarnf", FROM_54),
    ("lua_stringtonumber", FROM_53),
    ("lua_toclose", FROM_54),
    ("lua_tointeger", OLD),
    ("lua_tointegerx", FROM_52),
    ("lua_tonumber", OLD),
    ("lua_tonumberx", FROM_52),
    ("lua_tounsignedx", Versions::V52),
    ("lua_upvalueid", FROM_52),
    ("lua_upvaluejoin", FROM_52),
    ("lua_version", FROM_52),
    ("lua_warning", FROM_54),
    ("lua_yield", OLD),
    ("lua_yieldk", FROM_52),
    ("luaopen_coroutine", FROM_52),
    ("luaS_expandshr", Versions::V53),
    ("luaS_initshr", Versions::V53),
    ("luaS_exitshr", Versions::V53),
    ("luaS_shrinfo", Versions::V53),
    ("lua_checksig_", Versions::V53),
    ("skynet_sig_L", Versions::V53),
];

/// Whether a symbol belongs to Lua's C interface, of whatever generation, skynet's additions included.
pub fn is_lua(name: &str) -> bool {
    ["lua_", "luaL_", "luaS_", "luaopen_"]
        .iter()
        .any(|begin| name.starts_with(begin))
        || name == "skynet_sig_L"
}

/// What a file does with Lua.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// The generations that have every function that it calls; none when no generation has them all.
    pub imports: Versions,
    /// It asks Lua at run time whether it is the right one.
    pub checks: bool,
}

/// What the functions that a file needs say of its Lua; `None` when it has nothing to do with Lua.
pub fn imports(image: &Image) -> Option<Use> {
    let mut names = image.imports.iter().filter(|name| is_lua(name)).peekable();
    names.peek()?;
    let imports = names.fold(Versions::ALL, |versions, name| {
        let entry = SOME_HAVE.iter().find(|(known, _)| known == name);
        entry.map_or(versions, |&(_, have)| versions.and(have))
    });
    Some(Use {
        imports,
        checks: image.imports.contains("luaL_checkversion_"),
    })
}

/// Pseudo-indices down to that of the upvalue with this number are looked for: few functions have more.
const UPVALUES: i32 = 16;

/// The generations whose pseudo-indices stand in the code; none when there are none, or when they contradict each other.
pub fn indices(image: &Image) -> Versions {
    let (mut old, mut new) = (false, false);
    look_at_code(image, |constant| {
        // An index is an int, also where it was widened.
        let index = constant as u32 as i32;
        if constant >> 32 == 0 || constant >> 32 == u64::from(u32::MAX) {
            old |= (-1_001_000 - UPVALUES..=-1_001_000).contains(&index);
            new |= (-1_073_742_823 - UPVALUES..=-1_073_742_823).contains(&index);
        }
    });
    match (old, new) {
        (true, false) => IN_52_53.or(Versions::V54),
        (false, true) => Versions::V55,
        _ => Versions::NONE,
    }
}

/// The version that a file hands to `luaL_checkversion_`, as far as its constants tell; none if it does not call it.
pub fn checked(image: &Image) -> Versions {
    if !image.imports.contains("luaL_checkversion_") {
        return Versions::NONE;
    }
    let mut found = Versions::NONE;
    image.each_section(SectionKind::ReadOnlyData, |constants| {
        for bytes in constants.chunks_exact(8) {
            if let Ok(bytes) = bytes.try_into() {
                found = found.or(Versions::of_number(f64::from_le_bytes(bytes)));
            }
        }
    });
    look_at_code(image, |constant| {
        found = found.or(Versions::of_number(f64::from_bits(constant)));
    });
    found
}

/// All that is known together. More than one generation when the file does not tell, none when it contradicts itself.
pub fn versions(image: &Image) -> Option<Versions> {
    let mut versions = imports(image)?.imports;
    for more in [indices(image), checked(image)] {
        if !versions.and(more).is_none() {
            versions = versions.and(more);
        }
    }
    Some(versions)
}

fn look_at_code(image: &Image, mut found: impl FnMut(u64)) {
    let architecture: Architecture = image.architecture;
    image.each_section(SectionKind::Text, |bytes| {
        code::constants(architecture, bytes, &mut found);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn image(imports: &[&str]) -> Image {
        Image {
            path: Default::default(),
            imports: imports.iter().map(|&name| name.to_owned()).collect(),
            optional: BTreeSet::new(),
            exports: BTreeSet::new(),
            architecture: Architecture::Unknown,
            is_program: false,
        }
    }

    #[test]
    fn functions_tell_the_generation() {
        for (names, expected) in [
            (&["lua_pushstring"][..], Versions::ALL),
            (&["luaL_register", "lua_pushstring"], Versions::V51),
            (&["lua_newuserdata", "luaL_setfuncs"], IN_52_53),
            (&["lua_newuserdata", "lua_rotate"], Versions::V53),
            (&["lua_newuserdatauv", "luaL_openlibs"], Versions::V54),
            (&["luaL_openselectedlibs", "lua_gettop"], Versions::V55),
            (&["skynet_sig_L"], Versions::V53),
            (&["lua_newuserdata", "lua_newuserdatauv"], Versions::NONE),
        ] {
            let found = imports(&image(names)).unwrap();
            assert_eq!(found.imports, expected, "{names:?}");
            assert!(!found.checks);
        }
        assert!(imports(&image(&["malloc", "skynet_send"])).is_none());
        assert!(imports(&image(&["luaL_checkversion_"])).unwrap().checks);
    }

    /// A function that the executable has must not rule 5.5 out.
    #[test]
    fn what_this_lua_exports_is_listed_as_its_own() {
        let list = include_str!("../../../compat/exports/lua.txt");
        for &(name, versions) in SOME_HAVE {
            let exported = list.lines().any(|line| line == name);
            assert_eq!(versions.has(Versions::V55), exported, "{name}");
        }
    }

    #[test]
    fn sets_are_written_for_people() {
        assert_eq!(Versions::V54.to_string(), "5.4");
        assert_eq!(IN_52_53.or(Versions::V54).to_string(), "5.2, 5.3 or 5.4");
        assert_eq!(Versions::NONE.to_string(), "an unknown version");
        assert_eq!(Versions::of_number(503.0), Versions::V53);
        assert_eq!(Versions::of_number(503.5), Versions::NONE);
    }
}
