//! Packing: zeros cost little. Of 8 bytes, the last ones filled up with zeros, only those that are not zero are kept, after
//! a byte with their places as bits. Bytes 0xff, n - 1 stand before n times 8 bytes that are kept as they are: a run begins
//! with 8 bytes without a zero and goes on while at most two of 8 are zero.

const GROUP: usize = 8;
/// Groups of a run, at most.
const RUN: usize = 256;

/// More bytes than `size` bytes ever need when they are packed.
pub fn packed_bound(size: usize) -> usize {
    // Two bytes for each run, or a byte for each group that is no run and has a zero.
    size.div_ceil(GROUP * RUN) * 2 + size.next_multiple_of(GROUP) + 2
}

/// Bits for the bytes of a group that are not zero.
#[inline(always)]
fn mask(group: [u8; GROUP]) -> u8 {
    const LOW: u64 = u64::from_le_bytes([0x7f; GROUP]);
    let word = u64::from_le_bytes(group);
    let high = (((word & LOW) + LOW) | word) & !LOW;
    // Collects the high bit of each byte in the topmost byte.
    ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// Packs `source`; returns the number of bytes.
///
/// # Panics
/// When `out` has fewer than [`packed_bound`] bytes.
pub fn pack(source: &[u8], out: &mut [u8]) -> usize {
    assert!(out.len() >= packed_bound(source.len()));
    let (groups, rest) = source.as_chunks::<GROUP>();
    let mut last = [0; GROUP];
    last[..rest.len()].copy_from_slice(rest);
    let tail = if rest.is_empty() {
        &[][..]
    } else {
        &[last][..]
    };
    let mut at = 0;
    // Where the head of the run is, and its groups so far.
    let mut run: Option<(usize, usize)> = None;
    for &group in groups.iter().chain(tail) {
        let bits = mask(group);
        run = match run {
            Some((head, count)) if bits.count_ones() >= 6 => {
                out[at..at + GROUP].copy_from_slice(&group);
                at += GROUP;
                out[head + 1] = count as u8;
                (count + 1 < RUN).then_some((head, count + 1))
            }
            _ if bits == 0xff => {
                out[at..at + 2].copy_from_slice(&[0xff, 0]);
                out[at + 2..at + 2 + GROUP].copy_from_slice(&group);
                at += 2 + GROUP;
                Some((at - GROUP - 2, 1))
            }
            _ => {
                out[at] = bits;
                at += 1;
                // A group with a zero takes 8 bytes with its bits, so there is always room for one more.
                let place = &mut out[at..at + GROUP];
                let mut kept = 0;
                for byte in group {
                    place[kept & 7] = byte;
                    kept += usize::from(byte != 0);
                }
                at += kept;
                None
            }
        };
    }
    at
}

/// Size of what `source` unpacks to. `None`: it is no packed message.
pub fn unpacked_size(source: &[u8]) -> Option<usize> {
    let mut rest = source;
    let mut size = 0;
    while let Some((&bits, more)) = rest.split_first() {
        if bits == 0xff {
            let (&count, more) = more.split_first()?;
            let kept = (usize::from(count) + 1) * GROUP;
            rest = more.get(kept..)?;
            size += kept;
        } else {
            rest = more.get(bits.count_ones() as usize..)?;
            size += GROUP;
        }
    }
    Some(size)
}

/// What [`unpack`] has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// All of it is unpacked.
    Done,
    /// There is no room for the next bytes.
    Full,
    /// It is no packed message.
    Damaged,
}

/// Unpacks what is left of `source` as far as there is room in `out`; returns the number of bytes written, too.
pub fn unpack(source: &mut &[u8], out: &mut [u8]) -> (Progress, usize) {
    let size = out.len();
    let mut out = out;
    let mut rest = *source;
    let progress = loop {
        *source = rest;
        let Some((&bits, data)) = rest.split_first() else {
            break Progress::Done;
        };
        if bits == 0xff {
            let run = data
                .split_first()
                .and_then(|(&count, data)| data.split_at_checked((usize::from(count) + 1) * GROUP));
            let Some((kept, data)) = run else {
                break Progress::Damaged;
            };
            let Some(place) = out.split_off_mut(..kept.len()) else {
                break Progress::Full;
            };
            place.copy_from_slice(kept);
            rest = data;
            continue;
        }
        let kept = kept_of(bits);
        // Near the end of the message there may be fewer bytes than a group has.
        let window = match data.first_chunk() {
            Some(chunk) => *chunk,
            None if data.len() < kept => break Progress::Damaged,
            None => {
                let mut window = [0; GROUP];
                window[..data.len()].copy_from_slice(data);
                window
            }
        };
        let Some(place) = out.split_off_mut(..GROUP) else {
            break Progress::Full;
        };
        place.copy_from_slice(&spread(bits, window));
        rest = data.get(kept..).unwrap_or_default();
    };
    (progress, size - out.len())
}

