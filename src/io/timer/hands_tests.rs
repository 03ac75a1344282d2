//! Threads that deliver and stop anywhere: timers of one service keep their order, and others do not wait.

use super::super::delivery::Delivery;
use super::super::lease::{Lease, Turn};
use super::super::resolution::{Resolution, Tick};
use super::super::wheel::Fired;
use std::cell::Cell;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(1) };
}

/// A clock that tests move. (All threads of a model are one.)
enum Steps {}

impl Tick for Steps {
    const SECOND: u64 = 100;
    fn now() -> u64 {
        NOW.get()
    }
    fn nanos_of(tick: u64) -> u64 {
        tick
    }
    fn expiry(now: u64, delay: u64) -> u64 {
        now + delay
    }
}

fn pass(ticks: u64) {
    NOW.set(NOW.get() + ticks);
}

type Timers = Resolution<Steps>;

/// Sessions of a service that came before an earlier one.
fn misordered(sent: &[Fired], service: u32) -> usize {
    let sessions: Vec<i32> = sent
        .iter()
        .filter(|timer| timer.0 == service)
        .map(|timer| timer.1)
        .collect();
    sessions.windows(2).filter(|pair| pair[0] > pair[1]).count()
}

#[cfg(not(feature = "loom"))]
mod single {
    use super::super::super::delivery::Delivered;
    use super::super::super::lease::Progress;
    use super::super::super::resolution::Taken;
    use super::*;

    /// A thread that delivers step by step: it takes when its hand is empty, and sends one otherwise.
    struct Thread {
        turn: Option<Turn>,
        hand: std::vec::IntoIter<Fired>,
        most: usize,
        /// It does not go on before this step.
        stopped_until: u32,
        seen: Progress,
    }

    impl Thread {
        fn new() -> Thread {
            Thread {
                turn: None,
                hand: Vec::new().into_iter(),
                most: 1,
                stopped_until: 0,
                seen: Progress::default(),
            }
        }

        /// True if it did something.
        fn go_on(&mut self, timers: &Timers, lease: &Lease, sent: &mut Vec<Fired>) -> bool {
            if let Some(timer) = self.hand.next() {
                sent.push(timer);
                return true;
            }
            let Some(turn) = &self.turn else {
                return false;
            };
            let mut taken = Vec::new();
            let found = timers.take(timers.target(), (lease, turn), self.most, &mut taken);
            self.hand = taken.into_iter();
            if !matches!(found, Taken::Step) {
                if matches!(found, Taken::Lost) {
                    timers.finish(turn);
                }
                lease.give_back(self.turn.take().unwrap());
            }
            true
        }

        /// Becomes the one that delivers, if something is due; `rob`: also in the place of another.
        fn begin(&mut self, timers: &Timers, lease: &Lease, rob: bool) {
            if timers.due() > Steps::now() {
                return;
            }
            self.turn = lease.try_take();
            if self.turn.is_none() && rob {
                self.turn = lease.take_from(self.seen);
                self.seen = lease.progress();
            }
        }
    }

