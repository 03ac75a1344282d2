//! The tables of FIPS 46-3, as it prints them, and what the cipher looks up, which the compiler works out from them.
//!
//! Half of a block is kept in its *spread* form: a byte for each of the eight S-boxes, the first box in the most
//! significant byte, which holds the six bits that go into the box. Each bit at the edge of a group of four is in the
//! neighbouring byte as well; this is the expansion E of the standard.

/// S-boxes: for each of the eight, four rows of sixteen.
const S: [[u8; 64]; 8] = [
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, //
        0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8, //
        4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, //
        15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13,
    ],
    [
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, //
        3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5, //
        0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, //
        13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9,
    ],
    [
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, //
        13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1, //
        13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, //
        1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12,
    ],
    [
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, //
        13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9, //
        10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, //
        3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14,
    ],
    [
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, //
        14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6, //
        4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, //
        11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3,
    ],
    [
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, //
        10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8, //
        9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, //
        4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13,
    ],
    [
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, //
        13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6, //
        1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, //
        6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12,
    ],
    [
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, //
        1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2, //
        7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, //
        2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11,
    ],
];

/// The permutation P: bit `i` of the result is bit `P[i]` of what the boxes give. The standard counts from 1, the most
/// significant bit first.
const P: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, //
    2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];

/// Permuted choice 2: bit `i` of a round's key is bit `PC2[i]` of the two halves of 28 bits.
const PC2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, //
    23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, //
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, //
    44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

/// A place to look up from: by the byte of the spread half, least significant first, then by its six bits. The result
/// is what the box contributes to the other half, permuted and spread.
pub static BOXES: [[u64; 64]; 8] = boxes();

/// A round's key in spread form, from the two halves of the key's state (56 bits): by seven bits, least significant
/// first, then by their value.
pub static ROUND_KEY: [[u64; 128]; 8] = round_key();

/// The spread form of half a block. A byte's middle bits are its own group; the outer two come from the neighbours.
pub const fn spread(half: u32) -> u64 {
    let mut groups = half as u64;
    groups = (groups | groups << 16) & 0x0000_ffff_0000_ffff;
    groups = (groups | groups << 8) & 0x00ff_00ff_00ff_00ff;
    groups = (groups | groups << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let from_before = groups.rotate_right(8) & 0x0101_0101_0101_0101;
    let from_after = groups.rotate_left(8) & 0x0808_0808_0808_0808;
    groups << 1 | from_before << 5 | from_after >> 3
}

/// Half a block from its spread form.
pub const fn gather(spread: u64) -> u32 {
    let mut groups = spread >> 1 & 0x0f0f_0f0f_0f0f_0f0f;
    groups = (groups | groups >> 4) & 0x00ff_00ff_00ff_00ff;
    groups = (groups | groups >> 8) & 0x0000_ffff_0000_ffff;
    (groups | groups >> 16) as u32
}

const fn boxes() -> [[u64; 64]; 8] {
    let mut tables = [[0; 64]; 8];
    let mut number = 0;
    while number < 8 {
        let mut six = 0;
        while six < 64 {
            // The outer bits choose the row, the inner four the column.
            let row = six >> 4 & 2 | six & 1;
            let column = six >> 1 & 15;
            let output = (S[number][row * 16 + column] as u32) << (28 - 4 * number);
            tables[7 - number][six] = spread(permute(output));
            six += 1;
        }
        number += 1;
    }
    tables
}

const fn permute(bits: u32) -> u32 {
    let mut result = 0;
    let mut i = 0;
    while i < 32 {
        result = result << 1 | bits >> (32 - P[i]) & 1;
        i += 1;
    }
    result
}

const fn round_key() -> [[u64; 128]; 8] {
    let mut tables = [[0; 128]; 8];
    let mut part = 0;
    while part < 8 {
        let mut seven = 0;
        while seven < 128 {
            tables[part][seven] = choose((seven as u64) << (7 * part));
            seven += 1;
        }
        part += 1;
    }
    tables
}

/// Permuted choice 2; each six of the 48 bits get a byte of their own.
const fn choose(halves: u64) -> u64 {
    let mut result = 0;
    let mut i = 0;
    while i < 48 {
        if i % 6 == 0 {
            result <<= 2;
        }
        result = result << 1 | halves >> (56 - PC2[i]) & 1;
        i += 1;
    }
    result
}
