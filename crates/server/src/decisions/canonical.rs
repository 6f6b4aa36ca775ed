//! JSON in one form: keys in the order of their bytes, no blanks. What is the same has the same text, and the same hash.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The value in its one form (in the manner of RFC 8785; numbers as `serde_json` prints them).
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// The SHA-256 of a text as 64 hexadecimal digits.
#[must_use]
pub fn content_id(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether a text can be such an id.
#[must_use]
pub fn is_content_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_bytes());
            text.push('{');
            for (place, (key, value)) in entries.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write(value, text);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_and_blanks_do_not_matter() {
        let one: Value = serde_json::from_str(r#"{"b":[1, {"z":null,"a":"é\n"}], "a":1.5}"#).expect("JSON");
        let other: Value = serde_json::from_str(r#"{"a":1.5,"b":[1,{"a":"\u00e9\n","z":null}]}"#).expect("JSON");
        assert_eq!(canonical(&one), r#"{"a":1.5,"b":[1,{"a":"é\n","z":null}]}"#);
        assert_eq!(content_id(&canonical(&one)), content_id(&canonical(&other)));
    }

    #[test]
    fn the_hash_is_the_one_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        let expect = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(content_id("abc"), expect);
        assert!(is_content_id(expect) && !is_content_id(&expect.to_uppercase()) && !is_content_id("abc"));
    }
}