    /// splitmix64
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (z ^ (z >> 31)) % bound
        }
    }

    const SERVICES: u32 = 4;

    /// Three threads in any order; one of `seldom` steps is a stop of up to `long` steps, of which a tick has eight or so. What was
    /// sent, of how many.
    fn run(seed: u64, seldom: u64, long: u64) -> (Vec<Fired>, usize) {
        let (timers, lease) = (Timers::new(), Lease::new());
        let mut random = Random(seed);
        let mut threads = [Thread::new(), Thread::new(), Thread::new()];
        let (mut sent, mut set) = (Vec::new(), 0);
        // Of each service those that are set later are due later, or at the same tick.
        let mut last_due = [0; SERVICES as usize];
        for step in 0.. {
            let busy = threads.iter().any(|thread| thread.turn.is_some());
            if step >= 600 && !busy && timers.pending() == 0 && timers.due() == u64::MAX {
                return (sent, set);
            }
            assert!(step < 400_000, "{} of {set} sent", sent.len());
            if random.below(8) == 0 {
                pass(1);
            }
            if step < 600 && random.below(2) == 0 {
                for _ in 0..random.below(12) {
                    let service = random.below(SERVICES.into()) as u32;
                    let due = (Steps::now() + 1 + random.below(3)).max(last_due[service as usize]);
                    last_due[service as usize] = due;
                    set += 1;
                    timers.add(due - Steps::now(), service, set as i32);
                }
            }
            let thread = &mut threads[random.below(3) as usize];
            if thread.stopped_until > step {
                continue;
            }
            if random.below(seldom) == 0 {
                thread.stopped_until = step + random.below(long) as u32;
                continue;
            }
            if !thread.go_on(&timers, &lease, &mut sent) {
                thread.most = 1 + random.below(8) as usize;
                thread.begin(&timers, &lease, random.below(2) == 0);
            }
        }
        unreachable!()
    }

    #[test]
    fn timers_of_a_service_keep_their_order_whichever_thread_stops_where() {
        for seed in 0..600 {
            let (sent, set) = run(seed, 12, 80);
            assert_eq!(sent.len(), set, "seed {seed}");
            for service in 0..SERVICES {
                assert_eq!(misordered(&sent, service), 0, "seed {seed}");
            }
        }
    }

    #[test]
    fn every_timer_comes_once_also_when_threads_stop_for_longer_than_a_second() {
        for seed in 0..200 {
            let (mut sent, set) = run(seed, 40, 1600);
            sent.sort_unstable_by_key(|timer| timer.1);
            let sessions: Vec<i32> = sent.iter().map(|timer| timer.1).collect();
            assert_eq!(
                sessions,
                (1..=set as i32).collect::<Vec<_>>(),
                "seed {seed}"
            );
        }
    }

    /// What one thread has sent that takes the right and goes on to the end.
    fn deliver(timers: &Timers, lease: &Lease, turn: Turn) -> Vec<Fired> {
        let mut sent = Vec::new();
        assert_eq!(
            Delivery::new(lease, &turn, usize::MAX).run(timers, |timer| sent.push(timer)),
            Delivered::All
        );
        lease.give_back(turn);
        sent
    }

    /// Timers 1 and 2 of services 7 and 8 in the hand of a thread that has lost the right to another. What that one sends of
    /// the others, and the turn of the first one.
    fn stopped(timers: &Timers, lease: &Lease) -> (Turn, Vec<Fired>) {
        for (service, session) in [(7, 1), (8, 2), (9, 3), (7, 4), (8, 5), (7, 6)] {
            timers.add(1, service, session);
        }
        pass(1);
        let first = lease.try_take().unwrap();
        let mut hand = Vec::new();
        assert!(matches!(
            timers.take(timers.target(), (lease, &first), 2, &mut hand),
            Taken::Step
        ));
        assert_eq!(hand, [(7, 1), (8, 2)]);
        let second = lease.take_from(lease.progress()).unwrap();
        (first, deliver(timers, lease, second))
    }

    #[test]
    fn what_is_held_is_due_as_soon_as_the_thread_is_back() {
        let (timers, lease) = (Timers::new(), Lease::new());
        let (first, sent) = stopped(&timers, &lease);
        assert_eq!(sent, [(9, 3)]);
        assert_eq!((timers.pending(), timers.holds()), (3, true));
        assert_eq!(
            timers.due(),
            Steps::now() + Steps::SECOND,
            "nobody looks in vain before"
        );
        // Later ones of the same services come behind.
        timers.add(1, 7, 7);
        timers.add(1, 9, 8);
        pass(1);
        assert_eq!(
            deliver(&timers, &lease, lease.try_take().unwrap()),
            [(9, 8)]
        );
        let lost = timers.take(timers.target(), (&lease, &first), 2, &mut Vec::new());
        assert!(matches!(lost, Taken::Lost));
        assert!(timers.finish(&first), "somebody is told");
        assert!(timers.due() <= Steps::now());
        let turn = lease.try_take().unwrap();
        assert_eq!(
            deliver(&timers, &lease, turn),
            [(7, 4), (8, 5), (7, 6), (7, 7)]
        );
        assert_eq!((timers.pending(), timers.due()), (0, u64::MAX));
        assert!(!timers.holds());
    }

    #[test]
    fn what_is_held_is_due_after_a_second_if_the_thread_does_not_come_back() {
        let (timers, lease) = (Timers::new(), Lease::new());
        let (first, _) = stopped(&timers, &lease);
        pass(timers.due() - Steps::now());
        let turn = lease.try_take().unwrap();
        assert_eq!(deliver(&timers, &lease, turn), [(7, 4), (8, 5), (7, 6)]);
        assert_eq!(timers.due(), u64::MAX);
        assert!(!timers.finish(&first), "nothing waits for it any more");
    }

    #[test]
    fn a_timer_that_is_held_has_fired() {
        let (timers, lease) = (Timers::new(), Lease::new());
        let (place, _) = timers.add(1, 7, 0);
        pass(1);
        let first = lease.try_take().unwrap();
        timers.take(timers.target(), (&lease, &first), 1, &mut Vec::new());
        let (held, _) = timers.add(1, 7, 1);
        pass(1);
        let second = lease.take_from(lease.progress()).unwrap();
        assert!(deliver(&timers, &lease, second).is_empty());
        assert!(!timers.cancel(place, 7, 0) && !timers.cancel(held, 7, 1));
        assert_eq!(timers.pending(), 1);
    }

    #[test]
    fn a_thread_that_leaves_the_rest_to_others_has_nothing_in_its_hand() {
        let (timers, lease) = (Timers::new(), Lease::new());
        for session in 0..20 {
            timers.add(1, 7, session);
        }
        pass(1);
        let turn = lease.try_take().unwrap();
        let mut sent = Vec::new();
        let few = Delivery::new(&lease, &turn, 5).run(&timers, |timer| sent.push(timer));
        assert_eq!((few, sent.len()), (Delivered::Part, 5));
        lease.give_back(turn);
        let rest = deliver(&timers, &lease, lease.try_take().unwrap());
        assert_eq!(rest.len(), 15);
    }
}

