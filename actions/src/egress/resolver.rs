//! Names to addresses, vetted.
//!
//! Owns that a name is denied when any of its addresses is. What it hands out is what the client
//! connects to, so a second answer cannot differ from the one that was vetted.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::refusal;

/// Where names are asked.
#[async_trait]
pub(crate) trait NameService: Send + Sync + std::fmt::Debug {
    /// Every address of a name.
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
#[derive(Debug)]
pub(crate) struct SystemNames;

#[async_trait]
impl NameService for SystemNames {
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// An address that our policy forbids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} is or leads to a {what} address, which this connection may not reach")]
pub(crate) struct Denied {
    /// The name or literal.
    pub(crate) host: String,
    /// What kind of address.
    pub(crate) what: &'static str,
}

/// Why a name gave no address to connect to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameError {
    /// Our policy.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Nothing was found.
    #[error("the name {0} was not found")]
    NotFound(String),
}

/// The resolver of one connection.
#[derive(Debug, Clone)]
pub(crate) struct VettedNames {
    names: Arc<dyn NameService>,
    allow_private: bool,
}

impl VettedNames {
    /// A resolver that hands out only what the policy allows.
    pub(crate) fn new(names: Arc<dyn NameService>, allow_private: bool) -> Self {
        Self { names, allow_private }
    }

    /// Refuses a literal or connected address that the policy forbids.
    pub(crate) fn vet(&self, host: &str, address: IpAddr) -> Result<(), Denied> {
        refusal(address, self.allow_private).map_or(Ok(()), |what| {
            Err(Denied {
                host: host.to_owned(),
                what,
            })
        })
    }

    /// Every address of a name, if all of them are allowed.
    pub(crate) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NameError> {
        let found = self
            .names
            .addresses(name)
            .await
            .map_err(|_| NameError::NotFound(name.to_owned()))?;
        for address in &found {
            self.vet(name, *address)?;
        }
        if found.is_empty() {
            return Err(NameError::NotFound(name.to_owned()));
        }
        Ok(found)
    }
}

impl Resolve for VettedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let found = resolver.addresses(name.as_str()).await?;
            let found: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}
