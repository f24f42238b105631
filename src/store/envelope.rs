//! The envelope of every record, and the store's own small values.
//!
//! Layout, numbers big-endian: format (1 byte), key id (4), label id (4), CRC-32C (4), payload. The
//! checksum covers the key, the nine bytes before it and the payload, so that a value that turns up
//! under another key is noticed too. Key id 0 means plain; other ids are reserved for encryption at
//! rest. Label id 0 is the default label.

use oc_core::record::{Entry, LabelId, Seq};
use oc_core::{BareJid, Time};

use crate::error::damaged;
use crate::{EventEntry, StoreError};

/// Format of envelopes written now.
const FORMAT: u8 = 1;
/// Key id of a payload that is not encrypted.
const PLAIN: u32 = 0;
const CHECKSUM_AT: usize = 9;
const HEAD_BYTES: usize = CHECKSUM_AT + 4;

/// Wraps a payload that is stored under `key`.
pub(crate) fn seal(key: &[u8], label: LabelId, payload: &[&[u8]]) -> Vec<u8> {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    let mut stored = Vec::with_capacity(HEAD_BYTES + length);
    stored.push(FORMAT);
    stored.extend_from_slice(&PLAIN.to_be_bytes());
    stored.extend_from_slice(&label.0.to_be_bytes());
    stored.extend_from_slice(&[0; 4]);
    for part in payload {
        stored.extend_from_slice(part);
    }
    let checksum = checksum(key, &stored).to_be_bytes();
    stored[CHECKSUM_AT..HEAD_BYTES].copy_from_slice(&checksum);
    stored
}

fn checksum(key: &[u8], stored: &[u8]) -> u32 {
    let crc = crc32c::crc32c(key);
    let crc = crc32c::crc32c_append(crc, &stored[..CHECKSUM_AT]);
    crc32c::crc32c_append(crc, &stored[HEAD_BYTES..])
}

/// An opened envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened<'s> {
    pub(crate) label: LabelId,
    pub(crate) payload: &'s [u8],
}

/// Checks what is stored under `key` and opens it.
pub(crate) fn open<'s>(key: &[u8], stored: &'s [u8]) -> Result<Opened<'s>, StoreError> {
    if stored.len() < HEAD_BYTES {
        return Err(damaged(key, format!("{} bytes are no record", stored.len())));
    }
    let kept = number32(&stored[CHECKSUM_AT..]);
    if kept != checksum(key, stored) {
        return Err(damaged(key, "the checksum does not match"));
    }
    if stored[0] != FORMAT {
        return Err(damaged(key, format!("format {} is not known", stored[0])));
    }
    let key_id = number32(&stored[1..]);
    if key_id != PLAIN {
        return Err(damaged(key, format!("there is no key {key_id}")));
    }
    Ok(Opened { label: LabelId(number32(&stored[5..])), payload: &stored[HEAD_BYTES..] })
}

/// A number that stands for a key and what is stored under it, in sums over all rows.
pub(crate) fn fingerprint(key: &[u8], stored: &[u8]) -> u64 {
    let kept = stored.get(CHECKSUM_AT..HEAD_BYTES).map_or(0, number32);
    let mut x = (u64::from(crc32c::crc32c(key)) << 32) | u64::from(kept);
    // splitmix64's finisher, so that sums of fingerprints do not cancel out
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The first four bytes as a number.
fn number32(bytes: &[u8]) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[..4]);
    u32::from_be_bytes(four)
}

/// The first eight bytes as a number, and the rest.
fn number64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (eight, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*eight), rest))
}

/// Where a log begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The first entry there is; `last + 1` if there is none.
    pub(crate) first: Seq,
    /// The last number given out.
    pub(crate) last: Seq,
}

impl Head {
    /// A log before its first entry.
    pub(crate) const EMPTY: Self = Self { first: Seq(1), last: Seq(0) };

    /// How many entries there are.
    pub(crate) fn entries(self) -> u64 {
        (self.last.0 + 1).saturating_sub(self.first.0)
    }

    pub(crate) fn seal(self, key: &[u8]) -> Vec<u8> {
        let parts: [&[u8]; 2] = [&self.first.0.to_be_bytes(), &self.last.0.to_be_bytes()];
        seal(key, LabelId::default(), &parts)
    }

    pub(crate) fn open(key: &[u8], stored: &[u8]) -> Result<Self, StoreError> {
        let read = |payload| {
            let (first, rest) = number64(payload)?;
            let (last, rest) = number64(rest)?;
            (rest.is_empty() && first >= 1 && last < u64::MAX && first <= last + 1)
                .then_some(Self { first: Seq(first), last: Seq(last) })
        };
        read(open(key, stored)?.payload).ok_or_else(|| damaged(key, "not the head of a log"))
    }
}

/// Payload of an entry: the moment, then the value.
pub(crate) fn seal_entry(key: &[u8], at: Time, label: LabelId, value: &[u8]) -> Vec<u8> {
    seal(key, label, &[&at.0.to_be_bytes(), value])
}

