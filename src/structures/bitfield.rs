//! Integers of any width from 1 to 64 bits at any place in a row of bits.

/// The form of an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Whether the highest bit is a sign.
    pub is_signed: bool,
    /// Width in bits: up to 64 with a sign, up to 63 without.
    pub bits: u32,
}

/// What becomes of a number that the form cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The upper bits are lost.
    Wrap,
    /// The nearest number that it can hold is taken.
    Saturate,
    /// Nothing is written.
    Fail,
}

/// Bytes that an integer can touch: 64 bits that begin anywhere within the first one.
const SPAN: usize = 9;

impl Form {
    /// Reads the integer whose first bit is at `offset`. Behind the end there are zeros.
    pub fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let window = u128::from_be_bytes(window(bytes, offset));
        let aligned = window << (offset % 8);
        match self.is_signed {
            true => (aligned as i128 >> (128 - self.bits)) as i64,
            false => (aligned >> (128 - self.bits)) as i64,
        }
    }

    /// Writes the lower bits of a number, the first one at `offset`. The bytes must reach that far.
    pub fn write(self, bytes: &mut [u8], offset: u64, number: i64) {
        let shift = 128 - self.bits - (offset % 8) as u32;
        let mask = (u128::MAX >> (128 - self.bits)) << shift;
        let number = ((number as u128) << shift) & mask;
        let changed = (u128::from_be_bytes(window(bytes, offset)) & !mask | number).to_be_bytes();
        let rest = &mut bytes[(offset / 8) as usize..];
        let len = rest.len().min(SPAN);
        rest[..len].copy_from_slice(&changed[..len]);
    }

    /// The number that is written for `number`, if any.
    pub fn fit(self, number: i128, overflow: Overflow) -> Option<i64> {
        let (least, most) = match self.is_signed {
            true => (-(1i128 << (self.bits - 1)), (1i128 << (self.bits - 1)) - 1),
            false => (0, (1i128 << self.bits) - 1),
        };
        match overflow {
            _ if (least..=most).contains(&number) => Some(number as i64),
            Overflow::Wrap => Some(self.truncate(number)),
            Overflow::Saturate => Some(number.clamp(least, most) as i64),
            Overflow::Fail => None,
        }
    }

    fn truncate(self, number: i128) -> i64 {
        let unused = 128 - self.bits;
        match self.is_signed {
            true => (number << unused >> unused) as i64,
            false => ((number as u128) << unused >> unused) as i64,
        }
    }

    /// The number that an argument of SET stands for: where there is no sign, a negative one is a very large one. So is, in
    /// Redis, one from which it is farther to the greatest number of the form than 64 bits can tell.
    pub fn taken(self, number: i64) -> i128 {
        let greatest = i64::MAX >> (64 - self.bits);
        match self.is_signed {
            true if self.bits < 64 && greatest.checked_sub(number).is_none() => {
                i128::from(number) + (1 << 64)
            }
            true => i128::from(number),
            false => i128::from(number as u64),
        }
    }
}

fn window(bytes: &[u8], offset: u64) -> [u8; 16] {
    let mut window = [0; 16];
    let start = usize::try_from(offset / 8).unwrap_or(usize::MAX);
    let rest = bytes.get(start..).unwrap_or_default();
    let len = rest.len().min(SPAN);
    window[..len].copy_from_slice(&rest[..len]);
    window
}

#[cfg(test)]
mod tests {
    use super::super::bits;
    use super::*;
    use proptest::prelude::*;

    fn forms() -> impl Strategy<Value = Form> {
        (any::<bool>(), 1u32..=64).prop_map(|(is_signed, bits)| Form {
            is_signed,
            bits: if is_signed { bits } else { bits.min(63) },
        })
    }

    #[test]
    fn borders_of_the_widest_forms() {
        let (i64_form, u63) = (
            Form {
                is_signed: true,
                bits: 64,
            },
            Form {
                is_signed: false,
                bits: 63,
            },
        );
        let above = i128::from(i64::MAX) + 1;
        assert_eq!(i64_form.fit(above, Overflow::Wrap), Some(i64::MIN));
        assert_eq!(i64_form.fit(above, Overflow::Saturate), Some(i64::MAX));
        assert_eq!(i64_form.fit(above, Overflow::Fail), None);
        assert_eq!(u63.fit(above, Overflow::Wrap), Some(0));
        assert_eq!(u63.fit(u63.taken(-1), Overflow::Saturate), Some(i64::MAX));
        assert_eq!(u63.fit(-1, Overflow::Saturate), Some(0));
        let i8_form = Form {
            is_signed: true,
            bits: 8,
        };
        let far = i8_form.taken(i64::MIN);
        assert_eq!(i8_form.fit(far, Overflow::Saturate), Some(127));
        assert_eq!(i8_form.fit(far, Overflow::Wrap), Some(0));
        assert_eq!(
            i8_form.fit(i8_form.taken(-1_000), Overflow::Saturate),
            Some(-128)
        );
    }

    proptest! {
        #[test]
        fn integers_are_rows_of_bits(
            form in forms(), offset in 0u64..200, number: i64,
            before in prop::collection::vec(any::<u8>(), 40),
        ) {
            let mut bytes = before.clone();
            form.write(&mut bytes, offset, number);
            for at in 0..before.len() as u64 * 8 {
                let inside = (offset..offset + u64::from(form.bits)).contains(&at);
                let expected = match inside {
                    true => number >> (offset + u64::from(form.bits) - 1 - at) & 1 == 1,
                    false => bits::get(&before, at),
                };
                prop_assert_eq!(bits::get(&bytes, at), expected, "bit {}", at);
            }
            prop_assert_eq!(form.read(&bytes, offset), form.truncate(i128::from(number)));
            prop_assert_eq!(Some(form.read(&bytes, offset)), form.fit(form.taken(number), Overflow::Wrap));
        }

        #[test]
        fn nothing_is_behind_the_end(form in forms(), offset: u64, bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let longer = [&bytes[..], &[0; 40]].concat();
            let near = offset % 200;
            prop_assert_eq!(form.read(&bytes, near), form.read(&longer, near));
            prop_assert_eq!(form.read(&bytes, offset | 1 << 40), 0);
        }
    }
}
