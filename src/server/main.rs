//! The binary `open-conference`: the command line.

fn main() {
    print!("{}", open_conference::config::default_file());
}
