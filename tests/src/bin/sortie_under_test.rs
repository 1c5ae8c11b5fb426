//! The binary `sortie` as the tests of this package build it. `SORTIE_TEST_KILL_AT=after:7` makes it
//! kill itself at its seventh write; without it, it is the product.

use std::process::ExitCode;
use std::sync::Arc;

use tests::hooked::Hooked;
use tests::kill_at::KillAt;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "a seam of the test, not of the product")]
    let place = std::env::var("SORTIE_TEST_KILL_AT").ok();
    runner::cli::main_with(move |store| match place.and_then(|place| KillAt::parse(&place)) {
        Some(hook) => Arc::new(Hooked::new(store, Arc::new(hook))),
        None => store,
    })
}
