//! The handlers: a call in, an operation asked, its answer out. No decision is taken here.

pub(crate) mod block_list;
pub(crate) mod decisions;
pub(crate) mod events;
pub(crate) mod incidents;
pub(crate) mod inquiries;
pub(crate) mod runs;
pub(crate) mod system;
