use super::*;

/// Pseudo-random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The specification: a list sorted by expiry, then by creation.
#[derive(Default)]
struct Model {
    pending: Vec<(u64, Fired)>,
}

impl Model {
    fn fire(&mut self, target: u64) -> Vec<Fired> {
        self.pending.sort_by_key(|&(expiry, _)| expiry);
        let due = self
            .pending
            .partition_point(|&(expiry, _)| expiry <= target);
        self.pending.drain(..due).map(|(_, event)| event).collect()
    }
}

fn run_to(wheel: &mut Wheel, target: u64) -> Vec<Fired> {
    let mut fired = Vec::new();
    while wheel.step(target, &mut fired) == Step::More {}
    fired
}

fn compare_with_model(start: u64, seed: u64, adds_between_steps: bool) {
    let mut random = Random(seed);
    let mut wheel = Wheel::new(start);
    let mut model = Model::default();
    let mut now = start;
    let mut session = 0;
    for _ in 0..300 {
        for _ in 0..random.below(20) {
            let magnitude = random.below(31);
            let delay = 1 + random.below(1 << magnitude);
            session += 1;
            wheel.add(now + delay, 7, session);
            model.pending.push((now + delay, (7, session)));
        }
        // As the real clock does, time jumps by anything from one tick to far beyond everything that is pending.
        let magnitude = random.below(32);
        now += 1 + random.below(1 << magnitude);
        let mut fired = Vec::new();
        while wheel.step(now, &mut fired) == Step::More {
            if adds_between_steps && random.below(3) == 0 {
                session += 1;
                let delay = 1 + random.below(5000);
                wheel.add(now + delay, 8, session);
                model.pending.push((now + delay, (8, session)));
            }
        }
        assert_eq!(fired, model.fire(now));
        assert_eq!(wheel.len(), model.pending.len());
    }
}

#[test]
fn timers_fire_in_order_of_expiry_then_creation() {
    for seed in 1..40 {
        compare_with_model(seed * 37 % 100, seed, false);
        compare_with_model(seed * 37 % 100, seed, true);
    }
}

#[test]
fn order_holds_across_the_wrap_of_every_digit() {
    for bits in [6, 12, 18, 24, 30, 32, 36, 60] {
        for seed in 1..6 {
            compare_with_model((1u64 << bits) - seed, seed, true);
        }
    }
}

#[test]
fn next_event_is_never_after_the_earliest_expiry_and_reaches_it() {
    let mut random = Random(99);
    for _ in 0..200 {
        let start = random.below(1 << 40);
        let mut wheel = Wheel::new(start);
        let expiry = start + 1 + random.below(1 << 31);
        wheel.add(expiry, 1, 1);
        let mut fired = Vec::new();
        let mut wakes = 0;
        while let Some(tick) = wheel.next_event() {
            assert!(tick <= expiry);
            while wheel.step(tick, &mut fired) == Step::More {}
            assert_eq!(fired.is_empty(), tick < expiry);
            wakes += 1;
        }
        assert!(wakes <= LEVELS);
    }
}

#[test]
fn a_large_slot_is_emptied_in_pieces_and_keeps_its_order() {
    // The slot lies above level 0, so that it is first moved in pieces and then fired in pieces; timers added between
    // these pieces belong behind.
    let mut wheel = Wheel::new(0);
    let count = 10 * BATCH as i32;
    for session in 0..count {
        wheel.add(1000, 1, session);
    }
    let mut fired = Vec::new();
    let mut late = count;
    while wheel.step(999, &mut fired) == Step::More {
        wheel.add(1000, 1, late);
        late += 1;
        assert!(fired.is_empty());
    }
    assert!(late > count + 5);
    let mut most = 0;
    loop {
        let before = fired.len();
        let step = wheel.step(1000, &mut fired);
        most = most.max(fired.len() - before);
        if step == Step::Done {
            break;
        }
    }
    assert_eq!(most, BATCH);
    assert_eq!(
        fired,
        (0..late).map(|session| (1, session)).collect::<Vec<_>>()
    );
    assert_eq!(wheel.next_event(), None);
}

#[test]
fn an_expiry_in_the_past_fires_at_the_next_tick() {
    let mut wheel = Wheel::new(50);
    wheel.add(10, 1, 1);
    wheel.add(50, 1, 2);
    assert_eq!(run_to(&mut wheel, 50), []);
    assert_eq!(run_to(&mut wheel, 51), [(1, 1), (1, 2)]);
}

#[test]
fn a_pending_timer_takes_at_most_64_bytes() {
    assert!(size_of::<Node>() <= 64);
}
