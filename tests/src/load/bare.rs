//! The program that somebody would write without Sortie: tokio, reqwest, the calls of `triage-5`,
//! no retries, no record but an optional line a step.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::append::GroupedFile;
use super::triage;

/// The bare program.
#[derive(Debug, Clone)]
pub struct Bare {
    client: reqwest::Client,
    base: String,
    record: Option<GroupedFile>,
}

impl Bare {
    /// A program that calls these far ends, and appends a durable line a step when it has a record.
    pub fn new(far_ends: SocketAddr, record: Option<GroupedFile>) -> io::Result<Self> {
        let tls =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .build()
            .map_err(io::Error::other)?;
        Ok(Self {
            client,
            base: format!("http://{far_ends}"),
            record,
        })
    }

    /// One job: the incident, three look-ups side by side, a condition, a block, a ticket, a message.
    pub async fn triage(&self, number: u64) -> io::Result<()> {
        let ip = triage::attacker(number);
        let alert = triage::alert(number);
        self.line("incident", &alert).await?;
        let (one, two, three) = tokio::try_join!(
            self.step("virustotal", self.get(&format!("virustotal/ip_addresses/{ip}"))),
            self.step(
                "abuseipdb",
                self.get(&format!("abuseipdb/check?ipAddress={ip}&maxAgeInDays=30"))
            ),
            self.step(
                "urlhaus",
                self.client
                    .post(format!("{}/urlhaus/host/", self.base))
                    .form(&[("host", &ip)])
            ),
        )?;
        let malicious = one.pointer("/data/attributes/last_analysis_stats/malicious");
        let score = two.pointer("/data/abuseConfidenceScore");
        let bad = malicious.and_then(Value::as_u64) > Some(3) || score.and_then(Value::as_u64) > Some(80);
        if bad {
            self.line("block", &json!({"ip": ip, "for": "24h"})).await?;
        }
        let ticket = json!({
            "type": "incident", "source": "bare", "sourceRef": number.to_string(),
            "title": format!("{ip} attacks"), "description": format!("{three}"), "severity": 2,
        });
        self.step(
            "ticket",
            self.client
                .post(format!("{}/thehive/api/v1/alert", self.base))
                .json(&ticket),
        )
        .await?;
        let message = json!({"channel_id": "duty-channel-id", "message": format!("{ip} is blocked")});
        self.step(
            "message",
            self.client
                .post(format!("{}/mattermost/api/v4/posts", self.base))
                .json(&message),
        )
        .await?;
        Ok(())
    }

    /// One call of the smallest answer.
    pub async fn ping(&self) -> io::Result<()> {
        let request = self.client.post(format!("{}/urlhaus/host/", self.base));
        let answer = request.send().await.map_err(io::Error::other)?;
        answer.bytes().await.map(drop).map_err(io::Error::other)
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}/{path}", self.base))
    }

    async fn step(&self, name: &str, request: reqwest::RequestBuilder) -> io::Result<Value> {
        let answer = request
            .header("authorization", "Bearer secret")
            .send()
            .await
            .map_err(io::Error::other)?;
        let answer: Value = answer
            .error_for_status()
            .map_err(io::Error::other)?
            .json()
            .await
            .map_err(io::Error::other)?;
        self.line(name, &answer).await?;
        Ok(answer)
    }

    async fn line(&self, step: &str, what: &Value) -> io::Result<()> {
        let Some(record) = &self.record else {
            return Ok(());
        };
        let mut line = json!({"step": step, "what": what}).to_string().into_bytes();
        line.push(b'\n');
        record.append(line).await
    }
}
