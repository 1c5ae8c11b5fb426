//! Zammad tickets, articles, tags and search, as far as a client of its API sees them.

use http::Method;
use serde_json::{Value, json};

use super::exchange::{Asked, Reply, Service};
use super::ledger::Ledger;

/// The number of the first ticket; its id is 1.
const FIRST_NUMBER: u64 = 88_123;
/// When every ticket is made.
const CREATED_AT: &str = "2026-03-02T03:04:11.000Z";

#[derive(Debug)]
struct Ticket {
    id: u64,
    body: Value,
    tags: Vec<String>,
    articles: Vec<Value>,
}

#[derive(Debug, Default)]
pub(super) struct Zammad {
    tickets: Vec<Ticket>,
    articles: u64,
}

impl Zammad {
    pub(super) fn answer(&mut self, asked: &Asked, ledger: &Ledger) -> Reply {
        if !asked.authorized(&["Token", "Bearer"]) {
            return Reply::json(401, &json!({"error": "Authentication required"}));
        }
        let parts = asked.parts();
        let (get, post) = (asked.method == Method::GET, asked.method == Method::POST);
        match parts.as_slice() {
            ["tickets"] if post => self.create(asked, ledger),
            ["tickets", "search"] => self.search(asked),
            ["tickets", id] if get => self
                .ticket(id)
                .map_or_else(missing, |ticket| Reply::json(200, &ticket.body)),
            ["tickets", id] if asked.method == Method::PUT => self.update(id, asked, ledger),
            ["ticket_articles"] if post => self.add_article(asked, ledger),
            ["ticket_articles", "by_ticket", id] if get => self
                .ticket(id)
                .map_or_else(missing, |ticket| Reply::json(200, &json!(ticket.articles))),
            ["tags"] if get => self.tags(asked),
            ["tags", "add"] if post => self.tag(asked, ledger, true),
            ["tags", "remove"] if asked.method == Method::DELETE => self.tag(asked, ledger, false),
            _ => missing(),
        }
    }

    fn ticket(&mut self, id: &str) -> Option<&mut Ticket> {
        let id: u64 = id.parse().ok()?;
        self.tickets.iter_mut().find(|ticket| ticket.id == id)
    }

    fn create(&mut self, asked: &Asked, ledger: &Ledger) -> Reply {
        let body = asked.json();
        let given = |key: &str| body.get(key).filter(|value| !value.is_null());
        let refuse = |text: &str| Reply::json(422, &json!({"error": text, "error_human": text}));
        let Some(title) = given("title")
            .and_then(Value::as_str)
            .filter(|title| !title.is_empty())
        else {
            return refuse("Missing required value for field 'title'!");
        };
        if given("group").or_else(|| given("group_id")).is_none() {
            return refuse("Group needs to exist");
        }
        if given("customer").or_else(|| given("customer_id")).is_none() {
            return refuse("Missing required value for field 'customer_id'!");
        }
        let place = u64::try_from(self.tickets.len()).unwrap_or(u64::MAX);
        let id = place.saturating_add(1);
        let number = FIRST_NUMBER.saturating_add(place).to_string();
        ledger.happened(Service::Zammad, "ticket created", &number, &asked.body);
        let articles: Vec<Value> = given("article")
            .map(|article| self.article(id, article))
            .into_iter()
            .collect();
        let article_ids: Vec<&Value> = articles.iter().filter_map(|article| article.get("id")).collect();
        let ticket = json!({
            "id": id, "number": number, "title": title, "group_id": 1, "customer_id": 3, "owner_id": 1,
            "state_id": 1, "priority_id": 2, "note": null, "article_count": articles.len(),
            "article_ids": article_ids, "created_at": CREATED_AT, "updated_at": CREATED_AT,
            "group": given("group"), "state": given("state").cloned().unwrap_or_else(|| json!("new")),
            "priority": given("priority").cloned().unwrap_or_else(|| json!("2 normal")),
        });
        self.tickets.push(Ticket {
            id,
            body: ticket.clone(),
            tags: Vec::new(),
            articles,
        });
        Reply::json(201, &ticket)
    }

