use super::first_memory::{BLOCKS, SIZE};
use super::page::{LIMIT, ROOM};
use super::*;

/// Numbers that look random and are the same each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// A size as Lua asks for: mostly small.
    fn size(&mut self) -> usize {
        match self.below(10) {
            0 => 1 + self.below(3000),
            1 | 2 => 1 + self.below(LARGEST + 16),
            _ => 1 + self.below(128),
        }
    }
}

/// A block and what was written to it.
struct Block {
    start: *mut u8,
    size: usize,
    mark: u8,
}

impl Block {
    fn fill(start: *mut c_void, size: usize, mark: u8) -> Block {
        let start: *mut u8 = start.cast();
        assert!(!start.is_null() && start.addr().is_multiple_of(8));
        // SAFETY: a block of `size` bytes.
        unsafe { start.write_bytes(mark, size) };
        Block { start, size, mark }
    }

    fn holds(&self, size: usize) -> bool {
        // SAFETY: as in `fill`; `size` is at most the block's.
        (0..size).all(|at| unsafe { self.start.add(at).read() } == self.mark)
    }

    fn end(self, heap: &mut Heap) {
        assert!(self.holds(self.size));
        // SAFETY: a block of the heap, gone with this call.
        unsafe { heap.dealloc(self.start.cast(), self.size) };
    }
}

/// So many pages the heap has, counted one by one.
fn pages(heap: &Heap) -> usize {
    let mut count = 0;
    let mut page = heap.newest;
    while !page.is_null() {
        count += 1;
        // SAFETY: pages of the heap.
        page = unsafe { (*page).older };
    }
    assert_eq!(count, heap.used + heap.idle);
    count
}

fn take_many(heap: &mut Heap, size: usize, count: usize) -> Vec<Block> {
    let filled = |index| Block::fill(heap.alloc(size), size, index as u8);
    (0..count).map(filled).collect()
}

const STEPS: usize = if cfg!(miri) { 4_000 } else { 100_000 };

#[test]
fn every_block_keeps_its_bytes_whatever_happens_to_others() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut heap = Heap::new();
    let mut blocks: Vec<Block> = Vec::new();
    for step in 0..STEPS {
        // Grows to some thousand blocks and shrinks again, some times.
        let grows = (step / (STEPS / 8)).is_multiple_of(2);
        let mark = step as u8;
        match random.below(8) {
            0 if !blocks.is_empty() => {
                let index = random.below(blocks.len());
                let old = &blocks[index];
                let size = random.size();
                // SAFETY: a block of the heap with its size.
                let moved = unsafe { heap.resize(old.start.cast(), old.size, size) };
                let kept = old.size.min(size);
                let moved = Block {
                    start: moved.cast(),
                    size: kept,
                    mark: old.mark,
                };
                assert!(moved.holds(kept), "step {step}");
                blocks[index] = Block::fill(moved.start.cast(), size, mark);
            }
            1 => {
                let size = random.size();
                let block = heap.alloc_aligned(size);
                assert!(block.addr().is_multiple_of(16));
                blocks.push(Block::fill(block, size, mark));
            }
            2..6 if grows => {
                let size = random.size();
                blocks.push(Block::fill(heap.alloc(size), size, mark));
            }
            _ if !blocks.is_empty() => {
                let index = random.below(blocks.len());
                blocks.swap_remove(index).end(&mut heap);
            }
            _ => {}
        }
    }
    for block in blocks {
        block.end(&mut heap);
    }
    pages(&heap);
}

#[test]
fn a_small_heap_has_hardly_more_than_was_asked_for() {
    let mut random = Random(7);
    let mut heap = Heap::new();
    let mut asked = 0;
    while asked < 60_000 {
        let size = 16 + 8 * random.below(20);
        assert!(!heap.alloc(size).is_null());
        asked += size;
    }
    let has = BLOCKS * SIZE + pages(&heap) * page::SIZE;
    assert!(has < asked + asked / 8 + page::SIZE, "{has} for {asked}");
}

