//! Asking a resolver about a domain.
//!
//! Owns the question over DNS. The answers are data for a playbook; nothing connects to them.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::Resolver;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use playbooks::action_spec::ErrorKind;

use super::Door;
use crate::action::ActionError;

#[cfg(test)]
mod tests;

/// The port of resolvers.
const DNS_PORT: u16 = 53;

/// What is known of a domain. A kind without records is an empty list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// IPv4 addresses.
    pub a: Vec<IpAddr>,
    /// IPv6 addresses.
    pub aaaa: Vec<IpAddr>,
    /// Mail exchangers, best first, without those that say "no mail" (RFC 7505).
    pub mx: Vec<String>,
    /// Name servers.
    pub ns: Vec<String>,
}

impl Door {
    /// Asks the resolver of the setting `resolver` (`192.0.2.53` or with a port), or that of the
    /// machine. A domain that does not exist has no records; that is an answer.
    pub async fn records(&self, domain: &str) -> Result<Records, ActionError> {
        let resolver = self.resolver()?;
        let mut name =
            Name::from_utf8(domain).map_err(|_| ActionError::invalid("the domain is no DNS name"))?;
        name.set_fqdn(true);
        let ask = |kind| ask(&resolver, name.clone(), kind);
        let (a, aaaa, mx, ns) = futures_util::future::try_join4(
            ask(RecordType::A),
            ask(RecordType::AAAA),
            ask(RecordType::MX),
            ask(RecordType::NS),
        )
        .await?;
        let mut mx: Vec<(u16, String)> = mx
            .into_iter()
            .filter_map(|data| match data {
                RData::MX(mx) if !mx.exchange.is_root() => Some((mx.preference, plain(&mx.exchange))),
                _ => None,
            })
            .collect();
        mx.sort();
        let mut records = Records {
            a: addresses(a),
            aaaa: addresses(aaaa),
            mx: mx.into_iter().map(|(_, name)| name).collect(),
            ns: ns
                .into_iter()
                .filter_map(|data| match data {
                    RData::NS(ns) => Some(plain(&ns.0)),
                    _ => None,
                })
                .collect(),
        };
        records.a.sort();
        records.aaaa.sort();
        records.ns.sort();
        Ok(records)
    }

    fn resolver(&self) -> Result<TokioResolver, ActionError> {
        let provider = TokioRuntimeProvider::default();
        let unusable = |error: NetError| ActionError::invalid(format!("no resolver: {error}"));
        let mut builder = match self.text_setting("resolver") {
            None => Resolver::builder(provider).map_err(unusable)?,
            Some(text) => {
                let address = text
                    .parse::<SocketAddr>()
                    .or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, DNS_PORT)))
                    .map_err(|_| {
                        ActionError::invalid("the setting `resolver` is an address such as 192.0.2.53")
                    })?;
                self.names
                    .vet(text, address.ip())
                    .map_err(|denied| ActionError::policy(denied.to_string()))?;
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = address.port();
                    connection
                });
                let server = NameServerConfig::new(address.ip(), true, connections.to_vec());
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                Resolver::builder_with_config(config, provider)
            }
        };
        // What the machine believes about a name is no news about the domain.
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        builder.options_mut().cache_size = 0;
        builder.build().map_err(unusable)
    }
}

async fn ask(resolver: &TokioResolver, name: Name, kind: RecordType) -> Result<Vec<RData>, ActionError> {
    match resolver.lookup(name, kind).await {
        Ok(found) => Ok(found.answers().iter().map(|record| record.data.clone()).collect()),
        Err(error) if error.is_no_records_found() => Ok(Vec::new()),
        Err(NetError::Timeout) => Err(ActionError::new(
            ErrorKind::Timeout,
            "the resolver did not answer in time",
        )),
        Err(error) => Err(ActionError::new(
            ErrorKind::ServerError,
            format!("the resolver failed: {error}"),
        )),
    }
}

fn addresses(data: Vec<RData>) -> Vec<IpAddr> {
    data.into_iter()
        .filter_map(|data| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        })
        .collect()
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
