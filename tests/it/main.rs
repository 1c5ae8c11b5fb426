//! Tests over the public face of Sortie: the binary, its API, its files. One binary for all of them.

mod crash;

/// The binary under test.
const BINARY: &str = env!("CARGO_BIN_EXE_sortie-under-test");
