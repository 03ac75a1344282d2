//! Nodes of pending timers: chunks that never move, with a free list, so that no add pays for copying all the others.

/// No node.
pub const NIL: u32 = u32::MAX;

const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;

/// A pending timer: 24 bytes.
#[derive(Clone, Copy)]
pub struct Node {
    /// Tick at which it fires.
    pub expiry: u64,
    /// Who gets the response.
    pub handle: u32,
    /// Its session.
    pub session: i32,
    /// Next node of the same slot, or of the free list.
    pub next: u32,
}

/// All nodes, addressed by index.
#[derive(Default)]
pub struct Slab {
    chunks: Vec<Box<[Node]>>,
    free: Option<u32>,
    /// Nodes of the last chunk that were never used.
    fresh: usize,
    live: usize,
}

impl Slab {
    /// Number of nodes in use.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Stores a node and answers its index.
    pub fn insert(&mut self, node: Node) -> u32 {
        self.live += 1;
        if let Some(index) = self.free {
            let slot = &mut self[index];
            let next = slot.next;
            *slot = node;
            self.free = (next != NIL).then_some(next);
            return index;
        }
        if self.fresh == 0 {
            self.chunks.push(vec![node; CHUNK].into_boxed_slice());
            self.fresh = CHUNK;
        }
        let index = (self.chunks.len() * CHUNK - self.fresh) as u32;
        self.fresh -= 1;
        self[index] = node;
        index
    }

    /// Takes a node out. Its index is used again.
    pub fn remove(&mut self, index: u32) -> Node {
        let free = self.free.unwrap_or(NIL);
        let slot = &mut self[index];
        let node = *slot;
        slot.next = free;
        self.free = Some(index);
        self.live -= 1;
        if self.live == 0 && self.chunks.len() > 1 {
            // A burst is over: what it took goes back.
            *self = Slab::default();
        }
        node
    }
}

impl std::ops::Index<u32> for Slab {
    type Output = Node;
    fn index(&self, index: u32) -> &Node {
        &self.chunks[(index >> CHUNK_BITS) as usize][index as usize & (CHUNK - 1)]
    }
}

impl std::ops::IndexMut<u32> for Slab {
    fn index_mut(&mut self, index: u32) -> &mut Node {
        &mut self.chunks[(index >> CHUNK_BITS) as usize][index as usize & (CHUNK - 1)]
    }
}