#[cfg(feature = "loom")]
mod model {
    use super::*;
    use crate::base::sync::stopping_at;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    struct Node {
        timers: Timers,
        lease: Lease,
        sent: Mutex<Vec<Fired>>,
    }

    impl Node {
        /// Service 7 has more timers than one hand takes; 9 has one behind all of these.
        fn new() -> Arc<Node> {
            // The same in each run of the model.
            NOW.set(1);
            let node = Node {
                timers: Timers::new(),
                lease: Lease::new(),
                sent: Mutex::default(),
            };
            for (service, session) in [(7, 1), (7, 2), (9, 3)] {
                node.timers.add(1, service, session);
            }
            pass(1);
            Arc::new(node)
        }

        /// As a worker, which takes the first ones singly.
        fn deliver(&self, turn: Turn) {
            let send = |timer| self.sent.lock().unwrap().push(timer);
            Delivery::new(&self.lease, &turn, 10).run(&self.timers, send);
            self.lease.give_back(turn);
        }

        /// Takes the right away, as patience may be over at any time.
        fn rob(&self) {
            let turn = self.lease.take_from(self.lease.progress());
            turn.into_iter().for_each(|turn| self.deliver(turn));
        }

        /// As any thread that finds something due.
        fn look(&self) {
            while self.timers.due() <= Steps::now() {
                let turn = self
                    .lease
                    .try_take()
                    .or_else(|| self.lease.take_from(self.lease.progress()));
                turn.into_iter().for_each(|turn| self.deliver(turn));
            }
        }

        fn sent(&self) -> Vec<Fired> {
            self.sent.lock().unwrap().clone()
        }
    }

    /// Whenever a thread is robbed of the right, and comes back.
    #[test]
    fn loom_timers_of_a_service_keep_their_order_when_the_right_is_taken_away() {
        loom::model(|| {
            let node = Node::new();
            let (other, turn) = (node.clone(), node.lease.try_take().unwrap());
            let thread = thread::spawn(move || other.deliver(turn));
            node.rob();
            thread.join().unwrap();
            node.look();
            let sent = node.sent();
            assert_eq!(misordered(&sent, 7), 0, "{sent:?}");
            assert_eq!(sent.len(), 3, "{sent:?}");
        });
    }

    /// Wherever a thread stops for ever: timers of others go out at once, those of the services in its hand after a second.
    #[test]
    fn loom_no_timer_waits_for_ever_for_a_thread_that_stops() {
        for point in 1..14 {
            loom::model(move || {
                let node = Node::new();
                let (other, turn) = (node.clone(), node.lease.try_take().unwrap());
                let thread = thread::spawn(move || {
                    stopping_at(point, || other.deliver(turn));
                });
                node.rob();
                thread.join().unwrap();
                node.look();
                let sent = node.sent();
                assert_eq!(misordered(&sent, 7), 0, "{sent:?}");
                // In the hand of the one that stopped is one timer.
                assert!(sent.contains(&(9, 3)) || sent.len() >= 2, "{sent:?}");
                pass(Steps::SECOND);
                node.look();
                let mut sent = node.sent();
                assert!(sent.len() >= 2, "{sent:?}");
                assert_eq!(node.timers.pending(), 0);
                sent.sort_unstable();
                sent.dedup();
                assert_eq!(sent.len(), node.sent().len(), "{sent:?}");
            });
        }
    }
}
