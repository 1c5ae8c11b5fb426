//! Several ordered lists of the index read as one.

use std::collections::VecDeque;

use sled::IVec;

use super::{Index, keys};
use crate::store::StoreError;

/// Rows read ahead of all lists together, and of each at least.
const AHEAD: usize = 128;
const AHEAD_EACH: usize = 8;

#[derive(Debug)]
struct List {
    prefix: Vec<u8>,
    ahead: VecDeque<(u64, IVec)>,
    /// Where reading goes on; none at the end.
    from: Option<Vec<u8>>,
}

/// Lists whose keys are a prefix and eight bytes, merged by those eight bytes, ascending.
#[derive(Debug)]
pub(crate) struct Merged<'a> {
    index: &'a Index,
    lists: Vec<List>,
    ahead: usize,
}

impl<'a> Merged<'a> {
    /// The lists under these prefixes, from a sort number on.
    pub(crate) fn new(index: &'a Index, prefixes: Vec<Vec<u8>>, from: u64) -> Self {
        let ahead = (AHEAD / prefixes.len().max(1)).max(AHEAD_EACH);
        let lists = prefixes
            .into_iter()
            .map(|prefix| List {
                from: Some(keys::key(&[&prefix, &keys::ascending(from)])),
                prefix,
                ahead: VecDeque::new(),
            })
            .collect();
        Self { index, lists, ahead }
    }

    /// The next row: which list, its sort number, its value.
    pub(crate) fn next(&mut self) -> Result<Option<(usize, u64, IVec)>, StoreError> {
        let mut least: Option<(u64, usize)> = None;
        for (place, list) in self.lists.iter_mut().enumerate() {
            list.fill(self.index, self.ahead)?;
            if let Some((number, _)) = list.ahead.front()
                && least.is_none_or(|(other, _)| *number < other)
            {
                least = Some((*number, place));
            }
        }
        let row = least.and_then(|(number, place)| {
            let (_, value) = self.lists.get_mut(place)?.ahead.pop_front()?;
            Some((place, number, value))
        });
        Ok(row)
    }
}

impl List {
    fn fill(&mut self, index: &Index, ahead: usize) -> Result<(), StoreError> {
        if !self.ahead.is_empty() {
            return Ok(());
        }
        let Some(from) = self.from.take() else {
            return Ok(());
        };
        let entries = index.entries(&self.prefix, &from, ahead)?;
        self.from = entries.last().map(|(key, _)| keys::key(&[key, &[0]]));
        for (key, value) in entries {
            let number = key
                .get(self.prefix.len()..)
                .and_then(|rest| Some(u64::from_be_bytes(rest.try_into().ok()?)));
            let number = number.ok_or_else(|| super::damaged_key(&key, "it is not a row of a list"))?;
            self.ahead.push_back((number, value));
        }
        Ok(())
    }
}
