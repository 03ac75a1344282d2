//! What all clients may leave unread together of what was written to them, and those of one address. When it is too much,
//! those go that hold most for longest without reading; those that read, only when all hold several times as much. The same
//! rules as those of the gate in Lua.

use std::collections::HashMap;
use std::ffi::CStr;

use libc::c_int;

/// Bytes that all may leave unread.
const MOST: u64 = 512 << 20;
/// Who takes as many bytes in a second reads.
const PACE: u64 = 500;
/// 1/100 s in which a client has not read.
const STALLED: u64 = 100;
/// Times as much, at which those go too that read.
const ALL: f64 = 4.0;
/// 1/100 s between two looks, by itself and when more is noted.
pub const LOOK: u64 = 50;
const SOONEST: u64 = 5;

/// What waits to be sent to a client, and what was sent, in bytes.
pub type Output = (u64, u64);

/// A client to which much was written that it has not read.
struct Account {
    host: String,
    waiting: u64,
    sent: u64,
    /// When it has read, in 1/100 s.
    moved: u64,
}

/// The clients of a gate that have much to read.
#[derive(Default)]
pub struct Unread {
    /// 0: no limit.
    most: u64,
    held: HashMap<c_int, Account>,
    /// When they were looked at.
    looked: u64,
}

/// A client that has to go, and why.
pub type Verdict = (c_int, String);

impl Unread {
    /// By the config key `gate_unread`; `get` gives the value of a key.
    pub fn new(get: impl Fn(&CStr) -> Option<String>) -> Unread {
        let most = get(c"gate_unread").and_then(|text| amount(&text));
        Unread {
            most: most.unwrap_or(MOST),
            held: HashMap::new(),
            looked: 0,
        }
    }

    /// Much was written to a client and waits; it is watched until nothing does. Whether it is time for a look.
    pub fn note(&mut self, id: c_int, host: &str, output: Output, now: u64) -> bool {
        let (waiting, sent) = output;
        self.held.entry(id).or_insert_with(|| Account {
            host: host.to_owned(),
            waiting,
            sent,
            moved: now,
        });
        now.saturating_sub(self.looked) >= SOONEST
    }

    /// It is gone.
    pub fn forget(&mut self, id: c_int) {
        self.held.remove(&id);
    }

    /// Whether there is nobody to look at.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Looks at what waits. Those that are returned are forgotten.
    pub fn look(&mut self, now: u64, output: impl Fn(c_int) -> Option<Output>) -> Vec<Verdict> {
        self.looked = now;
        let mut sums = HashMap::<String, u64>::new();
        self.held.retain(|id, account| {
            let (waiting, sent) = output(*id).unwrap_or_default();
            let taken = sent.saturating_sub(account.sent);
            let time = now.saturating_sub(account.moved);
            if taken > 0 && taken >= PACE * time / 100 {
                (account.sent, account.moved) = (sent, now);
            }
            account.waiting = waiting;
            if waiting > 0 {
                *sums.entry(account.host.clone()).or_default() += waiting;
            }
            waiting > 0
        });
        let mut verdicts = Vec::new();
        if self.most == 0 {
            return verdicts;
        }
        for (host, sum) in sums {
            if sum > self.most / 2 {
                self.relieve(now, sum, Some(&host), &mut verdicts);
            }
        }
        let total = self.held.values().map(|it| it.waiting).sum();
        if total > self.most {
            self.relieve(now, total, None, &mut verdicts);
        }
        verdicts
    }

    /// Chooses clients, of one address or of all, until an eighth is free.
    fn relieve(&mut self, now: u64, mut total: u64, host: Option<&str>, to: &mut Vec<Verdict>) {
        let most = self.most >> u32::from(host.is_some());
        let level = total as f64 / most.max(1) as f64;
        let mut candidates: Vec<_> = self
            .held
            .iter()
            .filter(|(_, it)| host.is_none_or(|host| host == it.host))
            .filter_map(|(id, it)| {
                let silence = now.saturating_sub(it.moved);
                let stalled = silence as f64 * level * level >= STALLED as f64;
                let has_to = stalled || level >= ALL && host.is_none();
                has_to.then(|| (it.waiting.saturating_mul(STALLED + silence), *id))
            })
            .collect();
        candidates.sort_unstable_by(|a, b| b.cmp(a));
        for (_, id) in candidates {
            if total <= most - most / 8 {
                break;
            }
            let waiting = self.held.remove(&id).map_or(0, |it| it.waiting);
            let of = if host.is_some() {
                " of its address"
            } else {
                ""
            };
            to.push((
                id,
                format!(
                    "{waiting} bytes wait that it does not read, and {total} in all connections{of}"
                ),
            ));
            total -= waiting.min(total);
        }
    }
}

