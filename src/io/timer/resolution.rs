//! The timers of one resolution: a wheel, what of it is due, and when the next one is.

use super::hands::Hands;
use super::lease::{Lease, Turn};
use super::sleeper::Sleeper;
use super::wheel::{Fired, Step, Wheel};
use crate::alloc::memory;
use crate::base::clock;
use crate::base::lock::Mutex;
use crate::scheduler::cpu;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

/// No tick, no time.
pub const NEVER: u64 = u64::MAX;

/// A clock that counts ticks.
pub trait Tick {
    /// Ticks of a second.
    const SECOND: u64;
    /// The present tick.
    fn now() -> u64;
    /// When a tick begins, in nanoseconds of the monotonic clock.
    fn nanos_of(tick: u64) -> u64;
    /// The tick at which a timer of `delay` ticks fires.
    fn expiry(now: u64, delay: u64) -> u64;
}

/// Hundredths of a second, as the C core counts: from the last tick on.
pub enum Centis {}

impl Tick for Centis {
    const SECOND: u64 = 100;
    fn now() -> u64 {
        clock::now()
    }
    fn nanos_of(tick: u64) -> u64 {
        clock::nanos_of(tick)
    }
    fn expiry(now: u64, delay: u64) -> u64 {
        now + delay
    }
}

/// Milliseconds. A timer is never early: what is left of the present one does not count.
pub enum Millis {}

impl Tick for Millis {
    const SECOND: u64 = 1000;
    fn now() -> u64 {
        clock::millis()
    }
    fn nanos_of(tick: u64) -> u64 {
        clock::nanos_of_millis(tick)
    }
    fn expiry(now: u64, delay: u64) -> u64 {
        now + delay + 1
    }
}

/// See the module's documentation. The wheel is made when the first timer is set.
pub struct Resolution<T> {
    state: Mutex<State>,
    /// When there is something to do, in nanoseconds. Written with `state` locked.
    due: AtomicU64,
    /// The same in ticks, and until when the timer thread sleeps.
    sleeper: Sleeper,
    clock: PhantomData<fn() -> T>,
}

struct State {
    wheel: Option<Wheel>,
    /// What has fired and is not sent.
    hands: Hands,
    present: Present,
}

/// The present tick. To read the clock is a fifth of what it takes to add a timer, so it is read once and then when the counter
/// says that the tick is over.
#[derive(Default)]
struct Present {
    tick: u64,
    /// The counter at the reading, and for how many counts of it the tick lasts from there on.
    since: u64,
    lasts: u64,
}

impl Present {
    #[inline]
    fn tick<T: Tick>(&mut self) -> u64 {
        let counter = cpu::ticks();
        if counter.wrapping_sub(self.since) < self.lasts {
            return self.tick;
        }
        self.look::<T>(counter)
    }

    #[cold]
    fn look<T: Tick>(&mut self, counter: u64) -> u64 {
        let tick = T::now();
        // The counter was read before the clock, so the tick does not last longer than this. Virtual time may jump.
        let left = T::nanos_of(tick + 1).saturating_sub(clock::monotonic_nanos());
        let lasts = if clock::is_virtual() {
            0
        } else {
            cpu::ticks_in(left)
        };
        *self = Present {
            tick,
            since: counter,
            lasts,
        };
        tick
    }
}

/// What [`Resolution::take`] found.
pub enum Taken {
    /// Timers to be sent, or none yet; there may be more.
    Step,
    /// Nothing is due.
    Nothing,
    /// Another thread has the right to deliver.
    Lost,
}

impl<T: Tick> Resolution<T> {
    pub fn new() -> Self {
        Resolution {
            state: Mutex::new(State {
                wheel: None,
                hands: Hands::default(),
                present: Present::default(),
            }),
            due: AtomicU64::new(NEVER),
            sleeper: Sleeper::new(),
            clock: PhantomData,
        }
    }

    /// A new timer: its place, for [`Resolution::cancel`], and when the alarm has to be set for it.
    pub fn add(&self, delay: u64, handle: u32, session: i32) -> (u32, Option<u64>) {
        let mut state = self.state.lock();
        // Under the lock, so that the wheel cannot be ahead of the clock's reading.
        let now = state.present.tick::<T>();
        let expiry = T::expiry(now, delay);
        // Nodes are the timers', not the service's that happens to need the first of a chunk.
        let place = memory::uncharged(|| {
            let wheel = state.wheel.get_or_insert_with(|| Wheel::new(now));
            wheel.add(expiry, handle, session)
        });
        if expiry < self.sleeper.next() {
            self.set_next(expiry);
        }
        let told = self.sleeper.is_to_be_told(expiry);
        (place, told.then(|| T::nanos_of(expiry)))
    }

