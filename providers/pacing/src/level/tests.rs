use super::*;
use crate::bucket::Budget;

const SECOND: u64 = 1_000_000_000;
const BUDGET: Budget = Budget {
    burst: 100,
    per_second: 5,
};

/// What a cloud does: a bucket of the published size that refuses what it cannot pay.
struct Server {
    tokens: f64,
    at: u64,
    served: u32,
    refused: u32,
}

impl Server {
    fn new() -> Self {
        Self {
            tokens: f64::from(BUDGET.burst),
            at: 0,
            served: 0,
            refused: 0,
        }
    }

    fn arrive(&mut self, now: u64) -> bool {
        let inflow = seconds(now.saturating_sub(self.at)) * f64::from(BUDGET.per_second);
        self.tokens = (self.tokens + inflow).min(f64::from(BUDGET.burst));
        self.at = self.at.max(now);
        let is_paid = self.tokens >= 1.0;
        if is_paid {
            self.tokens -= 1.0;
            self.served += 1;
        } else {
            self.refused += 1;
        }
        is_paid
    }
}

#[test]
fn three_hundred_creations_are_never_throttled_and_close_to_the_floor() {
    let shape = BUDGET.shape();
    let mut level = Level::new(&shape, 0);
    let mut now = 0;
    let mut arrivals = Vec::new();
    for call in 0..300_u64 {
        now = level.reserve(&shape, 1, now).at.max(now);
        // Latency between 20 and 800 ms, in no order.
        arrivals.push(now + nanos(Duration::from_millis(20 + call * 7919 % 780)));
    }
    arrivals.sort_unstable();
    let mut server = Server::new();
    for at in arrivals {
        server.arrive(at);
    }
    assert_eq!(server.refused, 0);
    let took = seconds(now);
    assert!((40.0..=44.0).contains(&took), "{took}");
}

/// The property that all rests on, whoever comes when.
#[test]
fn no_stretch_of_time_holds_more_than_the_burst_and_what_flows_in() {
    let shape = BUDGET.shape();
    let mut random = 88_172_645_463_325_252_u64;
    for _ in 0..20 {
        let mut level = Level::new(&shape, 0);
        // Eight processes, each with one turn at a time; some hurry, some dawdle, some are killed with a turn in hand.
        let mut ready = [0_u64; 8];
        let mut calls = Vec::new();
        for _ in 0..600 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let (who, now) = ready.iter().copied().enumerate().min_by_key(|(_, at)| *at).unwrap();
            let slot = level.reserve(&shape, who as u64 + 1, now);
            let pause = if random.is_multiple_of(5) {
                random % (3 * SECOND)
            } else {
                0
            };
            ready[who] = slot.at.max(now) + pause;
            if !random.is_multiple_of(50) {
                calls.push(slot.at.max(now));
            }
        }
        calls.sort_unstable();
        for (first, from) in calls.iter().enumerate() {
            for (count, until) in calls[first..].iter().enumerate() {
                let allowed = f64::from(BUDGET.burst) + seconds(until - from) * f64::from(BUDGET.per_second);
                assert!(
                    f64::from(u32::try_from(count + 1).unwrap()) <= allowed + 1e-6,
                    "{} in {}",
                    count + 1,
                    seconds(until - from)
                );
            }
        }
    }
}

#[test]
fn a_throttled_call_holds_everyone_back_and_makes_given_turns_void() {
    let shape = Budget {
        burst: 100,
        per_second: 20,
    }
    .shape();
    let mut level = Level::new(&shape, 0);
    let before = level.reserve(&shape, 1, 0);
    level.throttled(&shape, 0, 7 * SECOND, SECOND);
    level.throttled(&shape, 0, 2 * SECOND, SECOND);
    assert!(level.is_void(before) && level.is_eased(&shape, SECOND));
    let first = level.reserve(&shape, 1, SECOND);
    assert!(first.at > 7 * SECOND && first.at < 7 * SECOND + SECOND / 4, "{first:?}");
    let second = level.reserve(&shape, 2, SECOND);
    assert!(second.at > first.at && !level.is_void(second));
}

#[test]
fn a_throttled_call_cuts_the_rate_once_and_it_comes_back_evenly_and_never_beyond() {
    let shape = BUDGET.shape();
    let mut level = Level::new(&shape, 0);
    // Ten calls under way are all refused: that is news once.
    for call in 1..=10 {
        level.throttled(&shape, 0, call * SECOND / 10, SECOND);
    }
    let part = |level: &Level, at: u64| level.rate(&shape, at) / shape.per_second;
    assert!((part(&level, SECOND) - 0.25).abs() < 0.01);
    assert!((part(&level, 31 * SECOND) - 0.625).abs() < 0.01);
    assert!((part(&level, 61 * SECOND) - 1.0).abs() < 0.01);
    assert!((part(&level, 9999 * SECOND) - 1.0).abs() < f64::EPSILON);
    // What goes after that and is refused is news again.
    level.throttled(&shape, 31 * SECOND, 32 * SECOND, 32 * SECOND);
    assert!((part(&level, 32 * SECOND) - 0.16).abs() < 0.01);
    for at in 33..100 {
        level.throttled(&shape, at * SECOND, at * SECOND, at * SECOND);
    }
    assert!(level.rate(&shape, 100 * SECOND) >= shape.per_second * FLOOR);
}

