//! Byte fixtures of each message, built from the manual's description; the tests against a server read real ones.

use proptest::prelude::*;

use super::*;

/// Bytes from pieces: numbers are big-endian, as on the wire.
fn bytes(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.concat()
}

fn text(value: &str) -> Vec<u8> {
    let length = i32::try_from(value.len()).expect("short");
    bytes(&[b"t", &length.to_be_bytes(), value.as_bytes()])
}

fn fixtures() -> Vec<(Vec<u8>, Message)> {
    let row = bytes(&[&3_i16.to_be_bytes(), &text("7"), b"n", b"u"]);
    let datums = vec![Datum::Text("7".to_owned()), Datum::Null, Datum::Unchanged];
    let relation = 16_385_u32.to_be_bytes();
    vec![
        (
            bytes(&[b"B", &0x1_0000_0010_u64.to_be_bytes(), &5_i64.to_be_bytes(), &742_u32.to_be_bytes()]),
            Message::Begin { final_lsn: Lsn(0x1_0000_0010), commit_time_us: 5, xid: 742 },
        ),
        (
            bytes(&[b"C\0", &16_u64.to_be_bytes(), &24_u64.to_be_bytes(), &5_i64.to_be_bytes()]),
            Message::Commit { commit_lsn: Lsn(16), end_lsn: Lsn(24), commit_time_us: 5 },
        ),
        (
            bytes(&[b"O", &9_u64.to_be_bytes(), b"elsewhere\0"]),
            Message::Origin { commit_lsn: Lsn(9), name: "elsewhere".to_owned() },
        ),
        (
            bytes(&[
                b"R",
                &relation,
                b"public\0doctors\0f",
                &2_i16.to_be_bytes(),
                b"\x01id\0",
                &23_u32.to_be_bytes(),
                &(-1_i32).to_be_bytes(),
                b"\x00name\0",
                &25_u32.to_be_bytes(),
                &(-1_i32).to_be_bytes(),
            ]),
            Message::Relation {
                oid: 16_385,
                schema: "public".to_owned(),
                name: "doctors".to_owned(),
                identity: b'f',
                columns: vec![
                    MessageColumn { in_key: true, name: "id".to_owned(), type_oid: 23 },
                    MessageColumn { in_key: false, name: "name".to_owned(), type_oid: 25 },
                ],
            },
        ),
        (
            bytes(&[b"Y", &99_u32.to_be_bytes(), b"public\0mood\0"]),
            Message::Type { oid: 99, schema: "public".to_owned(), name: "mood".to_owned() },
        ),
        (bytes(&[b"I", &relation, b"N", &row]), Message::Insert { relation: 16_385, new: datums.clone() }),
        (bytes(&[b"U", &relation, b"N", &row]), Message::Update { relation: 16_385, old: None, new: datums.clone() }),
        (
            bytes(&[b"U", &relation, b"K", &row, b"N", &row]),
            Message::Update { relation: 16_385, old: Some(OldRow::Key(datums.clone())), new: datums.clone() },
        ),
        (
            bytes(&[b"U", &relation, b"O", &row, b"N", &row]),
            Message::Update { relation: 16_385, old: Some(OldRow::Full(datums.clone())), new: datums.clone() },
        ),
        (bytes(&[b"D", &relation, b"K", &row]), Message::Delete { relation: 16_385, old: OldRow::Key(datums.clone()) }),
        (bytes(&[b"D", &relation, b"O", &row]), Message::Delete { relation: 16_385, old: OldRow::Full(datums) }),
        (
            bytes(&[b"T", &2_i32.to_be_bytes(), b"\x03", &relation, &7_u32.to_be_bytes()]),
            Message::Truncate { relations: vec![16_385, 7], cascade: true, restart_identity: true },
        ),
        (
            bytes(&[b"M\x01", &8_u64.to_be_bytes(), b"audit\0", &3_i32.to_be_bytes(), b"\x00\xFFz"]),
            Message::Emitted {
                transactional: true,
                lsn: Lsn(8),
                prefix: "audit".to_owned(),
                content: vec![0, 255, b'z'],
            },
        ),
    ]
}

#[test]
fn each_message_is_read_from_its_bytes() {
    for (bytes, expect) in fixtures() {
        assert_eq!(Message::parse(&bytes), Ok(expect));
    }
}

#[test]
fn a_message_that_ends_early_is_refused_wherever_it_ends() {
    for (bytes, message) in fixtures() {
        for length in 0..bytes.len() {
            let parsed = Message::parse(&bytes[..length]);
            assert!(matches!(parsed, Err(MessageError::Truncated { .. })), "{length} bytes of {message:?}: {parsed:?}");
        }
    }
}

#[test]
fn a_message_that_goes_on_is_refused() {
    for (mut bytes, _) in fixtures() {
        bytes.push(0);
        assert_eq!(Message::parse(&bytes), Err(MessageError::TooLong { rest: 1 }));
    }
}

#[test]
fn what_version_1_does_not_have_is_refused() {
    let stream_start = bytes(&[b"S", &1_u32.to_be_bytes(), b"\x01"]);
    let error = Message::parse(&stream_start).expect_err("a message of version 2");
    assert_eq!(error, MessageError::UnknownTag { tag: b'S', inside: "a message" });
    let binary = bytes(&[b"I", &1_u32.to_be_bytes(), b"N", &1_i16.to_be_bytes(), b"b", &0_i32.to_be_bytes()]);
    assert_eq!(Message::parse(&binary), Err(MessageError::UnknownTag { tag: b'b', inside: "a row" }));
    let negative = bytes(&[b"I", &1_u32.to_be_bytes(), b"N", &1_i16.to_be_bytes(), b"t", &(-2_i32).to_be_bytes()]);
    assert_eq!(Message::parse(&negative), Err(MessageError::BadLength { length: -2, inside: "a row" }));
    let latin = bytes(&[b"O", &1_u64.to_be_bytes(), b"caf\xE9\0"]);
    assert_eq!(Message::parse(&latin), Err(MessageError::NotUtf8 { inside: "origin" }));
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
        let _ = Message::parse(&bytes);
    }

    #[test]
    fn no_damaged_message_makes_the_parser_panic(which in 0_usize..13, at: prop::sample::Index, byte: u8) {
        let (mut bytes, _) = fixtures().swap_remove(which);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Message::parse(&bytes);
    }
}
