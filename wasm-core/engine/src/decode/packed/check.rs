//! The checks over what was packed: CRC-32 of gzip (RFC 1952 §8) and Adler-32 of zlib (RFC 1950 §8.2).

/// The polynomial of CRC-32 with its lowest power highest.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// `TABLES[n][byte]`: what a byte with `n` bytes behind it adds.
const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0_u32;
    while byte < 256 {
        let mut rest = byte;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 1 {
                rest >> 1 ^ POLYNOMIAL
            } else {
                rest >> 1
            };
            bit += 1;
        }
        tables[0][byte as usize] = rest;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = before >> 8 ^ tables[0][(before & 255) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// CRC-32, eight bytes at a time (M. E. Kounavis and F. L. Berry, "A Systematic Approach to Building High Performance
/// Software-Based CRC Generators", 2005).
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut state = u32::MAX;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk) ^ u64::from(state);
        let adds = word.to_le_bytes().into_iter().zip(TABLES.iter().rev());
        state = adds.fold(0, |sum, (byte, table)| sum ^ table[usize::from(byte)]);
    }
    for &byte in rest {
        state = state >> 8 ^ TABLES[0][usize::from(byte ^ state.to_le_bytes()[0])];
    }
    !state
}

/// Adler-32. Sums are reduced before they pass 32 bits: after 5,552 bytes, as in zlib.
pub(super) fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for chunk in bytes.chunks(5552) {
        for &byte in chunk {
            low += u32::from(byte);
            high += low;
        }
        low %= 65_521;
        high %= 65_521;
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_checks_come_out() {
        // The check value of CRC-32/ISO-HDLC, and RFC 1950's check of the same text.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        assert_eq!(adler32(&[255; 20_000]), {
            let (low, high) = (0..20_000_u64).fold((1_u64, 0_u64), |(low, high), _| {
                let low = (low + 255) % 65_521;
                (low, (high + low) % 65_521)
            });
            u32::try_from(high << 16 | low).unwrap()
        });
    }
}
