//! What was acknowledged is there: after crashes at every boundary, on full and failing disks,
//! with damaged files, and with the index gone.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test: a refusal where none may be is a failure"
)]

mod crash;
mod damage;
mod failing;
mod folder;
mod model;
mod workload;
