//! The house that knows all the rooms: configuration, intake, dispatch, the command line.
pub mod json_strict;
