//! `[store]`: what is kept on disk.

use super::section::section;
use super::value::{GIB, Location, MIB, Size, choice};

choice! {
    /// What keeps the data.
    Engine {
        /// fjall: the default.
        Fjall = "fjall",
        /// sled: the other embedded engine.
        Sled = "sled",
        /// Nothing: gone when the server stops.
        Memory = "memory",
    }
}

section! {
    /// What is kept on disk: contacts, messages for people who are away, and what clients store.
    Store = "store" {
        /// What keeps it. "sled" is not power-safe: what it acknowledged may be gone after a power
        /// cut. "memory" forgets everything when the server stops.
        restart engine: Engine = Engine::Fjall;
        /// The data directory; it also holds the identity service's database, certificates that the
        /// server made itself, and the command socket.
        restart path: Location = Location::new("/var/lib/open-conference");
        /// Memory for data that was read lately.
        restart cache: Size<{ 4 * MIB }, { 64 * GIB }> = Size::of(64 * MIB);
    }
}
