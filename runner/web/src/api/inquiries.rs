//! What people are asked: listing, showing, replying.

use http::StatusCode;

use crate::problem::json;
use crate::request::{Answered, Call};
use crate::view::SayToInquiry;

pub(crate) async fn list(call: Call) -> Answered {
    let (filter, page) = (call.query.inquiry_filter()?, call.query.page()?);
    let page = call.operations().inquiries(&call.principal, filter, page).await?;
    json(StatusCode::OK, &page)
}

pub(crate) async fn show(call: Call) -> Answered {
    let id = call.id("id", "approval")?;
    let detail = call.operations().inquiry(&call.principal, id).await?;
    json(StatusCode::OK, &detail)
}

pub(crate) async fn reply(call: Call) -> Answered {
    let id = call.id("id", "approval")?;
    let said: SayToInquiry = call.json()?;
    let detail = call.operations().reply(&call.principal, id, said).await?;
    json(StatusCode::OK, &detail)
}