/// Half a group, for the four bits that say which of its bytes are kept: a byte that `n` places before it are left out of
/// comes from `n` bytes before its own place. So the half is made of the kept bytes, moved by 0 to 3 places, with a mask for
/// each distance.
struct Half {
    kept: u8,
    masks: [u32; 4],
}

static HALVES: [Half; 16] = {
    let mut halves = [const {
        Half {
            kept: 0,
            masks: [0; 4],
        }
    }; 16];
    let mut bits = 0;
    while bits < halves.len() {
        let mut place = 0;
        while place < 4 {
            if bits >> place & 1 != 0 {
                let half = &mut halves[bits];
                half.masks[place - half.kept as usize] |= 0xff << (8 * place);
                half.kept += 1;
            }
            place += 1;
        }
        bits += 1;
    }
    halves
};

/// Bytes that are kept of a group. Where the next group begins depends on it: one look-up is the least to wait for.
#[inline(always)]
fn kept_of(bits: u8) -> usize {
    static KEPT: [u8; 256] = {
        let mut kept = [0; 256];
        let mut bits = 0;
        while bits < kept.len() {
            kept[bits] = bits.count_ones() as u8;
            bits += 1;
        }
        kept
    };
    KEPT[usize::from(bits)].into()
}

/// The first bytes of `window` where `bits` has ones, and zeros elsewhere. Without branches: the bits are hard to predict.
#[inline(always)]
fn spread(bits: u8, window: [u8; GROUP]) -> [u8; GROUP] {
    let moved = |half: &Half, from: u64| {
        let from = from as u32;
        (0..4).fold(0, |made, by| made | (from << (8 * by)) & half.masks[by])
    };
    let from = u64::from_le_bytes(window);
    let low = &HALVES[usize::from(bits & 15)];
    let high = &HALVES[usize::from(bits >> 4)];
    let made = u64::from(moved(low, from)) | u64::from(moved(high, from >> (8 * low.kept))) << 32;
    made.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(source: &[u8]) -> Vec<u8> {
        let mut out = vec![0xee; packed_bound(source.len())];
        let size = pack(source, &mut out);
        out.truncate(size);
        out
    }

    fn unpacked(source: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0xee; unpacked_size(source)?];
        let mut rest = source;
        let mut written = 0;
        // Bit by bit, as a buffer grows.
        for end in 0..=out.len() {
            let (progress, more) = unpack(&mut rest, &mut out[written..end]);
            written += more;
            assert_eq!(progress == Progress::Done, end == out.len());
        }
        assert_eq!(written, out.len());
        Some(out)
    }

    #[test]
    fn zeros_are_left_out() {
        assert_eq!(packed(&[]), []);
        assert_eq!(packed(&[8, 0, 0, 0, 3, 0, 2, 0]), [0x51, 8, 3, 2]);
        assert_eq!(packed(&[0, 0, 0, 9, 1]), [0x18, 9, 1]);
        assert_eq!(packed(&[0; 17]), [0, 0, 0]);
    }

    #[test]
    fn runs_begin_with_no_zero_and_go_on_with_two() {
        let mut source = vec![0x8a; 30];
        source.extend([0, 0]);
        let mut expected = vec![0xff, 3];
        expected.extend(&source);
        assert_eq!(packed(&source), expected);
        assert_eq!(
            packed(&[1, 2, 3, 4, 5, 6, 7, 0]),
            [0x7f, 1, 2, 3, 4, 5, 6, 7]
        );
    }

    #[test]
    fn what_was_packed_unpacks_to_the_same_filled_up() {
        let mut seed = 1u32;
        for size in (0..300).chain(4000..4020) {
            let zeros = size % 9;
            let source: Vec<u8> = (0..size)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if (seed >> 24) % 9 < zeros {
                        0
                    } else {
                        (seed >> 16) as u8 | 1
                    }
                })
                .collect();
            let result = unpacked(&packed(&source)).expect("packed bytes unpack");
            assert_eq!(result.len(), source.len().next_multiple_of(8));
            assert_eq!(result[..source.len()], source);
            assert!(result[source.len()..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn cut_messages_are_refused() {
        for bytes in [
            &[1][..],
            &[0xff],
            &[0xff, 0, 1, 2, 3, 4, 5, 6, 7],
            &[0x81, 1],
            &[0xff, 255],
        ] {
            assert_eq!(unpacked_size(bytes), None);
            assert_eq!(unpack(&mut &*bytes, &mut [0; 4096]).0, Progress::Damaged);
        }
    }
}
