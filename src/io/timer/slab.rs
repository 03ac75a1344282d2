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
    /// The service that gets the response.
    pub handle: u32,
    /// Its session.
    pub session: i32,
    /// Next node of the same slot, or of the free list.
    pub next: u32,
    /// Node before it in the same slot.
    pub previous: u32,
}

/// [`CHUNK`] nodes, and which of them are free.
struct Chunk {
    nodes: Box<[Node]>,
    /// Nodes in use.
    live: usize,
    /// First node of the free list, by its place in this chunk.
    free: u32,
    /// Nodes at the end that were never used.
    fresh: usize,
    /// Whether `Slab::open` has it.
    open: bool,
}

impl Chunk {
    fn new(node: Node) -> Chunk {
        Chunk {
            nodes: vec![node; CHUNK].into_boxed_slice(),
            live: 0,
            free: NIL,
            fresh: CHUNK,
            open: true,
        }
    }

    /// Puts a node into a free place.
    fn insert(&mut self, node: Node) -> usize {
        self.live += 1;
        let place = if self.free == NIL {
            self.fresh -= 1;
            CHUNK - 1 - self.fresh
        } else {
            let place = self.free as usize;
            self.free = self.nodes[place].next;
            place
        };
        self.nodes[place] = node;
        place
    }

    fn remove(&mut self, place: usize) -> Node {
        let node = self.nodes[place];
        // No service has this handle: nobody takes the node for his.
        self.nodes[place].handle = 0;
        self.nodes[place].next = self.free;
        self.free = place as u32;
        self.live -= 1;
        node
    }
}

/// All nodes, addressed by index. A chunk that has become empty is freed, but for one.
#[derive(Default)]
pub struct Slab {
    chunks: Vec<Option<Chunk>>,
    /// Chunks with a free place, by number; the last one gets the next node.
    open: Vec<u32>,
    /// Numbers without a chunk.
    gone: Vec<u32>,
    /// Chunks that are empty.
    empty: usize,
    live: usize,
}

impl Slab {
    /// Number of nodes in use.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Stores a node and answers its index.
    pub fn insert(&mut self, node: Node) -> u32 {
        let number = match self.open.last() {
            Some(&number) => number,
            None => self.add_chunk(node),
        };
        let chunk = chunk(&mut self.chunks, number);
        if chunk.live == 0 {
            self.empty -= 1;
        }
        let place = chunk.insert(node);
        if chunk.live == CHUNK {
            chunk.open = false;
            self.open.pop();
        }
        self.live += 1;
        number << CHUNK_BITS | place as u32
    }

    #[cold]
    fn add_chunk(&mut self, node: Node) -> u32 {
        let number = self.gone.pop().unwrap_or_else(|| {
            self.chunks.push(None);
            (self.chunks.len() - 1) as u32
        });
        self.chunks[number as usize] = Some(Chunk::new(node));
        self.open.push(number);
        self.empty += 1;
        number
    }

    /// The node of that index, if it is in use.
    pub fn get(&self, index: u32) -> Option<Node> {
        let chunk = self.chunks.get((index >> CHUNK_BITS) as usize)?.as_ref()?;
        let place = index as usize & (CHUNK - 1);
        let used = place < CHUNK - chunk.fresh;
        used.then(|| chunk.nodes[place])
            .filter(|node| node.handle != 0)
    }

    /// Takes a node out. Its index is used again.
    pub fn remove(&mut self, index: u32) -> Node {
        let number = index >> CHUNK_BITS;
        let chunk = chunk(&mut self.chunks, number);
        let node = chunk.remove(index as usize & (CHUNK - 1));
        if !chunk.open {
            chunk.open = true;
            self.open.push(number);
        }
        self.live -= 1;
        if chunk.live == 0 {
            self.empty += 1;
            if self.empty > 1 {
                self.free_chunk(number);
            }
        }
        node
    }

    /// A burst is over: what it took goes back.
    #[cold]
    fn free_chunk(&mut self, number: u32) {
        self.empty -= 1;
        self.open.retain(|&open| open != number);
        self.chunks[number as usize] = None;
        self.gone.push(number);
        if self.live == 0 {
            // What is left is one chunk, which need not stay where it is.
            *self = Slab::default();
        }
    }
}

fn chunk(chunks: &mut [Option<Chunk>], number: u32) -> &mut Chunk {
    chunks[number as usize]
        .as_mut()
        .expect("a node's chunk is there")
}

impl std::ops::Index<u32> for Slab {
    type Output = Node;
    fn index(&self, index: u32) -> &Node {
        let chunk = self.chunks[(index >> CHUNK_BITS) as usize].as_ref();
        &chunk.expect("a node's chunk is there").nodes[index as usize & (CHUNK - 1)]
    }
}

impl std::ops::IndexMut<u32> for Slab {
    fn index_mut(&mut self, index: u32) -> &mut Node {
        &mut chunk(&mut self.chunks, index >> CHUNK_BITS).nodes[index as usize & (CHUNK - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn node(session: i32) -> Node {
        Node {
            expiry: 1,
            handle: 2,
            session,
            next: NIL,
            previous: NIL,
        }
    }

    fn chunks(slab: &Slab) -> usize {
        slab.chunks.iter().flatten().count()
    }

    #[test]
    fn a_burst_gives_its_memory_back_though_some_timers_stay() {
        let mut slab = Slab::default();
        let stays = slab.insert(node(-1));
        let burst: Vec<_> = (0..50 * CHUNK as i32)
            .map(|i| slab.insert(node(i)))
            .collect();
        assert_eq!(chunks(&slab), 51);
        assert_eq!(burst.iter().collect::<HashSet<_>>().len(), burst.len());
        // In an order of its own: timers fire in that of their expiry.
        for step in 0..7 {
            for (i, &index) in burst.iter().enumerate().skip(step).step_by(7) {
                assert_eq!(slab.remove(index).session, i as i32);
            }
        }
        assert_eq!((slab.len(), slab[stays].session), (1, -1));
        assert!(chunks(&slab) <= 2, "{}", chunks(&slab));
    }

    #[test]
    fn places_and_chunks_are_used_again() {
        let mut slab = Slab::default();
        for round in 0..3 {
            let all: Vec<_> = (0..3 * CHUNK as i32)
                .map(|i| slab.insert(node(i)))
                .collect();
            assert!(all.iter().all(|&index| index < 4 << CHUNK_BITS), "{round}");
            for (i, &index) in all.iter().enumerate().rev() {
                assert_eq!(slab.remove(index).session, i as i32);
            }
            assert_eq!((slab.len(), chunks(&slab) <= 1), (0, true));
        }
    }
}