#[test]
fn one_stray_refusal_among_many_calls_does_not_slow_the_rate() {
    let shape = BUDGET.shape();
    let mut level = Level::new(&shape, 0);
    for _ in 0..90 {
        level.reserve(&shape, 1, 0);
    }
    level.throttled(&shape, 30 * SECOND, 31 * SECOND, 30 * SECOND);
    assert!((level.rate(&shape, 31 * SECOND) - shape.per_second).abs() < f64::EPSILON);
}

#[test]
fn what_the_cloud_says_is_left_bounds_what_we_think() {
    let shape = BUDGET.shape();
    let mut level = Level::new(&shape, 0);
    level.told(&shape, 200.0, 0);
    assert!((level.tokens(&shape, 0) - 95.0).abs() < f64::EPSILON);
    level.told(&shape, 2.0, 0);
    let slots = [(); 4].map(|()| level.reserve(&shape, 1, 0).at);
    assert!(
        slots[1] < SECOND / 10 && slots[2] > SECOND / 6 && slots[3] > SECOND / 3,
        "{slots:?}"
    );
}

/// Ten machines that know nothing of each other: what the cloud answers is all they share.
#[test]
fn machines_that_share_nothing_but_the_account_come_to_share_its_rate() {
    /// A machine's calls: when the one that is next goes, or arrives.
    struct Machine {
        level: Level,
        slot: Slot,
        left: u32,
    }
    const LATENCY: u64 = SECOND / 20;
    let shape = BUDGET.shape();
    let mut machines: Vec<Machine> = (0..10)
        .map(|_| {
            let mut level = Level::new(&shape, 0);
            let slot = level.reserve(&shape, 1, 0);
            Machine { level, slot, left: 60 }
        })
        .collect();
    let mut server = Server::new();
    let mut answers: std::collections::BTreeSet<(u64, usize, u64, bool)> = std::collections::BTreeSet::new();
    let mut last = 0;
    while machines.iter().any(|machine| machine.left > 0) {
        let next = (0..10)
            .filter(|n| machines[*n].left > 0)
            .min_by_key(|n| machines[*n].slot.at);
        let next = next.unwrap();
        let goes = machines[next].slot.at;
        // Answers that come before it are heard first.
        if let Some(answer) = answers.pop_first().filter(|answer| {
            let is_first = answer.0 <= goes;
            if !is_first {
                answers.insert(*answer);
            }
            is_first
        }) {
            let (now, who, left, is_paid) = answer;
            let machine = &mut machines[who];
            if !is_paid {
                machine.left += 1;
                machine.level.throttled(&shape, left, now + SECOND / 5, now);
                machine.slot = machine.level.reserve(&shape, 1, now);
            }
            continue;
        }
        let is_paid = server.arrive(goes + LATENCY / 2);
        answers.insert((goes + LATENCY, next, goes, is_paid));
        let machine = &mut machines[next];
        machine.left -= 1;
        machine.slot = machine.level.reserve(&shape, 1, goes);
        last = goes;
    }
    let floor = BUDGET.floor(600).as_secs_f64();
    let (took, part) = (seconds(last), f64::from(server.refused) / 600.0);
    assert!(part < 0.1, "{} of 600 were refused in {took} s", server.refused);
    assert!(took < floor * 1.5, "{took} s of {floor} s, {} refused", server.refused);
}

#[test]
fn what_is_written_is_read_again_and_what_makes_no_sense_is_not() {
    let shape = BUDGET.shape();
    let clock = Clock::new();
    let mut level = Level::new(&shape, 7 * SECOND);
    level.reserve(&shape, 9, 8 * SECOND);
    level.throttled(&shape, 8 * SECOND, 9 * SECOND, 8 * SECOND);
    let mut bytes = Vec::new();
    level.encode(&mut bytes);
    let read = |bytes: &[u8], now| Level::decode(&mut Reader::of(bytes), &clock, now);
    assert_eq!(read(&bytes, 9 * SECOND), Some(level));
    assert_eq!(read(&bytes[..bytes.len() - 1], 9 * SECOND), None);
    level.at = 9999 * SECOND;
    bytes.clear();
    level.encode(&mut bytes);
    assert_eq!(read(&bytes, 9 * SECOND), None);
}
