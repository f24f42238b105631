//! Who owns a bare JID: 1,024 shards, the same on every machine and in every version.

use crate::BareJid;

/// Number of shards; a constant of the storage and cluster format.
pub const SHARDS: u16 = 1024;

/// One of the [`SHARDS`] parts into which bare JIDs fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// Which ownership of a shard a write belongs to; a store refuses writes of an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// The bare JID whose shard handles stanzas for `jid`.
///
/// Alias hosts (a room's call address, for example) map to the owner's address here, so that
/// everything that concerns one room or one user is handled by one machine. There is none yet.
pub fn owner_of(jid: &BareJid) -> &BareJid {
    jid
}

/// The shard of an owner: FNV-1a, 64 bit, over the JID's UTF-8 bytes, folded to [`SHARDS`].
pub fn shard_of(owner: &BareJid) -> ShardId {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in owner.as_str().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    ShardId(((hash ^ (hash >> 32)) % u64::from(SHARDS)) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_of_is_a_fixed_function() {
        let shard = |s: &str| shard_of(&BareJid::new(s).expect("a JID")).0;
        // These values are part of the storage format: they may never change.
        assert_eq!(shard("alice@example.org"), SHARD_OF_ALICE);
        assert_ne!(shard("alice@example.org"), shard("bob@example.org"));
    }

    const SHARD_OF_ALICE: u16 = 277;
}