    /// Takes back a timer. False: it has fired.
    pub fn cancel(&self, place: u32, handle: u32, session: i32) -> bool {
        let mut state = self.state.lock();
        let Some(wheel) = &mut state.wheel else {
            return false;
        };
        memory::uncharged(|| wheel.cancel(place, handle, session))
    }

    /// When there is something to do, in nanoseconds; the past, if a thread is at it.
    #[inline]
    pub fn due(&self) -> u64 {
        self.due.load(Ordering::Acquire)
    }

    /// The present tick, up to which timers are to be taken.
    pub fn target(&self) -> u64 {
        T::now()
    }

    /// The next timers that are due at tick `target`, `most` at most, for a thread with the right to deliver them.
    pub fn take(
        &self,
        target: u64,
        (lease, turn): (&Lease, &Turn),
        most: usize,
        taken: &mut Vec<Fired>,
    ) -> Taken {
        let mut state = self.state.lock();
        if !lease.holds(turn) {
            return Taken::Lost;
        }
        let State { wheel, hands, .. } = &mut *state;
        let Some(wheel) = wheel else {
            return Taken::Nothing;
        };
        hands.begin(turn.number(), target, T::SECOND);
        if hands.is_empty() && hands.refill(|fired| wheel.step(target, fired)) == Step::Done {
            // What `due` spoke of may have been taken back.
            self.find_next(&state);
            return Taken::Nothing;
        }
        hands.take(most, taken);
        if hands.is_empty() {
            self.find_next(&state);
        }
        Taken::Step
    }

    /// When all that has fired is taken.
    #[inline]
    fn find_next(&self, state: &State) {
        let fires = state.wheel.as_ref().and_then(Wheel::next_event);
        let given_up = state.hands.next();
        self.set_next(fires.unwrap_or(NEVER).min(given_up.unwrap_or(NEVER)));
    }

    /// There is something to do at that tick, and not before. The caller has locked `state`.
    #[inline]
    fn set_next(&self, tick: u64) {
        self.sleeper.set_next(tick);
        self.due.store(nanos_of::<T>(tick), Ordering::Release);
    }

    /// A thread has sent all that it had taken, with or without the right. True if timers were held for it, which are due now.
    pub fn finish(&self, turn: &Turn) -> bool {
        let mut state = self.state.lock();
        let released = state.hands.finish(turn.number());
        if released {
            self.set_next(self.sleeper.next().min(T::now()));
        }
        released
    }

    /// Number of pending timers.
    pub fn pending(&self) -> usize {
        let state = self.state.lock();
        state.wheel.as_ref().map_or(0, Wheel::len) + state.hands.held()
    }

    /// Whether timers that are due wait for a thread that has stopped.
    pub fn holds(&self) -> bool {
        self.state.lock().hands.held() != 0
    }

    /// The timer thread sets its alarm: for when, in nanoseconds. What comes before that is told by [`Resolution::add`].
    pub fn set_alarm(&self) -> u64 {
        nanos_of::<T>(self.sleeper.fall_asleep())
    }

    /// The timer thread is awake.
    pub fn clear_alarm(&self) {
        self.sleeper.wake();
    }
}

fn nanos_of<T: Tick>(tick: u64) -> u64 {
    if tick == NEVER {
        return NEVER;
    }
    T::nanos_of(tick)
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn follows_the_clock<T: Tick>(ticks: u64) {
        let mut present = Present::default();
        let end = T::now() + ticks;
        loop {
            let before = T::now();
            let tick = present.tick::<T>();
            let after = T::now();
            assert!(before <= tick && tick <= after, "{before} {tick} {after}");
            if before >= end {
                return;
            }
        }
    }

    #[test]
    fn the_tick_that_timers_count_from_is_the_present_one() {
        cpu::calibrate();
        assert_ne!(cpu::ticks_in(1_000_000), 0);
        follows_the_clock::<Centis>(3);
        follows_the_clock::<Millis>(30);
    }

    #[test]
    fn a_timer_that_was_taken_back_makes_nothing_due() {
        let timers = Resolution::<Centis>::new();
        let lease = Lease::new();
        let turn = lease.try_take().unwrap();
        let mut taken = Vec::new();
        let (place, _) = timers.add(1, 7, 1);
        let (_, _) = timers.add(1_000_000, 7, 2);
        assert!(timers.cancel(place, 7, 1));
        let due = timers.due();
        while Centis::nanos_of(Centis::now()) < due {
            std::thread::yield_now();
        }
        let found = timers.take(timers.target(), (&lease, &turn), 10, &mut taken);
        assert!(matches!(found, Taken::Nothing));
        assert!(taken.is_empty());
        assert!(
            timers.due() > due,
            "the thread that delivers would look again at once"
        );
        assert!(timers.set_alarm() > due);
    }
}
