//! Which certificates are believed.
//!
//! Owns the TLS settings of the door: TLS 1.2 or newer, the platform's roots and the roots of the
//! connection. There is no switch that skips verification.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// The settings for a connection. Without TLS nothing is believed, so that nothing can be reached
/// over TLS by mistake, and the platform's roots need not exist.
pub(super) fn client_config(over_tls: bool, extra_roots: &[String]) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS is not available: {error}"))?;
    if !over_tls {
        return Ok(builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth());
    }
    let mut roots = Vec::new();
    for pem in extra_roots {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.push(certificate.map_err(|error| format!("an extra root is not PEM: {error}"))?);
        }
        if roots.len() == before {
            return Err("an extra root holds no certificate".to_owned());
        }
    }
    let verifier = Verifier::new_with_extra_roots(roots, provider)
        .map_err(|error| format!("no root certificates can be loaded: {error}"))?;
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}
