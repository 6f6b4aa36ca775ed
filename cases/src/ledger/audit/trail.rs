//! The trail: links in a chain of hashes, and statements about it that are signed.
//!
//! A link's hash covers the link before it, so a head says everything up to it. The first link hangs on the opening, a
//! statement of what is audited and from where. Nothing here reads a server or a file.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use pgstrata_units::Lsn;
use pgstrata_wal::{RelFile, SegmentSize, Timeline};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use super::entry::{Entry, StoredColumn};

/// What each hash of a link begins with, so that it is a hash of nothing else.
const LINK_DOMAIN: &[u8] = b"pgstrata ledger chain 1\0";
/// What is signed begins with this, so that a signature is of nothing else.
const STATEMENT_DOMAIN: &[u8] = b"pgstrata ledger statement 1\0";

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// From stored bytes, if they are as many as a hash has.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Text that is not as many hexadecimal digits as are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {0} bytes in hexadecimal digits")]
pub struct BadHex(pub usize);

/// Hexadecimal digits of bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes of hexadecimal digits.
pub(super) fn from_hex<const BYTES: usize>(text: &str) -> Result<[u8; BYTES], BadHex> {
    let mut bytes = [0; BYTES];
    let digits = text.as_bytes();
    if digits.len() != 2 * BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(BadHex(BYTES));
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| BadHex(BYTES))?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| BadHex(BYTES))?;
    }
    Ok(bytes)
}

impl FromStr for Hash {
    type Err = BadHex;

    fn from_str(text: &str) -> Result<Self, BadHex> {
        from_hex(text).map(Self)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// One link: an entry in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its place, from 1, in the order of commits and within a transaction of the log.
    pub seq: u64,
    /// Where the commit record of its transaction begins.
    pub lsn: Lsn,
    /// The transaction.
    pub xid: u32,
    /// Of the entry.
    pub payload_hash: Hash,
    /// Of the link before it, or of the opening.
    pub prev_hash: Hash,
    /// Of this link.
    pub hash: Hash,
}

impl Link {
    /// What its hash should be.
    #[must_use]
    pub fn computed_hash(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(LINK_DOMAIN);
        hasher.update(self.prev_hash.0);
        hasher.update(self.seq.to_be_bytes());
        hasher.update(self.lsn.0.to_be_bytes());
        hasher.update(self.xid.to_be_bytes());
        hasher.update(self.payload_hash.0);
        Hash(hasher.finalize().into())
    }
}

/// Where a chain has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEnd {
    /// Links so far.
    pub seq: u64,
    /// The commit of the last one; the opening's position if there is none.
    pub lsn: Lsn,
    /// The hash of the last one, or of the opening.
    pub hash: Hash,
}

impl ChainEnd {
    /// The next link.
    pub fn append(&mut self, lsn: Lsn, xid: u32, entry: &Entry) -> Link {
        let unset = Hash([0; 32]);
        let (seq, payload_hash) = (self.seq + 1, entry.payload_hash());
        let mut link = Link { seq, lsn, xid, payload_hash, prev_hash: self.hash, hash: unset };
        link.hash = link.computed_hash();
        *self = Self { seq, lsn, hash: link.hash };
        link
    }
}

/// What is audited and from where: what is needed to read the entries out of the log without the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The cluster's number, as every segment carries it.
    pub system_identifier: u64,
    /// The timeline it was on.
    pub timeline: Timeline,
    /// Bytes of a segment.
    pub segment_size: u32,
    /// OID of the entries' table.
    pub relation: u32,
    /// The table's files.
    pub file: RelFile,
    /// How its rows are stored.
    pub columns: Vec<StoredColumn>,
    /// Transactions that commit from here on are audited.
    pub from: Lsn,
    /// Entries that were there before.
    pub entries_before: u64,
    /// SHA-256 of their payload hashes, by account and number.
    pub entries_before_hash: Hash,
    /// When, UTC, by the auditor's clock.
    pub opened_at: String,
}

