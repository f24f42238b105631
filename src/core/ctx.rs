//! The only window from a machine to the outside.

use crate::Time;

/// What a machine may know of the world at the moment it handles one input.
pub struct Ctx<'a> {
    /// The moment of the input; constant while one input is handled.
    pub now: Time,
    /// Source of unpredictable identifiers.
    pub ids: &'a mut dyn Ids,
}

impl Ctx<'_> {
    /// A fresh identifier with 128 unpredictable bits, 26 characters of lower-case base32.
    pub fn id(&mut self) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut raw = [0u8; 16];
        self.ids.fill(&mut raw);
        let mut bits = u128::from_be_bytes(raw);
        let mut out = String::with_capacity(26);
        for _ in 0..26 {
            out.push(char::from(ALPHABET[(bits & 31) as usize]));
            bits >>= 5;
        }
        out
    }
}

/// A source of random bytes. The server's is the operating system's; a test's is a counter, so that
/// a replay gives the same effects.
pub trait Ids {
    /// Fills `out` with bytes that nobody outside can predict.
    fn fill(&mut self, out: &mut [u8]);
}
