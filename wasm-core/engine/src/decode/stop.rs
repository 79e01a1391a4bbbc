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

    #[test]
    fn nesting_without_end_is_told_where_it_is_too_deep() {
        assert_eq!(stop(&Format::Json, &[b'['; 100_000]), "byte 65");
        assert_eq!(stop(&Format::Cbor, &[0x81; 100_000]), "byte 65");
    }
}
