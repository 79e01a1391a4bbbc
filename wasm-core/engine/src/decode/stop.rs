//! Where the reading of a payload that is not of its format stopped: for whoever looks at it in quarantine. It is read once more for
//! that, without its paths.

use super::shape::Resume;
use super::sparkplug::Payload;
use super::walk::Cursor;
use super::{Format, cbor, csv, influx, json, msgpack, senml};
use crate::json::write_u64;

/// Appends `byte N`, counted from 0, where reading stops; nothing for a payload that is of its format as far as is known here.
pub fn append_stop(format: &Format, payload: &[u8], out: &mut String) {
    let body = format.body(payload);
    let left = match format {
        Format::Json | Format::Auto => left(json::Cursor::new(body), Resume::left),
        Format::Cbor => left(cbor::Cursor::new(body), Resume::left),
        Format::Msgpack => left(msgpack::Cursor::new(body), Resume::left),
        Format::Influx(precision) => left(influx::Cursor::new(body, *precision), Resume::left),
        Format::Senml if senml::is_json(body) => left(senml::Cursor::new(json::Cursor::new(body), 0.0), |cursor| {
            cursor.inner().left()
        }),
        Format::Senml => left(senml::Cursor::new(cbor::Cursor::new(body), 0.0), |cursor| {
            cursor.inner().left()
        }),
        Format::Csv(csv) => left(csv::Cursor::new(body, csv), csv::Cursor::left),
        Format::Sparkplug => Payload::left_at_error(body),
        Format::Number | Format::Binary(_) => None,
    };
    if let Some(left) = left {
        out.push_str("byte ");
        write_u64(out, (payload.len() - left) as u64);
    }
}

/// Bytes that were not read before the error, if there is one.
fn left<'a, C: Cursor<'a>>(mut cursor: C, left: impl Fn(&C) -> usize) -> Option<usize> {
    let read = cursor.pass(super::walk::DEPTH_MAX).and_then(|()| cursor.finish());
    read.is_err().then(|| left(&cursor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::csv::Csv;
    use crate::decode::influx::Precision;
    use crate::decode::{Decoded, Selection, decode};

    fn stop(format: &Format, payload: &[u8]) -> String {
        let mut out = String::new();
        append_stop(format, payload, &mut out);
        out
    }

    #[test]
    fn the_place_where_reading_stopped_is_told_in_every_format() {
        let csv = Format::Csv(Csv {
            separator: b',',
            columns: vec!["a".into(), "b".into()],
            header: false,
        });
        let influx = Format::Influx(Precision::Milliseconds);
        for (format, payload, wanted) in [
            (&Format::Json, &b"{\"a\":1,}"[..], "byte 7"),
            (&Format::Json, b"{\"a\":[1,2", "byte 9"),
            (&Format::Json, b"\xef\xbb\xbf{\"a\":x}", "byte 8"),
            (&Format::Json, b"{\"a\":1}", ""),
            (&Format::Json, b"", "byte 0"),
            (&Format::Auto, b"{\"a\" 1}", "byte 5"),
            (&Format::Cbor, b"\xa1\x61a\x1c", "byte 4"),
            (&Format::Msgpack, b"\x81\xa1a\xc1", "byte 4"),
            (&Format::Senml, b"[{\"n\":\"a\",\"v\":1},{\"n\":2}]", "byte 24"),
            (&Format::Senml, b"[{\"n\":\"a\",\"v\":}]", "byte 14"),
            (&influx, b"m f=1\nm f", "byte 9"),
            (&csv, b"1,2\n3\n", "byte 6"),
            (&Format::Sparkplug, b"\x18\x01\x12\x03\x0a\x09a", "byte 2"),
            (&Format::Sparkplug, b"\x18\x01\x12\x09a", "byte 2"),
            (&Format::Number, b"21,5", ""),
        ] {
            assert_eq!(stop(format, payload), wanted, "{}", String::from_utf8_lossy(payload));
        }
    }

    /// Whatever is done to payloads: those that are refused have a place within them, those that are taken have none.
    #[test]
    fn what_is_refused_has_a_place_and_what_is_taken_has_none() {
        let csv = Format::Csv(Csv {
            separator: b';',
            columns: Vec::new(),
            header: true,
        });
        let influx = Format::Influx(Precision::Nanoseconds);
        let good: [(&Format, &[u8]); 8] = [
            (
                &Format::Json,
                b"\xef\xbb\xbf{\"a\":[1,-2.5e3,{\"b\":null}],\"c\":\"\\u00e9\"}",
            ),
            (
                &Format::Cbor,
                b"\xa2\x61a\x19\x01\x00\x62ts\x9f\x01\xfa\x41\x20\0\0\xff",
            ),
            (
                &Format::Msgpack,
                b"\x82\xa1a\xcb@5\x80\0\0\0\0\0\xa2ts\x92\x01\xc4\x01\0",
            ),
            (
                &Format::Senml,
                b"[{\"bn\":\"dev\",\"bv\":1,\"n\":\"t\",\"v\":20,\"t\":-5},{\"n\":\"h\",\"vs\":\"x\"}]",
            ),
            (&Format::Senml, b"\x82\xa2\x21\x61d\x02\x01\xa2\x00\x61n\x02\xf9\x3c\0"),
            (
                &influx,
                b"m,host=a\\ b temp=20.5,on=true,n=7i 1790000000000\n#x\nm f=1\n",
            ),
            (&csv, b"x;\"y; z\"\r\n1.5;2\n\"3\";\n"),
            (
                &Format::Sparkplug,
                b"\x08\x07\x12\x0b\x0a\x01t\x20\x0a\x69\0\0\0\0\0\0\x18\x01",
            ),
        ];
        let mut seed = 1_u32;
        let mut below = |bound: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % bound
        };
        let (mut taken, mut refused) = (0, 0);
        for round in 0..6_000 {
            let (format, bytes) = good[round % good.len()];
            let mut bytes = bytes.to_vec();
            for _ in 0..below(3) {
                let at = below(bytes.len().max(1));
                match below(4) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, [0xff, 0, b'"', b'{', b','][below(5)]),
                    2 if !bytes.is_empty() => _ = bytes.remove(at),
                    _ if !bytes.is_empty() => bytes[at] ^= 1 << below(8),
                    _ => {}
                }
            }
            let is_taken = match format {
                Format::Sparkplug => Payload::parse(&bytes, Vec::new()).is_ok(),
                _ => decode(
                    format,
                    &bytes,
                    0.0,
                    &Selection::new(&[]).unwrap(),
                    &mut Decoded::default(),
                )
                .is_ok(),
            };
            let said = stop(format, &bytes);
            if is_taken {
                assert_eq!(said, "", "{format:?} {bytes:x?}");
                taken += 1;
            } else {
                let place: usize = said.strip_prefix("byte ").unwrap().parse().unwrap();
                assert!(place <= bytes.len(), "{format:?} {bytes:x?} {said}");
                refused += 1;
            }
        }
        assert!(taken > 1_000 && refused > 1_000, "{taken} taken, {refused} refused");
    }

    #[test]
    fn nesting_without_end_is_told_where_it_is_too_deep() {
        assert_eq!(stop(&Format::Json, &[b'['; 100_000]), "byte 65");
        assert_eq!(stop(&Format::Cbor, &[0x81; 100_000]), "byte 65");
    }
}
