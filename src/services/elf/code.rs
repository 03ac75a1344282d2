//! Constants in machine code: what an instruction loads into a register, without knowing what it is for.

use object::Architecture;

/// Calls `found` for the constants of 32 or 64 bits that the code may load. There can be more than it really loads, where
/// the bytes of two instructions look like one; no caller relies on one constant alone.
pub fn constants(architecture: Architecture, code: &[u8], mut found: impl FnMut(u64)) {
    match architecture {
        Architecture::X86_64 | Architecture::I386 => immediates(code, found),
        Architecture::Aarch64 => moves(code, &mut found),
        _ => {}
    }
}

/// x86: constants stand in the code as they are, at any place.
fn immediates(code: &[u8], mut found: impl FnMut(u64)) {
    for bytes in code.windows(4) {
        if let Ok(bytes) = bytes.try_into() {
            found(u32::from_le_bytes(bytes).into());
        }
    }
    // `movabs`: an opcode with REX.W, then eight bytes.
    for bytes in code.windows(10) {
        if let [0x48 | 0x49, 0xb8..=0xbf, constant @ ..] = bytes
            && let Ok(constant) = constant.try_into()
        {
            found(u64::from_le_bytes(constant));
        }
    }
}

/// aarch64: constants are put together by MOVZ or MOVN and MOVK, 16 bits each.
fn moves(code: &[u8], found: &mut impl FnMut(u64)) {
    let mut registers = [0u64; 32];
    for word in code.chunks_exact(4) {
        let Ok(word) = word.try_into().map(u32::from_le_bytes) else {
            continue;
        };
        let wide = word >> 31 == 1;
        let shift = 16 * (word >> 21 & 3);
        let part = u64::from(word >> 5 & 0xffff) << shift;
        let register = &mut registers[(word & 31) as usize];
        *register = match word & 0x7f80_0000 {
            0x5280_0000 => part,
            0x1280_0000 => !part,
            0x7280_0000 => *register & !(0xffff << shift) | part,
            _ => continue,
        };
        if !wide {
            *register &= u64::from(u32::MAX);
        }
        found(*register);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(architecture: Architecture, code: &[u8]) -> Vec<u64> {
        let mut list = Vec::new();
        constants(architecture, code, |constant| list.push(constant));
        list
    }

    #[test]
    fn x86_constants_are_found_behind_any_opcode() {
        // mov esi, -1001001
        let code = [0x90, 0xbe, 0xd7, 0xb9, 0xf0, 0xff, 0xc3];
        assert!(all(Architecture::X86_64, &code).contains(&0xfff0_b9d7));
        // movabs rax, 504.0
        let mut code = vec![0x48, 0xb8];
        code.extend_from_slice(&504f64.to_le_bytes());
        assert!(all(Architecture::X86_64, &code).contains(&504f64.to_bits()));
    }

    #[test]
    fn aarch64_constants_are_put_together() {
        let code: Vec<u8> = [
            0x5297_3ae1u32, // mov w1, #0xb9d7
            0x72bf_fe01,    // movk w1, #0xfff0, lsl #16
            0x1280_7cc2,    // movn w2, #0x3e6
            0x72b7_ffe2,    // movk w2, #0xbfff, lsl #16
        ]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
        let found = all(Architecture::Aarch64, &code);
        assert!(found.contains(&0xfff0_b9d7), "{found:x?}");
        assert!(found.contains(&0xbfff_fc19), "{found:x?}");
    }

    #[test]
    fn other_processors_have_none() {
        assert!(all(Architecture::Riscv64, &[0; 64]).is_empty());
    }
}