#[test]
#[cfg_attr(miri, ignore = "takes a quarter of an hour there")]
fn pages_go_back_when_their_cells_have_come_back() {
    let mut heap = Heap::new();
    let many = 100_000;
    for size in [56, 40, 400] {
        let blocks = take_many(&mut heap, size, many);
        assert!(pages(&heap) >= (many * size - BLOCKS * SIZE) / ROOM);
        blocks.into_iter().for_each(|block| block.end(&mut heap));
    }
    // What three sizes have in pages of many sizes, and what is kept.
    let most = 3 * usize::from(MIXED).div_ceil(ROOM) + KEPT + 3;
    assert!(pages(&heap) <= most, "{}", pages(&heap));
}

#[test]
fn pages_that_one_block_holds_serve_the_next_ones() {
    let mut heap = Heap::new();
    let mut blocks = take_many(&mut heap, 56, 4_000);
    let before = pages(&heap);
    let mut index = 0;
    let (kept, freed): (Vec<_>, Vec<_>) = blocks.drain(..).partition(|_| {
        index += 1;
        index % 10 == 0
    });
    freed.into_iter().for_each(|block| block.end(&mut heap));
    let again = take_many(&mut heap, 56, 3_500);
    assert!(pages(&heap) <= before);
    kept.into_iter()
        .chain(again)
        .for_each(|block| block.end(&mut heap));
}

#[test]
fn an_empty_page_serves_another_size() {
    let mut heap = Heap::new();
    let small = take_many(&mut heap, 48, 4_000);
    let before = pages(&heap);
    small.into_iter().for_each(|block| block.end(&mut heap));
    let other = take_many(&mut heap, 96, 2_000);
    let in_mixed = (BLOCKS * SIZE + usize::from(MIXED)) / ROOM;
    assert!(pages(&heap) <= before + in_mixed + 1);
    other.into_iter().for_each(|block| block.end(&mut heap));
}

#[test]
fn large_blocks_of_the_first_memory_are_used_again() {
    let mut heap = Heap::new();
    assert!(!heap.alloc(64).is_null());
    let first = heap.alloc(3000);
    assert!(!heap.alloc(64).is_null());
    // SAFETY: a block of the heap with its size, not used afterwards.
    unsafe { heap.dealloc(first, 3000) };
    let half = heap.alloc(1200);
    let rest = heap.alloc(1200);
    let span = first.addr()..first.addr() + 3000;
    assert!(span.contains(&half.addr()) && span.contains(&rest.addr()));
    assert!(half.addr().abs_diff(rest.addr()) >= 1200);
}

#[test]
fn a_block_stays_where_it_is_within_its_class() {
    let mut heap = Heap::new();
    let block = heap.alloc(150);
    // SAFETY: a block of the heap with its size.
    unsafe {
        assert_eq!(heap.resize(block, 150, 168), block);
        assert_eq!(heap.resize(block, 168, 145), block);
        assert_ne!(heap.resize(block, 145, 144), block);
    }
}

#[test]
fn without_memory_there_is_no_block_and_the_old_one_stays() {
    let mut heap = Heap::new();
    let blocks = take_many(&mut heap, 64, 10);
    LIMIT.set(0);
    let mut rest = Vec::new();
    loop {
        let block = heap.alloc(64);
        if block.is_null() {
            break;
        }
        rest.push(Block::fill(block, 64, 1));
    }
    assert!(rest.len() < SIZE / 64);
    // SAFETY: a block of the heap with its size.
    assert!(unsafe { heap.resize(blocks[0].start.cast(), 64, 72) }.is_null());
    assert!(heap.alloc_aligned(40).is_null());
    let gone = rest.pop().expect("some were left");
    gone.end(&mut heap);
    assert!(!heap.alloc(64).is_null());
    LIMIT.set(usize::MAX);
    blocks
        .into_iter()
        .chain(rest)
        .for_each(|block| block.end(&mut heap));
}
