//! Ways through a map, found on other threads while the service answers.

use std::collections::VecDeque;
use std::sync::Arc;

use skynet_service::error::BoxError;
use skynet_service::{Args, Ctx, service};

/// A square of fields, some of which are walls.
struct Map {
    size: usize,
    walls: Vec<bool>,
}

impl Map {
    /// One field of four is a wall; the borders are free. The same each time.
    fn new(size: usize) -> Map {
        let mut random: u64 = 1;
        let walls = (0..size * size).map(|field| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let (x, y) = (field % size, field / size);
            let inside = (1..size - 1).contains(&x) && (1..size - 1).contains(&y);
            inside && random >> 62 == 0
        });
        Map {
            size,
            walls: walls.collect(),
        }
    }

    /// The steps of the shortest way, if there is one.
    fn steps(&self, from: usize, to: usize) -> Option<u32> {
        let mut steps = vec![u32::MAX; self.walls.len()];
        let mut queue = VecDeque::from([from]);
        *steps.get_mut(from)? = 0;
        while let Some(field) = queue.pop_front() {
            if field == to {
                return Some(steps[field]);
            }
            let (x, y) = (field % self.size, field / self.size);
            let last = self.size - 1;
            let next = [
                (x > 0).then(|| field - 1),
                (x < last).then(|| field + 1),
                (y > 0).then(|| field - self.size),
                (y < last).then(|| field + self.size),
            ];
            for next in next.into_iter().flatten() {
                if !self.walls[next] && steps[next] == u32::MAX {
                    steps[next] = steps[field] + 1;
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

struct Paths {
    map: Arc<Map>,
}

#[service("paths")]
impl Paths {
    /// The argument is the length of a side.
    async fn init(_: Ctx, args: Args) -> Result<Paths, BoxError> {
        let size: usize = args.parse()?;
        if !(3..=4096).contains(&size) {
            return Err("a side has from 3 to 4096 fields".into());
        }
        Ok(Paths {
            map: Arc::new(Map::new(size)),
        })
    }

    /// The steps between two fields, counted row by row; nil without a way.
    #[command]
    async fn find(&self, ctx: Ctx, from: usize, to: usize) -> Result<Option<u32>, BoxError> {
        let map = Arc::clone(&self.map);
        Ok(ctx.offload(move || map.steps(from, to)).await?)
    }

    /// For a service that is asked while it looks for paths.
    #[command]
    fn fields(&self) -> usize {
        self.map.walls.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Map, Paths};
    use skynet_service::testing::Node;

    #[test]
    fn a_way_along_the_borders_is_there() {
        let map = Map::new(50);
        let steps = map.steps(0, 50 * 50 - 1).unwrap();
        assert!((98..200).contains(&steps), "{steps}");
        assert_eq!(map.steps(0, 2500), None);
    }

    #[test]
    fn the_service_answers() {
        let node = Node::new();
        let paths = node.launch::<Paths>("paths", "10").unwrap();
        assert_eq!(node.call_lua::<u32>(paths, &("find", 0, 9)).unwrap(), 9);
        assert!(node.launch::<Paths>("paths", "none").is_none());
    }
}
