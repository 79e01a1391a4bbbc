//! Decimal text to binary64, correctly rounded, without allocating: the common short number by one exact multiplication
//! or division (W. D. Clinger, "How to Read Floating Point Numbers Accurately", 1990), the rest by the standard library.

use crate::json::number_length;

/// Powers of ten that binary64 holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// The JSON number that `bytes` begins with, and its length. `None` when there is none; infinite when it is too large.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<(f64, usize)> {
    short(bytes).or_else(|| {
        let length = number_length(bytes)?;
        Some((core::str::from_utf8(&bytes[..length]).ok()?.parse().ok()?, length))
    })
}

/// Digits in front of `bytes`: the number they are, added to `sum`, and what stands behind them. Eight at a time, side by side
/// (D. Lemire, "Quickly parsing eight digits", 2018); where there are too many the sum is of no meaning.
fn digits(mut bytes: &[u8], mut sum: u64) -> (u64, &[u8]) {
    while let Some((chunk, rest)) = bytes.split_first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        // Digits are the bytes from 0x30 to 0x39: their high half is 3, also of what is 6 more.
        let high = word & 0xf0f0_f0f0_f0f0_f0f0;
        let more = word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0;
        if high | more >> 4 != 0x3333_3333_3333_3333 {
            break;
        }
        let word = word & 0x0f0f_0f0f_0f0f_0f0f;
        let pairs = (word.wrapping_mul(10).wrapping_add(word >> 8)) & 0x00ff_00ff_00ff_00ff;
        let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
        let eight = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff;
        sum = sum.wrapping_mul(100_000_000).wrapping_add(eight);
        bytes = rest;
    }
    while let Some((&byte, rest)) = bytes.split_first()
        && byte.is_ascii_digit()
    {
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        bytes = rest;
    }
    (sum, bytes)
}

/// A number of at most 18 digits without an exponent whose digits fit 53 bits; `None` leaves it to the slow way.
fn short(bytes: &[u8]) -> Option<(f64, usize)> {
    let (negative, text) = match bytes.split_first()? {
        (b'-', text) => (true, text),
        _ => (false, bytes),
    };
    let (mut sum, mut rest) = digits(text, 0);
    let whole = text.len() - rest.len();
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return None;
    }
    let mut fraction = 0;
    if let Some((b'.', behind)) = rest.split_first() {
        (sum, rest) = digits(behind, sum);
        fraction = behind.len() - rest.len();
        if fraction == 0 {
            return None;
        }
    }
    if whole + fraction > 18 || sum > 1 << 53 || matches!(rest.first(), Some(b'e' | b'E')) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 2^53: exact")]
    let mut value = sum as f64;
    if fraction > 0 {
        value /= POWERS[fraction];
    }
    Some((if negative { -value } else { value }, bytes.len() - rest.len()))
}

/// The integer that `text` is, without a plus sign.
#[must_use]
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, figures) = match text.split_first()? {
        (b'-', figures) => (true, figures),
        (b'+', _) => return None,
        _ => (false, text),
    };
    let (size, rest) = digits(figures, 0);
    // 19 digits fit 64 bits without a sign.
    match i64::try_from(size) {
        Ok(size) if figures.len() <= 19 => {
            (rest.is_empty() && !figures.is_empty()).then_some(if negative { -size } else { size })
        }
        _ => core::str::from_utf8(text).ok()?.parse().ok(),
    }
}

/// The finite number that `bytes` are as a whole, spaces around it aside; also forms that JSON does not know, such as
/// `+21.5` or `007`.
#[must_use]
pub fn whole(bytes: &[u8]) -> Option<f64> {
    match short(bytes) {
        Some((value, length)) if length == bytes.len() => Some(value),
        _ => long(bytes.trim_ascii()),
    }
}

fn long(text: &[u8]) -> Option<f64> {
    let strict = read(text)
        .filter(|&(_, length)| length == text.len())
        .map(|(value, _)| value);
    let value = strict.or_else(|| {
        let digits = text.iter().any(u8::is_ascii_digit) && text.len() <= 64;
        digits.then(|| core::str::from_utf8(text).ok()?.parse().ok())?
    })?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_numbers_take_the_fast_way_and_are_exact() {
        for text in [
            "0",
            "-0.0",
            "21.5",
            "-273.15",
            "1732192800123",
            "0.1",
            "9007199254740992",
        ] {
            let (value, length) = short(text.as_bytes()).unwrap();
            assert_eq!(
                (value.to_bits(), length),
                (text.parse::<f64>().unwrap().to_bits(), text.len()),
                "{text}"
            );
        }
    }

    #[test]
    fn whole_takes_spaces_and_signs_and_refuses_the_rest() {
        assert_eq!(whole(b" +21.5\n"), Some(21.5));
        assert_eq!(whole(b"007"), Some(7.0));
        for text in ["", "nan", "inf", "1e999", "1 2", "21,5", "infinity1"] {
            assert_eq!(whole(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_rounded_as_the_standard_library_rounds(text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?") {
            let (value, length) = read(text.as_bytes()).unwrap();
            prop_assert_eq!(length, text.len());
            prop_assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits());
        }

        #[test]
        fn integers_are_those_of_the_standard_library(text in "-?[0-9]{0,22}[-+ .x]?", any in any::<i64>()) {
            prop_assert_eq!(integer(text.as_bytes()), text.parse().ok());
            prop_assert_eq!(integer(any.to_string().as_bytes()), Some(any));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = (read(&bytes), whole(&bytes));
        }
    }
}
