//! How full a bucket is, and how fast it is spent: arithmetic without clock and lock.

use std::time::Duration;

use crate::clock::{Clock, nanos};
use crate::state::{Reader, State};

/// What was taken off comes back evenly, in this many seconds.
const RECOVERY: f64 = 60.0;
/// The least part of the published rate that is kept up.
const FLOOR: f64 = 0.05;
/// Over about so many calls it is counted how many of them were throttled.
const MEMORY: f64 = 64.0;
/// A smaller part of them is no crowd, and costs less than going slower.
const STRAY: f64 = 0.03;
/// Other processes that took a turn within this time are company.
const COMPANY: Duration = Duration::from_secs(5);
/// A moment further ahead than this was not written by us.
const HORIZON: Duration = Duration::from_hours(1);

/// The measures of a bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Tokens that it holds.
    pub(crate) burst: f64,
    /// Tokens a second that flow in.
    pub(crate) per_second: f64,
    /// Least distance of two calls, however many tokens there are, in nanoseconds.
    pub(crate) spacing: u64,
    /// The part of the rate that is used while other processes use the bucket too.
    pub(crate) in_company: f64,
    /// After a throttled call the rate is this part of what it was.
    pub(crate) cut: f64,
    /// Tokens in a bucket that nobody has used.
    pub(crate) at_first: f64,
}

/// Moments are nanoseconds of the machine's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// Below zero, so many turns are given away that are still to come.
    tokens: f64,
    /// When `tokens` was true; in the future while a pause lasts.
    at: u64,
    last_slot: u64,
    /// The part of the published rate that was kept at `eased_at`, and from which it grows again.
    ease: f64,
    eased_at: u64,
    /// Turns of another generation than this are void.
    generation: u64,
    /// Calls, and throttled ones, of late.
    calls: f64,
    throttles: f64,
    /// Who took the last turn.
    owner: u64,
    company_until: u64,
}

/// A turn that was given away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// When to go.
    pub(crate) at: u64,
    pub(crate) generation: u64,
}

impl Level {
    pub(crate) fn new(shape: &Shape, now: u64) -> Self {
        Self {
            tokens: shape.at_first,
            at: now,
            last_slot: 0,
            ease: 1.0,
            eased_at: now,
            generation: 0,
            calls: 0.0,
            throttles: 0.0,
            owner: 0,
            company_until: 0,
        }
    }

    /// The part of the published rate that is used at a moment.
    fn ease(&self, shape: &Shape, at: u64) -> f64 {
        let since = seconds(at.saturating_sub(self.eased_at));
        (self.ease + self.ease * (1.0 / shape.cut - 1.0) * since / RECOVERY).min(1.0)
    }

    /// Calls a second that are made at a moment.
    pub(crate) fn rate(&self, shape: &Shape, at: u64) -> f64 {
        let company = if self.company_until > at { shape.in_company } else { 1.0 };
        shape.per_second * self.ease(shape, at) * company
    }

    /// Whether the cloud has said of late that it is too much.
    pub(crate) fn is_eased(&self, shape: &Shape, now: u64) -> bool {
        self.at > now || self.ease(shape, now) < 1.0
    }

    fn refill(&mut self, shape: &Shape, now: u64) {
        if now > self.at {
            let inflow = seconds(now - self.at) * self.rate(shape, self.at);
            self.tokens = (self.tokens + inflow).min(shape.burst);
            self.at = now;
        }
    }

    /// Gives the next turn away.
    pub(crate) fn reserve(&mut self, shape: &Shape, owner: u64, now: u64) -> Slot {
        if self.owner != owner && self.owner != 0 && now < self.last_slot + nanos(COMPANY) {
            self.company_until = now + nanos(COMPANY);
        }
        self.owner = owner;
        self.refill(shape, now);
        self.tokens -= 1.0;
        let missing = (-self.tokens).max(0.0) / self.rate(shape, self.at);
        let paid = self.at + nanos(Duration::from_secs_f64(missing));
        // While a pause lasts, `at` is its end.
        let paid = if self.tokens < 0.0 { paid } else { self.at.max(now) };
        let slot = paid.max(self.last_slot.saturating_add(shape.spacing));
        self.last_slot = slot;
        self.calls = self.calls * (1.0 - 1.0 / MEMORY) + 1.0;
        self.throttles *= 1.0 - 1.0 / MEMORY;
        Slot {
            at: slot,
            generation: self.generation,
        }
    }

    pub(crate) fn is_void(&self, slot: Slot) -> bool {
        self.generation != slot.generation
    }

    /// The cloud throttled a call that went at `left`: others spend the budget too. Nobody goes before `until`.
    pub(crate) fn throttled(&mut self, shape: &Shape, left: u64, until: u64, now: u64) {
        self.generation += 1;
        self.tokens = 0.0;
        self.at = self.at.max(until).max(now);
        self.last_slot = self.last_slot.min(now);
        self.throttles += 1.0;
        // What went before the last decrease says nothing of the rate since.
        let is_news = left >= self.eased_at;
        if is_news && self.throttles > self.calls * STRAY {
            self.ease = (self.ease(shape, now) * shape.cut).max(FLOOR);
            self.eased_at = self.at;
        }
    }

    /// The cloud says how many calls it has left, in its own bucket.
    pub(crate) fn told(&mut self, shape: &Shape, left: f64, now: u64) {
        self.refill(shape, now);
        self.tokens = self.tokens.min(left);
    }

    /// Tokens at a moment.
    pub(crate) fn tokens(mut self, shape: &Shape, now: u64) -> f64 {
        self.refill(shape, now);
        if self.at > now { 0.0 } else { self.tokens }
    }
}

impl State for Level {
    fn distrust(&mut self, now: u64) {
        self.tokens = 0.0;
        self.at = now;
    }

    fn encode(&self, into: &mut Vec<u8>) {
        for number in [self.tokens, self.ease, self.calls, self.throttles] {
            into.extend(number.to_le_bytes());
        }
        for number in [
            self.at,
            self.last_slot,
            self.eased_at,
            self.generation,
            self.owner,
            self.company_until,
        ] {
            into.extend(number.to_le_bytes());
        }
    }

    fn decode(bytes: &mut Reader<'_>, _: &Clock, now: u64) -> Option<Self> {
        let level = Self {
            tokens: bytes.float()?,
            ease: bytes.float()?,
            calls: bytes.float()?,
            throttles: bytes.float()?,
            at: bytes.number()?,
            last_slot: bytes.number()?,
            eased_at: bytes.number()?,
            generation: bytes.number()?,
            owner: bytes.number()?,
            company_until: bytes.number()?,
        };
        let horizon = now.saturating_add(nanos(HORIZON));
        let moments = [level.at, level.last_slot, level.eased_at, level.company_until];
        let is_sane = level.tokens.abs() < 1e6
            && (FLOOR..=1.0).contains(&level.ease)
            && (0.0..1e6).contains(&level.calls)
            && (0.0..1e6).contains(&level.throttles)
            && moments.iter().all(|moment| *moment <= horizon);
        is_sane.then_some(level)
    }
}

fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

#[cfg(test)]
mod tests;