pub(crate) fn open_entry(key: &[u8], seq: Seq, stored: &[u8]) -> Result<Entry, StoreError> {
    let opened = open(key, stored)?;
    let (at, value) = number64(opened.payload).ok_or_else(|| damaged(key, "not an entry"))?;
    Ok(Entry { seq, at: Time(at), label: opened.label, value: value.to_vec() })
}

/// Payload of an event: the moment, kind NUL, subject NUL, the data.
pub(crate) fn seal_event(
    key: &[u8],
    kind: &str,
    subject: &BareJid,
    at: Time,
    data: &[u8],
) -> Vec<u8> {
    let at = at.0.to_be_bytes();
    let parts: [&[u8]; 6] = [&at, kind.as_bytes(), &[0], subject.as_str().as_bytes(), &[0], data];
    seal(key, LabelId::default(), &parts)
}

pub(crate) fn open_event(key: &[u8], number: u64, stored: &[u8]) -> Result<EventEntry, StoreError> {
    let read = |payload| {
        let (at, rest) = number64(payload)?;
        let mut parts = rest.splitn(3, |&b| b == 0);
        let kind = str::from_utf8(parts.next()?).ok()?.to_owned();
        let subject = BareJid::new(str::from_utf8(parts.next()?).ok()?).ok()?;
        Some(EventEntry { number, kind, subject, at: Time(at), data: parts.next()?.to_vec() })
    };
    read(open(key, stored)?.payload).ok_or_else(|| damaged(key, "not an event"))
}

/// What the store knows about itself; written with every commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Durable writes so far.
    pub(crate) commit: u64,
    /// Times the store was opened; the epoch of all shards.
    pub(crate) epoch: u64,
    /// Log entries ever appended.
    pub(crate) entries: u64,
    /// First event kept; `events_last + 1` if there is none.
    pub(crate) events_first: u64,
    /// Last event ever written.
    pub(crate) events_last: u64,
    /// Rows, heads and removal marks there are.
    pub(crate) rows: u64,
    /// Sum of their fingerprints.
    pub(crate) sum: u64,
}

impl Totals {
    const NUMBERS: usize = 7;

    /// The totals of an empty store.
    pub(crate) fn empty() -> Self {
        Self { events_first: 1, ..Self::default() }
    }

    fn numbers(&self) -> [u64; Self::NUMBERS] {
        [
            self.commit,
            self.epoch,
            self.entries,
            self.events_first,
            self.events_last,
            self.rows,
            self.sum,
        ]
    }

    pub(crate) fn seal(&self, key: &[u8]) -> Vec<u8> {
        let bytes: Vec<u8> = self.numbers().iter().flat_map(|n| n.to_be_bytes()).collect();
        seal(key, LabelId::default(), &[&bytes])
    }

    pub(crate) fn open(key: &[u8], stored: &[u8]) -> Result<Self, StoreError> {
        let mut rest = open(key, stored)?.payload;
        let mut numbers = [0; Self::NUMBERS];
        for number in &mut numbers {
            (*number, rest) = number64(rest).ok_or_else(|| damaged(key, "not the totals"))?;
        }
        let [commit, epoch, entries, events_first, events_last, rows, sum] = numbers;
        Ok(Self { commit, epoch, entries, events_first, events_last, rows, sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_an_envelope_is_noticed() {
        let key = b"some key";
        let stored = seal(key, LabelId(3), &[b"some ", b"value"]);
        let opened = open(key, &stored).expect("what was sealed opens");
        assert_eq!((opened.label, opened.payload), (LabelId(3), b"some value".as_slice()));
        for bit in 0..stored.len() * 8 {
            let mut bad = stored.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(key, &bad).is_err(), "bit {bit}");
        }
        assert!(open(b"some kez", &stored).is_err(), "a value under another key");
        for length in 0..stored.len() {
            assert!(open(key, &stored[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn small_values_read_back() {
        let head = Head { first: Seq(3), last: Seq(9) };
        assert_eq!(Head::open(b"h", &head.seal(b"h")).expect("a head"), head);
        assert_eq!((head.entries(), Head::EMPTY.entries()), (7, 0));
        let backwards = Head { first: Seq(9), last: Seq(3) };
        assert!(Head::open(b"h", &backwards.seal(b"h")).is_err());
        let totals = Totals { commit: 1, epoch: 2, entries: 3, rows: 6, sum: 7, ..Totals::empty() };
        assert_eq!(Totals::open(b"m", &totals.seal(b"m")).expect("totals"), totals);
        let subject = BareJid::new("a@b").expect("a JID");
        let stored = seal_event(b"e", "account.removed", &subject, Time(5), b"\0x\0");
        let event = open_event(b"e", 4, &stored).expect("an event");
        assert_eq!((event.number, event.kind.as_str(), event.at), (4, "account.removed", Time(5)));
        assert_eq!((event.subject, event.data.as_slice()), (subject, b"\0x\0".as_slice()));
    }
}