/// Bytes as the config has them: a number, with `k`, `m` or `g` behind it or not.
fn amount(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (number, unit) = match text.chars().last()? {
        'k' => (&text[..text.len() - 1], 1 << 10),
        'm' => (&text[..text.len() - 1], 1 << 20),
        'g' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1_u64),
    };
    let number: f64 = number.trim().parse().ok()?;
    Some((number.max(0.0) * unit as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(most: &str) -> Unread {
        Unread::new(|_| Some(most.to_owned()))
    }

    #[test]
    fn those_go_that_do_not_read_the_largest_first() {
        let mut unread = with("1000");
        for (id, waiting) in [(1, 300), (2, 450), (3, 400)] {
            unread.note(id, &format!("10.0.0.{id}"), (waiting, 0), 0);
        }
        let at = |id| Some(([300, 450, 400][id as usize - 1], 0));
        assert_eq!(unread.look(50, at), [], "they may be reading still");
        let [(id, why)] = &unread.look(100, at)[..] else {
            panic!("one is enough");
        };
        assert_eq!(*id, 2);
        assert!(
            why.starts_with("450 bytes wait that it does not read, and 1150 in all"),
            "{why}"
        );
        assert_eq!(unread.look(150, at), [], "the others are within the limit");
    }

    #[test]
    fn who_reads_goes_only_when_there_is_far_too_much() {
        let mut unread = with("1000");
        unread.note(1, "a", (3000, 0), 0);
        unread.note(2, "b", (400, 0), 0);
        let reads = |now: u64| move |id: c_int| Some(([3000, 400][id as usize - 1], now * 10));
        assert_eq!(unread.look(500, reads(500)), []);
        let four = |id| Some(([3700, 400][id as usize - 1], 10_000));
        let verdicts = unread.look(1000, four);
        assert_eq!(verdicts.iter().map(|it| it.0).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn one_address_may_hold_half() {
        let mut unread = with("1000");
        for id in 1..=3 {
            unread.note(id, "a", (200, 0), 0);
        }
        unread.note(4, "b", (390, 0), 0);
        let waiting = |id| Some((if id == 4 { 390 } else { 200 }, 0));
        let verdicts = unread.look(100, waiting);
        assert_eq!(verdicts.len(), 1);
        assert!(
            verdicts[0].0 != 4
                && verdicts[0]
                    .1
                    .contains("600 in all connections of its address")
        );
    }

    #[test]
    fn who_has_read_all_or_is_gone_is_not_looked_at() {
        let mut unread = with("10");
        assert!(unread.note(1, "a", (3000, 0), 100));
        unread.note(2, "a", (3000, 0), 100);
        assert_eq!(unread.look(102, |id| (id == 1).then_some((0, 3000))), []);
        assert!(unread.is_empty());
        assert!(!unread.note(1, "a", (3000, 0), 103), "looked just now");
        unread.forget(1);
        assert!(unread.is_empty());
    }

    #[test]
    fn amounts_are_those_of_the_config() {
        for (text, bytes) in [
            ("0", 0),
            ("512m", 512 << 20),
            (" 1.5 KB ", 1536),
            ("2g", 2 << 30),
        ] {
            assert_eq!(amount(text), Some(bytes), "{text}");
        }
        assert_eq!(amount("much"), None);
        assert_eq!(with("much").most, MOST);
        let mut none = with("0");
        none.note(1, "a", (1 << 40, 0), 0);
        assert_eq!(none.look(10_000, |_| Some((1 << 40, 0))), []);
    }
}