    fn article(&mut self, ticket: u64, given: &Value) -> Value {
        self.articles += 1;
        let text = |key: &str| given.get(key).cloned().unwrap_or_else(|| json!(""));
        json!({
            "id": self.articles, "ticket_id": ticket, "subject": text("subject"), "body": text("body"),
            "content_type": text("content_type"), "type": text("type"), "sender": "Agent",
            "internal": given.get("internal").cloned().unwrap_or_else(|| json!(false)),
            "created_at": CREATED_AT,
        })
    }

    fn update(&mut self, id: &str, asked: &Asked, ledger: &Ledger) -> Reply {
        let Value::Object(mut changes) = asked.json() else {
            return Reply::json(422, &json!({"error": "Unprocessable Entity"}));
        };
        let Some(number) = self.ticket(id).map(|ticket| ticket.id) else {
            return missing();
        };
        let article = changes
            .remove("article")
            .map(|article| self.article(number, &article));
        let Some(ticket) = self.ticket(id) else {
            return missing();
        };
        ticket.articles.extend(article);
        if let Value::Object(body) = &mut ticket.body {
            body.extend(changes);
        }
        ledger.happened(Service::Zammad, "ticket updated", id, &asked.body);
        Reply::json(200, &ticket.body)
    }

    fn add_article(&mut self, asked: &Asked, ledger: &Ledger) -> Reply {
        let body = asked.json();
        let id = body.get("ticket_id").and_then(Value::as_u64).unwrap_or(0);
        if self.ticket(&id.to_string()).is_none() {
            return missing();
        }
        let article = self.article(id, &body);
        if let Some(ticket) = self.ticket(&id.to_string()) {
            ticket.articles.push(article.clone());
        }
        ledger.happened(
            Service::Zammad,
            "article added",
            &self.articles.to_string(),
            &asked.body,
        );
        Reply::json(201, &article)
    }

    fn tags(&mut self, asked: &Asked) -> Reply {
        let id = asked.query("o_id").unwrap_or_default().to_owned();
        let tags = self
            .ticket(&id)
            .map(|ticket| ticket.tags.clone())
            .unwrap_or_default();
        Reply::json(200, &json!({"tags": tags}))
    }

    fn tag(&mut self, asked: &Asked, ledger: &Ledger, add: bool) -> Reply {
        let body = asked.json();
        let item = body.get("item").and_then(Value::as_str).unwrap_or_default();
        let id = match body.get("o_id") {
            Some(Value::String(id)) => id.clone(),
            Some(id) => id.to_string(),
            None => String::new(),
        };
        let Some(ticket) = self.ticket(&id) else {
            return missing();
        };
        let there = ticket.tags.iter().any(|tag| tag == item);
        if add && !there {
            ticket.tags.push(item.to_owned());
            ledger.happened(Service::Zammad, "tag added", &format!("{id} {item}"), &asked.body);
        } else if !add && there {
            ticket.tags.retain(|tag| tag != item);
            ledger.happened(
                Service::Zammad,
                "tag removed",
                &format!("{id} {item}"),
                &asked.body,
            );
        }
        Reply::json(if add { 201 } else { 200 }, &json!(true))
    }

    /// `tags:"x"`, `title:"x"` or plain words, joined by `OR`.
    fn search(&self, asked: &Asked) -> Reply {
        let query = asked.query("query").unwrap_or_default();
        let terms: Vec<(&str, &str)> = query
            .split(" OR ")
            .map(|term| {
                let (field, value) = term.trim().split_once(':').unwrap_or(("", term.trim()));
                (field, value.trim_matches('"'))
            })
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let found: Vec<&Ticket> = self
            .tickets
            .iter()
            .filter(|ticket| {
                let title = ticket
                    .body
                    .get("title")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                terms.iter().any(|(field, value)| match *field {
                    "tags" => ticket.tags.iter().any(|tag| tag == value),
                    "title" => title.contains(value),
                    _ => ticket.body.to_string().contains(value),
                })
            })
            .collect();
        if asked.query("expand") == Some("true") {
            let bodies: Vec<&Value> = found.iter().map(|ticket| &ticket.body).collect();
            return Reply::json(200, &json!(bodies));
        }
        let ids: Vec<u64> = found.iter().map(|ticket| ticket.id).collect();
        Reply::json(
            200,
            &json!({"tickets": ids, "tickets_count": ids.len(), "assets": {}}),
        )
    }
}

fn missing() -> Reply {
    Reply::json(
        404,
        &json!({"error": "Couldn't find the record", "error_human": "No such object"}),
    )
}
