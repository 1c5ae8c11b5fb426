//! Pages as a person asks for them.
//!
//! Owns going on where an answer ended early: for one answer a bounded number of entries is looked
//! at, so with a filter that fits little it may hold few rows, or none, and a place to go on from.

use std::future::Future;

use state::store::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, Page, PageRequest};
use web::operations::Answer;

use super::arguments;

/// The page that the arguments ask for, from as many answers as it takes.
pub(super) async fn full<T, F>(rows: &arguments::Page, list: impl Fn(PageRequest) -> F) -> Answer<Page<T>>
where
    F: Future<Output = Answer<Page<T>>>,
{
    let wanted = match rows.limit {
        0 => PAGE_ROWS_DEFAULT,
        limit => limit,
    };
    let mut after = rows.cursor.clone();
    let mut found = Vec::new();
    loop {
        let limit = wanted.saturating_sub(found.len());
        let page = list(PageRequest { after, limit }).await?;
        found.extend(page.rows);
        after = page.next;
        // More than is given at once is refused, so it is not put together here either.
        if after.is_none() || found.len() >= wanted.min(PAGE_ROWS_MAX) {
            return Ok(Page {
                rows: found,
                next: after,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten numbers of which three are looked at for an answer, and only the odd ones fit.
    async fn odd(page: PageRequest) -> Answer<Page<u32>> {
        let from: u32 = page.after.map_or(0, |text| text.parse().unwrap());
        let mut rows = Vec::new();
        for number in from..10 {
            if rows.len() >= page.limit || number >= from + 3 {
                let next = Some(number.to_string());
                return Ok(Page { rows, next });
            }
            rows.extend((number % 2 == 1).then_some(number));
        }
        Ok(Page { rows, next: None })
    }

    #[tokio::test]
    async fn a_page_that_ended_early_is_gone_on_with() {
        let ask = |cursor: Option<&str>, limit| arguments::Page {
            cursor: cursor.map(str::to_owned),
            limit,
        };
        let page = full(&ask(None, 4), odd).await.unwrap();
        assert_eq!((page.rows, page.next.as_deref()), (vec![1, 3, 5, 7], Some("8")));
        let page = full(&ask(Some("8"), 4), odd).await.unwrap();
        assert_eq!((page.rows, page.next), (vec![9], None));
        let page = full(&ask(None, 0), odd).await.unwrap();
        assert_eq!((page.rows, page.next), (vec![1, 3, 5, 7, 9], None));
    }
}