impl Opening {
    /// The segment size, if it is one.
    #[must_use]
    pub const fn size(&self) -> Option<SegmentSize> {
        SegmentSize::new(self.segment_size)
    }
}

/// What the chain was at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Links up to here.
    pub seq: u64,
    /// The commit of the last one.
    pub lsn: Lsn,
    /// Its hash.
    pub hash: Hash,
    /// The table's files: another number after the table was rewritten.
    pub file: RelFile,
    /// When, UTC, by the auditor's clock.
    pub signed_at: String,
}

/// What can be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Said {
    /// The first statement.
    Opening(Opening),
    /// Every further one.
    Head(Head),
}

/// A statement with its place among the others and its signature: one line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// 0 for the opening, then 1, 2, 3: one that was taken out leaves a gap.
    pub number: u64,
    /// What is said.
    pub said: Said,
    /// Ed25519 over number and statement, hexadecimal.
    pub signature: String,
}

impl Statement {
    /// Signs.
    #[must_use]
    pub fn sign(number: u64, said: Said, key: &SigningKey) -> Self {
        let signature = key.sign(&signed_bytes(number, &said));
        let signature = hex(&signature.to_bytes());
        Self { number, said, signature }
    }

    /// Whether the signature is this key's. Strict: also refuses keys and signatures of small order (RFC 8032).
    #[must_use]
    pub fn is_by(&self, key: &VerifyingKey) -> bool {
        let Ok(signature) = from_hex::<64>(&self.signature) else { return false };
        key.verify_strict(&signed_bytes(self.number, &self.said), &Signature::from_bytes(&signature)).is_ok()
    }

    /// What the first link hangs on: everything that an opening says, and who signed it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(signed_bytes(self.number, &self.said));
        Hash(hasher.finalize().into())
    }
}

/// The fields have one order and one form, so the same statement gives the same bytes.
fn signed_bytes(number: u64, said: &Said) -> Vec<u8> {
    let mut bytes = STATEMENT_DOMAIN.to_vec();
    bytes.extend(number.to_be_bytes());
    serde_json::to_writer(&mut bytes, said).expect("a statement is made of numbers and text, into memory");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(amount: i64) -> Entry {
        Entry {
            account_id: 1,
            number: 1,
            transfer_id: uuid::Uuid::nil(),
            currency: 840,
            amount,
            balance: 5,
            posted_at_us: 0,
        }
    }

    #[test]
    fn a_link_says_everything_before_it() {
        let begin = ChainEnd { seq: 0, lsn: Lsn(1), hash: Hash([0; 32]) };
        let chain = |amounts: [i64; 2]| {
            let mut end = begin;
            amounts.map(|amount| end.append(Lsn(9), 7, &entry(amount)))
        };
        let [first, second] = chain([1, 2]);
        assert_eq!((second.seq, second.prev_hash), (2, first.hash));
        assert_ne!(chain([3, 2])[1].hash, second.hash, "another entry before it");
        assert_ne!(chain([2, 1])[1].hash, second.hash, "the other order");
        assert_eq!(first.computed_hash(), first.hash);
    }

    #[test]
    fn a_signature_is_of_one_statement_in_one_place_by_one_key() {
        let (ours, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let file = RelFile { tablespace: 1663, database: 5, file: 16_384 };
        let head =
            |seq| Said::Head(Head { seq, lsn: Lsn(3), hash: Hash([4; 32]), file, signed_at: "2026-01-01".to_owned() });
        let signed = Statement::sign(1, head(5), &ours);
        assert!(signed.is_by(&ours.verifying_key()) && !signed.is_by(&other.verifying_key()));
        assert!(!Statement { number: 2, ..signed.clone() }.is_by(&ours.verifying_key()));
        assert!(!Statement { said: head(6), ..signed.clone() }.is_by(&ours.verifying_key()));
        assert!(!Statement { signature: "00".repeat(64), ..signed.clone() }.is_by(&ours.verifying_key()));
        let line = serde_json::to_string(&signed).expect("json");
        assert_eq!(serde_json::from_str::<Statement>(&line).expect("what was written"), signed);
    }
}
