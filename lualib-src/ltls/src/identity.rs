//! Certificates with their private keys, and which of them a peer gets to see.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::der::public_key_info;
use crate::problem::Problem;

/// Reads a chain, the own certificate first, and its key (PKCS #8, PKCS #1 or SEC 1, not encrypted) from PEM files.
pub fn read(chain: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, Problem> {
    let (chain_name, key_name) = (chain.display(), key.display());
    let what = "SSL_CTX_use_certificate_chain_file error:0";
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| Problem::because(what, format!("{chain_name}: {error}")))?;
    let Some(own) = certificates.first() else {
        return Err(Problem::because(
            what,
            format!("no certificate in {chain_name}"),
        ));
    };
    let Some(info) = public_key_info(own) else {
        let reason = format!("{chain_name}: the first certificate is damaged");
        return Err(Problem::because(what, reason));
    };
    let what = "SSL_CTX_use_PrivateKey_file error:0";
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| Problem::because(what, format!("{key_name}: {error}")))?;
    let private = provider
        .key_provider
        .load_private_key(private)
        .map_err(|error| Problem::because(what, format!("{key_name}: {error}")))?;
    let matching = private.public_key().is_none_or(|public| *public == *info);
    if !matching {
        let reason = format!("{key_name} is not the key of {chain_name}");
        let what = "SSL_CTX_check_private_key error:0";
        return Err(Problem::because(what, reason));
    }
    Ok(CertifiedKey::new(certificates, private))
}

/// The identities of one side.
#[derive(Clone, Debug, Default)]
pub struct Identities {
    default: Option<Arc<CertifiedKey>>,
    /// By host name, in lower case.
    named: HashMap<String, Arc<CertifiedKey>>,
}

impl Identities {
    /// Sets what clients of `host` get to see, or all for whom there is nothing special.
    pub fn set(&mut self, host: Option<&str>, identity: CertifiedKey) {
        let identity = Arc::new(identity);
        match host {
            Some(host) => _ = self.named.insert(host.to_ascii_lowercase(), identity),
            None => self.default = Some(identity),
        }
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // The library gives the name in lower case.
        let named = hello.server_name().and_then(|name| self.named.get(name));
        named.or(self.default.as_ref()).cloned()
    }
}

impl ResolvesClientCert for Identities {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let identity = self.default.as_ref()?;
        identity.key.choose_scheme(schemes)?;
        Some(identity.clone())
    }

    fn has_certs(&self) -> bool {
        self.default.is_some()
    }
}
