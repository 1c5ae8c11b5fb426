//! What every store must do, as one suite that any store can be put through.
//!
//! Owns the meaning of the contract where words leave room. A failed check panics and says what
//! was expected. Each check gets a store of its own, empty.
//!
//! ```ignore
//! state::conformance::run(|| async { MyStore::open() as Arc<dyn Store> }).await;
//! ```
#![expect(
    clippy::expect_used,
    reason = "a test suite: a refusal where none may be is a failed check"
)]

use std::future::Future;
use std::sync::Arc;

use crate::store::Store;

mod audit;
mod endings;
mod incidents;
mod inquiries;
mod measures;
mod runs;
pub mod samples;
mod scopes;
#[cfg(feature = "embedded")]
pub mod trial_disk;
mod turns;

/// Runs every check, each on a store of its own from `fresh`.
pub async fn run<F, Made>(fresh: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Arc<dyn Store>>,
{
    incidents::references_are_gapless(&*fresh().await).await;
    incidents::duplicates_are_counted(&*fresh().await).await;
    incidents::long_incidents_come_back(&*fresh().await).await;
    incidents::limits_are_kept(&*fresh().await).await;
    incidents::updates_are_made_once(&*fresh().await).await;
    incidents::lists_are_newest_first(&*fresh().await).await;
    runs::matches_are_decided_once(&*fresh().await).await;
    runs::once_per_attaches(&*fresh().await).await;
    turns::a_run_is_joined_instead_of_another_start(&*fresh().await).await;
    runs::a_run_started_by_hand(&*fresh().await).await;
    runs::commits_append_in_order(&*fresh().await).await;
    runs::commits_are_whole_or_nothing(&*fresh().await).await;
    endings::a_person_may_decide_about_a_run_that_is_over(&*fresh().await).await;
    runs::lists_and_short_ids(&*fresh().await).await;
    runs::plans_and_files_are_kept(&*fresh().await).await;
    measures::measures_end_or_are_lifted(&*fresh().await).await;
    measures::measures_come_with_commits(&*fresh().await).await;
    inquiries::inquiries_are_numbered_without_gaps(&*fresh().await).await;
    inquiries::an_inquiry_is_seen_by_its_entity(&*fresh().await).await;
    scopes::nobody_sees_another_entity(&*fresh().await).await;
    scopes::a_scope_opens_only_what_it_is_for(&*fresh().await).await;
    audit::the_list_is_whole_and_in_order(&*fresh().await).await;
    audit::filters_and_pages(&*fresh().await).await;
}
