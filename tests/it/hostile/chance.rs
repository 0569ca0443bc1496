//! Numbers of chance that are the same every time, and what is made of them: damaged bytes, arguments at the borders.

/// A source of chance.
pub struct Dice(pub u64);

/// Numbers at the borders of types, and texts that are nearly numbers.
pub const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "-2",
    "3",
    "10",
    "63",
    "64",
    "65",
    "127",
    "128",
    "255",
    "-128",
    "1000",
    "32767",
    "65536",
    "1000000",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "536870911",
    "536870912",
    "4611686018427387904",
    "-4611686018427387904",
    "9223372036854775807",
    "9223372036854775806",
    "-9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775",
    "9223372036854776",
    "99999999999999999999999",
    "0.5",
    "-0.0",
    "0.001",
    "1e308",
    "-1e308",
    "1e-320",
    "1e400",
    "inf",
    "-inf",
    "nan",
    "",
    "x",
];

impl Dice {
    /// A number below the end.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Bytes of any kind.
    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1))
            .map(|_| self.below(256) as u8)
            .collect()
    }

    /// Damages bytes in one of many ways.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        const TELLING: [u8; 8] = [0, 1, 0x3f, 0x7f, 0x80, 0xc3, 0xfe, 0xff];
        if bytes.is_empty() {
            return;
        }
        let at = self.below(bytes.len());
        match self.below(5) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = *self.pick(&TELLING),
            2 => bytes.insert(at, *self.pick(&TELLING)),
            3 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
}

/// How many of something an environment variable asks for.
pub fn asked(variable: &str, otherwise: usize) -> usize {
    let asked = std::env::var(variable).ok();
    asked
        .and_then(|count| count.parse().ok())
        .unwrap_or(otherwise)
}
