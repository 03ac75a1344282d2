//! What sessions have in common: who this side is, whom it trusts, what it offers.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::identity::{self, Identities};

use crate::problem::Problem;
use crate::provider;
use crate::suites;
use crate::trust::{self, AcceptAll, AnyName};

/// Settings for sessions of both sides. A session keeps those of its start.
#[derive(Debug)]
pub struct Settings {
    provider: Arc<CryptoProvider>,
    identities: Identities,
    /// None: no peer is verified.
    authorities: Option<Arc<RootCertStore>>,
    /// Whether a server's certificate has to have the name that it was asked for.
    names: bool,
    protocols: Vec<Vec<u8>>,
    /// Made when first needed.
    client: Option<Arc<ClientConfig>>,
    server: Option<Arc<ServerConfig>>,
}

/// Where authorities come from.
pub enum Authorities<'a> {
    /// A PEM file.
    File(&'a Path),
    /// What the system trusts.
    System,
}

impl Settings {
    /// No certificate, no verification.
    pub fn new() -> Self {
        Self {
            provider: Arc::new(provider::with_p521()),
            identities: Identities::default(),
            authorities: None,
            names: true,
            protocols: Vec::new(),
            client: None,
            server: None,
        }
    }

    /// Sets the certificate chain and the key to show: to clients that ask for `host`, or to all others.
    pub fn set_identity(
        &mut self,
        chain: &Path,
        key: &Path,
        host: Option<&str>,
    ) -> Result<(), Problem> {
        let identity = identity::read(chain, key, &self.provider)?;
        self.identities.set(host, identity);
        self.changed();
        Ok(())
    }

    /// From now on servers are verified against these authorities and their name, and clients have to show a certificate of
    /// these authorities. None: no peer is verified.
    /// Without `names` any server is right that has a certificate of these authorities.
    pub fn set_authorities(
        &mut self,
        from: Option<Authorities<'_>>,
        names: bool,
    ) -> Result<(), Problem> {
        let store = match from {
            Some(Authorities::File(path)) => Some(trust::authorities_of_file(path)?),
            Some(Authorities::System) => Some(trust::authorities_of_system()?),
            None => None,
        };
        self.authorities = store.map(Arc::new);
        self.names = names;
        self.changed();
        Ok(())
    }

    /// Protocols to offer or to accept (ALPN, RFC 7301), the best first.
    pub fn set_protocols(&mut self, protocols: Vec<Vec<u8>>) {
        self.protocols = protocols;
        self.changed();
    }

    /// Restricts the cipher suites to those of a list (see [`suites::select`]).
    pub fn set_suites(&mut self, list: &str) -> Result<(), Problem> {
        let mut provider = provider::with_p521();
        provider.cipher_suites = suites::select(list, &provider.cipher_suites)?;
        self.provider = Arc::new(provider);
        self.changed();
        Ok(())
    }

    fn changed(&mut self) {
        self.client = None;
        self.server = None;
    }

    /// Whether a client has to know the name of its server.
    pub fn verifies(&self) -> bool {
        self.authorities.is_some() && self.names
    }

    /// For sessions that begin.
    pub(crate) fn client(&mut self) -> Result<Arc<ClientConfig>, Problem> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let verifier = match &self.authorities {
            Some(authorities) if self.names => trust::server_verifier(authorities, &self.provider)?,
            Some(authorities) => Arc::new(AnyName(trust::server_verifier(
                authorities,
                &self.provider,
            )?)),
            None => Arc::new(AcceptAll(self.provider.clone())),
        };
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&self.versions())
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(self.identities.clone()));
        // Sessions are kept by host name, and many clients here have none.
        config.resumption = Resumption::disabled();
        config.alpn_protocols.clone_from(&self.protocols);
        Ok(self.client.insert(Arc::new(config)).clone())
    }

    /// For sessions that answer.
    pub(crate) fn server(&mut self) -> Result<Arc<ServerConfig>, Problem> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&self.versions())
            .map_err(unusable)?;
        let builder = match &self.authorities {
            Some(authorities) => builder
                .with_client_cert_verifier(trust::client_verifier(authorities, &self.provider)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(self.identities.clone()));
        config.alpn_protocols.clone_from(&self.protocols);
        Ok(self.server.insert(Arc::new(config)).clone())
    }

    /// The versions for which there is a suite.
    fn versions(&self) -> Vec<&'static rustls::SupportedProtocolVersion> {
        let suites = &self.provider.cipher_suites;
        let mut versions = rustls::ALL_VERSIONS.to_vec();
        versions.retain(|version| suites.iter().any(|suite| suite.version() == *version));
        versions
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

fn unusable(error: rustls::Error) -> Problem {
    Problem::because("SSL_CTX_new client failed.", error)
}
