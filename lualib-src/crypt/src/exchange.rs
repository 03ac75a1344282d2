//! Diffie-Hellman key exchange modulo the largest prime below 2^64. A session key from it keeps honest programs apart;
//! who wants to break it can.

/// 2^64 - [`GAP`] is the modulus.
const GAP: u64 = 59;
const PRIME: u64 = 0_u64.wrapping_sub(GAP);
/// What both sides raise to their secret power.
pub const BASE: u64 = 5;

/// `base` to the power `exponent`, modulo the prime. Neither is 0.
pub fn power(base: u64, exponent: u64) -> u64 {
    // Not `>=`: the prime to the power 1 stays the prime. Peers have always computed it so.
    let base = if base > PRIME { base - PRIME } else { base };
    let mut result = base;
    let below_highest = exponent.ilog2();
    for bit in (0..below_highest).rev() {
        result = multiply(result, result);
        if exponent >> bit & 1 == 1 {
            result = multiply(result, base);
        }
    }
    result
}

fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let once = fold(product);
    let twice = fold(once);
    // 2^64 + a little at most, or the prime and a little.
    (twice % u128::from(PRIME)) as u64
}

/// 2^64 is congruent to the gap.
fn fold(value: u128) -> u128 {
    (value >> 64) * u128::from(GAP) + u128::from(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_long_division() {
        for a in [1, 2, GAP, u64::MAX / 3, PRIME - 1, PRIME, u64::MAX] {
            for b in [1, 5, 1 << 32, u64::MAX / 7, PRIME - 1, PRIME, u64::MAX] {
                let expected = u128::from(a) * u128::from(b) % u128::from(PRIME);
                assert_eq!(u128::from(multiply(a, b)), expected, "{a} * {b}");
            }
        }
    }

    #[test]
    fn both_sides_find_the_same_secret() {
        for (a, b) in [(1, 2), (u64::MAX, 3), (0x1234_5678_9abc_def0, PRIME - 1)] {
            let secret = power(power(BASE, a), b);
            assert_eq!(secret, power(power(BASE, b), a));
        }
        // Fermat.
        assert_eq!(power(BASE, PRIME - 1), 1);
    }
}
