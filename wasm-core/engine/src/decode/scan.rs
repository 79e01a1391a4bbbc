//! Bytes passed over eight at a time, the same in every build.

/// A byte in each of eight places.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// How many bytes of a string are passed over before its end, an escape or what must not stand there; `None`: all. Eight bytes at
/// a time: in the differences below the highest bit of a byte is set where it is one of these (S. E. Anderson, "Bit Twiddling Hacks"); a borrow
/// may set it in later bytes too, so the first counts.
pub(super) fn plain(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let zero = |word: u64| word.wrapping_sub(each(1)) & !word;
        let control = word.wrapping_sub(each(0x20)) & !word;
        let stops = (control | zero(word ^ each(b'"')) | zero(word ^ each(b'\\'))) & each(0x80);
        if stops != 0 {
            return Some(at + (stops.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let stop = |&byte: &u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    bytes[at..].iter().position(stop).map(|rest| at + rest)
}

/// How many bytes two texts have in common from their beginning.
pub(super) fn same(one: &[u8], other: &[u8]) -> usize {
    let mut at = 0;
    let (mut left, mut right) = (one, other);
    while let (Some((a, more_left)), Some((b, more_right))) = (left.split_first_chunk(), right.split_first_chunk()) {
        let differs = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differs != 0 {
            return at + (differs.trailing_zeros() / 8) as usize;
        }
        at += 8;
        (left, right) = (more_left, more_right);
    }
    at + left.iter().zip(right).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn eight_bytes_at_a_time_stop_where_one_at_a_time_does(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0_usize..40, stop in prop::sample::select(vec![b'"', b'\\', 0x1f, 0, 0x20, 0x80, 0x9f, 0xa2])) {
            let mut bytes: Vec<u8> = bytes.iter().map(|byte| byte | 0x40).collect();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = stop;
            }
            let stops = |&byte: &u8| byte < 0x20 || byte == b'"' || byte == b'\\';
            prop_assert_eq!(plain(&bytes), bytes.iter().position(stops));
        }

        #[test]
        fn what_is_the_same_ends_where_the_first_byte_differs(one in prop::collection::vec(0_u8..3, 0..40), other in prop::collection::vec(0_u8..3, 0..40), shared in 0_usize..40) {
            let mut other = other;
            let shared = shared.min(one.len()).min(other.len());
            other[..shared].copy_from_slice(&one[..shared]);
            prop_assert_eq!(same(&one, &other), one.iter().zip(&other).take_while(|(a, b)| a == b).count());
        }
    }
}
