//! The binary `open-conference`: everything is in the library.

use std::process::ExitCode;

/// Memory of connections that come and go goes back to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    open_conference::cli::run()
}
