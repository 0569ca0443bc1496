//! The 24-bit access field of an entry: seconds of last use (LRU), or minutes and a logarithmic counter (LFU).

use crate::base::random;

/// LFU counter of a new key, so that it is not the first to go.
const LFU_START: u32 = 5;

/// How accesses are recorded, as of one moment.
#[derive(Debug, Clone, Copy)]
pub struct AccessClock {
    is_lfu: bool,
    /// Unix seconds.
    now: u32,
    log_factor: u32,
    /// Minutes after which a counter loses one; 0 for never.
    decay: u32,
}

impl AccessClock {
    /// A clock that records the time of last use.
    pub fn lru(now_ms: i64) -> Self {
        Self {
            is_lfu: false,
            now: (now_ms / 1000) as u32,
            log_factor: 0,
            decay: 0,
        }
    }

    /// A clock that records frequency, with `lfu-log-factor` and `lfu-decay-time`.
    pub fn lfu(now_ms: i64, log_factor: u32, decay: u32) -> Self {
        Self {
            is_lfu: true,
            now: (now_ms / 1000) as u32,
            log_factor,
            decay,
        }
    }

    /// Whether frequency is recorded.
    pub fn is_lfu(self) -> bool {
        self.is_lfu
    }

    fn minutes(self) -> u32 {
        (self.now / 60) & 0xffff
    }

    /// The field of a new entry.
    #[inline]
    pub fn fresh(self) -> u32 {
        match self.is_lfu {
            true => self.minutes() << 8 | LFU_START,
            false => self.now & 0xff_ffff,
        }
    }

    /// The field after one more access.
    #[inline]
    pub fn touched(self, field: u32) -> u32 {
        if !self.is_lfu {
            return self.now & 0xff_ffff;
        }
        let counter = self.frequency(field);
        let above_start = u64::from(counter.saturating_sub(LFU_START));
        let grows =
            counter < 255 && random::below(above_start * u64::from(self.log_factor) + 1) == 0;
        self.minutes() << 8 | (counter + u32::from(grows))
    }

    /// The LFU counter, decayed to now.
    pub fn frequency(self, field: u32) -> u32 {
        let elapsed = self.minutes().wrapping_sub(field >> 8) & 0xffff;
        let periods = elapsed.checked_div(self.decay).unwrap_or(0);
        (field & 0xff).saturating_sub(periods)
    }

    /// Minutes since the counter was last touched.
    pub fn idle_minutes(self, field: u32) -> u32 {
        self.minutes().wrapping_sub(field >> 8) & 0xffff
    }

    /// Seconds since the last access.
    pub fn idle_seconds(self, field: u32) -> u32 {
        match self.is_lfu {
            true => (self.minutes().wrapping_sub(field >> 8) & 0xffff) * 60,
            false => self.now.wrapping_sub(field) & 0xff_ffff,
        }
    }

    /// The field of an entry that is used so often, as a logarithm.
    pub fn used_often(self, frequency: u8) -> u32 {
        self.minutes() << 8 | u32::from(frequency)
    }

    /// The field of an entry that was last used so many seconds ago.
    pub fn idle_for(self, seconds: u32) -> u32 {
        self.now.wrapping_sub(seconds) & 0xff_ffff
    }
}
