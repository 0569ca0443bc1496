//! Integers without a bound: the few operations by which decimal text becomes a float and back.

/// Ten to this power is the greatest that fits a limb.
const LIMB_DIGITS: usize = 19;

/// A natural number: 64-bit limbs from the lowest to the highest, the highest one not zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Big(Vec<u64>);

impl From<u64> for Big {
    fn from(value: u64) -> Self {
        Self(if value == 0 { Vec::new() } else { vec![value] })
    }
}

impl Big {
    /// Reads decimal digits.
    pub fn from_decimal(digits: &[u8]) -> Self {
        let mut big = Self(Vec::with_capacity(digits.len() / LIMB_DIGITS + 1));
        for chunk in digits.chunks(LIMB_DIGITS) {
            let value = chunk
                .iter()
                .fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
            big.multiply_add(10u64.pow(chunk.len() as u32), value);
        }
        big
    }

    /// Ten to the power of `exponent`.
    pub fn power_of_ten(exponent: u32) -> Self {
        let limbs = exponent / LIMB_DIGITS as u32;
        let mut big = Self::from(10u64.pow(exponent % LIMB_DIGITS as u32));
        for _ in 0..limbs {
            big.multiply_add(10u64.pow(LIMB_DIGITS as u32), 0);
        }
        big
    }

    /// Whether the number is zero.
    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bits the number has, from the highest one set.
    pub fn length(&self) -> u32 {
        match self.0.last() {
            Some(top) => self.0.len() as u32 * 64 - top.leading_zeros(),
            None => 0,
        }
    }

    fn multiply_add(&mut self, factor: u64, mut carry: u64) {
        for limb in &mut self.0 {
            let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            (*limb, carry) = (product as u64, (product >> 64) as u64);
        }
        if carry > 0 {
            self.0.push(carry);
        }
    }

    /// The product.
    pub fn times(&self, other: &Self) -> Self {
        let mut limbs = vec![0u64; self.0.len() + other.0.len()];
        for (at, &factor) in other.0.iter().enumerate() {
            let mut carry = 0;
            for (limb, &own) in limbs[at..].iter_mut().zip(&self.0) {
                let sum = u128::from(own) * u128::from(factor) + u128::from(*limb) + carry;
                (*limb, carry) = (sum as u64, sum >> 64);
            }
            limbs[at + self.0.len()] = carry as u64;
        }
        Self(limbs).trimmed()
    }

    /// The number times two to the power of `bits`.
    pub fn shifted_left(&self, bits: u32) -> Self {
        let mut limbs = vec![0; (bits / 64) as usize];
        let bits = bits % 64;
        let mut carry = 0;
        for &limb in &self.0 {
            let shifted = u128::from(limb) << bits | carry;
            limbs.push(shifted as u64);
            carry = shifted >> 64;
        }
        limbs.push(carry as u64);
        Self(limbs).trimmed()
    }

    /// Doubles the number.
    pub fn double(&mut self) {
        let mut carry = 0;
        for limb in &mut self.0 {
            (*limb, carry) = (*limb << 1 | carry, *limb >> 63);
        }
        if carry > 0 {
            self.0.push(carry);
        }
    }

    /// Takes another number away, where it is not greater; says whether it was.
    pub fn subtract(&mut self, other: &Self) -> bool {
        let is_less = self.0.len() < other.0.len()
            || (self.0.len() == other.0.len() && self.0.iter().rev().lt(other.0.iter().rev()));
        if is_less {
            return false;
        }
        let mut borrow = false;
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        for (limb, other) in self.0.iter_mut().zip(others) {
            let (difference, first) = limb.overflowing_sub(other);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (difference, first || second);
        }
        self.trim();
        true
    }

    /// The highest 128 bits, how many lower ones were left out, and whether one of those is set.
    pub fn high_bits(&self) -> (u128, u32, bool) {
        let dropped = self.length().saturating_sub(128);
        let (limbs, bits) = ((dropped / 64) as usize, dropped % 64);
        let limb = |at: usize| u128::from(self.0.get(limbs + at).copied().unwrap_or(0));
        let low = limb(0) >> bits;
        let high = (limb(1) | limb(2) << 64) << (64 - bits);
        let rest = self.0[..limbs.min(self.0.len())]
            .iter()
            .any(|&limb| limb != 0);
        (
            low | high,
            dropped,
            rest || limb(0) & ((1 << bits) - 1) != 0,
        )
    }

    /// Decimal digits.
    pub fn to_decimal(&self) -> String {
        let (mut rest, mut chunks) = (self.clone(), Vec::new());
        while !rest.is_zero() {
            let mut remainder = 0u128;
            for limb in rest.0.iter_mut().rev() {
                let value = remainder << 64 | u128::from(*limb);
                let divisor = 10u128.pow(LIMB_DIGITS as u32);
                (*limb, remainder) = ((value / divisor) as u64, value % divisor);
            }
            rest.trim();
            chunks.push(remainder as u64);
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:019}"));
        }
        text
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn trimmed(mut self) -> Self {
        self.trim();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn big(value: u128) -> Big {
        Big::from_decimal(value.to_string().as_bytes())
    }

    #[test]
    fn long_texts_come_back() {
        let digits = "98765432109876543210".repeat(250);
        let number = Big::from_decimal(digits.as_bytes());
        assert_eq!(number.to_decimal(), digits);
        assert_eq!(
            Big::power_of_ten(40).to_decimal(),
            format!("1{}", "0".repeat(40))
        );
        assert_eq!(Big::from(0).to_decimal(), "0");
    }

    proptest! {
        #[test]
        fn arithmetic_agrees_with_that_of_128_bits(one: u64, other: u64, bits in 0u32..64) {
            let (wide, wide_other) = (u128::from(one), u128::from(other));
            prop_assert_eq!(big(wide).times(&big(wide_other)), big(wide * wide_other));
            prop_assert_eq!(big(wide).shifted_left(bits), big(wide << bits));
            prop_assert_eq!(big(wide << bits).length(), 128 - (wide << bits).leading_zeros());
            let mut double = big(wide);
            double.double();
            prop_assert_eq!(double, big(wide * 2));
            let mut difference = big(wide * 3);
            prop_assert_eq!(difference.subtract(&big(wide_other)), wide * 3 >= wide_other);
            prop_assert_eq!(difference, big(wide.wrapping_mul(3).checked_sub(wide_other).unwrap_or(wide * 3)));
        }

        #[test]
        fn high_bits_are_the_highest(value: u128, shift in 0u32..300, low in 0u64..4) {
            prop_assume!(value >> 127 == 1);
            let mut number = big(value).shifted_left(shift);
            if shift >= 64 && low > 0 {
                number.0[0] |= low;
                prop_assert_eq!(number.high_bits(), (value, shift, true));
            } else {
                prop_assert_eq!(number.high_bits(), (value, shift, false));
            }
        }
    }
}
