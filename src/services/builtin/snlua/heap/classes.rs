//! The sizes of cells.
//!
//! Up to 128 bytes each multiple of 8, so that a closure (32 + 8 for each upvalue), an upvalue (40) or a short string (24 + its
//! text) takes what it needs and no more. Above that, sizes that divide a page with next to nothing left over.

use super::page;

/// All cells are multiples of this.
pub const UNIT: usize = 8;
/// Bytes of the largest cell; what needs more is a block of the process's allocator.
pub const LARGEST: usize = 496;
/// How many sizes there are.
pub const COUNT: usize = 26;

/// A size of cells, as an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(u8);

const CELLS: [u16; COUNT] = [
    8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 144, 168, 200, 224, 248,
    288, 336, 392, 448, 496,
];

/// Class of so many units.
const OF_UNITS: [Class; LARGEST / UNIT + 1] = {
    let mut table = [Class(0); LARGEST / UNIT + 1];
    let mut class = 0;
    let mut units = 0;
    while units < table.len() {
        if units * UNIT > CELLS[class] as usize {
            class += 1;
        }
        table[units] = Class(class as u8);
        units += 1;
    }
    assert!(class == COUNT - 1 && CELLS[class] as usize == LARGEST);
    table
};

impl Class {
    /// The class for `size` bytes, which are [`LARGEST`] at most.
    #[inline]
    pub fn of(size: usize) -> Class {
        OF_UNITS[size.div_ceil(UNIT)]
    }

    /// The largest class whose cells have `size` bytes at most; `size` is from [`UNIT`] to [`LARGEST`].
    pub fn within(size: usize) -> Class {
        let class = Class::of(size);
        if class.cell() > size {
            Class(class.0 - 1)
        } else {
            class
        }
    }

    /// The class at the index, which is below [`COUNT`].
    pub fn at(index: usize) -> Class {
        debug_assert!(index < COUNT);
        Class(index as u8)
    }

    /// The next class whose cells are all aligned to 16 bytes.
    pub fn aligned(self) -> Class {
        let mut class = self;
        while !class.cell().is_multiple_of(16) {
            class.0 += 1;
        }
        class
    }

    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Bytes of a cell.
    #[inline]
    pub fn cell(self) -> usize {
        usize::from(CELLS[self.index()])
    }

    /// Cells of a page.
    pub fn capacity(self) -> u16 {
        (page::ROOM / self.cell()) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_room_and_the_one_below_has_not() {
        for size in 1..=LARGEST {
            let class = Class::of(size);
            assert!(class.cell() >= size, "{size}");
            assert!(
                class.index() == 0 || Class::at(class.index() - 1).cell() < size,
                "{size}"
            );
            assert!(class.aligned().cell() >= size, "{size}");
        }
    }

    #[test]
    fn what_lua_makes_most_of_fits_exactly() {
        for size in [24, 32, 40, 48, 56, 64, 72, 96, 128, 200, 392] {
            assert_eq!(Class::of(size).cell(), size);
        }
    }

    #[test]
    fn little_of_a_page_is_left_over() {
        for class in (0..COUNT).map(Class::at) {
            let used = usize::from(class.capacity()) * class.cell();
            assert!(page::ROOM - used <= page::ROOM / 32, "{class:?}");
        }
    }
}
