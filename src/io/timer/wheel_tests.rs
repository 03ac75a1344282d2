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

/// As `compare_with_model`; timers are taken back between the steps, too.
fn compare_cancelling(start: u64, seed: u64) {
    let mut random = Random(seed);
    let mut wheel = Wheel::new(start);
    let mut model = Model::default();
    let mut places = Vec::new();
    let mut now = start;
    let mut session = 0;
    let cancel_some = |wheel: &mut Wheel,
                       model: &mut Model,
                       places: &mut Vec<(u32, i32)>,
                       random: &mut Random| {
        for _ in 0..random.below(12) {
            if places.is_empty() {
                return;
            }
            let which = random.below(places.len() as u64) as usize;
            let (place, session) = places.swap_remove(which);
            let before = model.pending.len();
            model.pending.retain(|&(_, fired)| fired != (7, session));
            let pending = model.pending.len() < before;
            assert_eq!(wheel.cancel(place, 7, session), pending);
            assert!(!wheel.cancel(place, 7, session));
        }
    };
    for _ in 0..200 {
        for _ in 0..random.below(20) {
            let magnitude = random.below(25);
            let delay = 1 + random.below(1 << magnitude);
            session += 1;
            places.push((wheel.add(now + delay, 7, session), session));
            model.pending.push((now + delay, (7, session)));
        }
        cancel_some(&mut wheel, &mut model, &mut places, &mut random);
        let magnitude = random.below(26);
        now += 1 + random.below(1 << magnitude);
        let expected = model.fire(now);
        let fired = run_to(&mut wheel, now);
        assert_eq!(fired, expected);
        cancel_some(&mut wheel, &mut model, &mut places, &mut random);
        assert_eq!(wheel.len(), model.pending.len());
    }
}

#[test]
fn timers_that_were_taken_back_do_not_fire_and_others_do() {
    for seed in 1..60 {
        compare_cancelling(seed * 4095, seed);
    }
}

#[test]
fn a_timer_can_be_taken_back_while_its_slot_is_emptied() {
    // More than one step moves, all in one slot of the second level and its followers.
    for count in [BATCH as u32 + 1, 3 * BATCH as u32] {
        for taken in [0, 1, BATCH as u32 - 1, BATCH as u32, count - 1] {
            let mut wheel = Wheel::new(0);
            let places: Vec<_> = (0..count)
                .map(|session| wheel.add(64 + u64::from(session % 3), 7, session as i32))
                .collect();
            let mut fired = Vec::new();
            assert_eq!(wheel.step(100, &mut fired), Step::More);
            assert!(wheel.cancel(places[taken as usize], 7, taken as i32));
            fired.extend(run_to(&mut wheel, 100));
            assert_eq!(fired.len(), count as usize - 1);
            assert!(!fired.contains(&(7, taken as i32)));
            assert_eq!(wheel.len(), 0);
        }
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
