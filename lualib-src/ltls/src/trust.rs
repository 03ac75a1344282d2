//! Which certificates to trust: all, or those that certain authorities have signed.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, RootCertStore, SignatureScheme,
};
use webpki::RawPublicKeyEntity;

use crate::der::public_key_info;
use crate::problem::Problem;

/// The authorities of a PEM file. At least one has to be usable.
pub fn authorities_of_file(path: &Path) -> Result<RootCertStore, Problem> {
    let what = format!("can't read certificates of {}", path.display());
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| Problem::because(&what, error))?;
    authorities(&what, found)
}

/// The authorities that the system trusts; the environment variables SSL_CERT_FILE and SSL_CERT_DIR name others.
pub fn authorities_of_system() -> Result<RootCertStore, Problem> {
    let what = "can't read the system's certificates";
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let reason = found.errors.first().map(ToString::to_string);
        let reason = reason.unwrap_or_else(|| "none found".into());
        return Err(Problem::because(what, reason));
    }
    authorities(what, found.certs)
}

fn authorities(
    what: &str,
    certificates: Vec<CertificateDer<'static>>,
) -> Result<RootCertStore, Problem> {
    let mut store = RootCertStore::empty();
    let (usable, unusable) = store.add_parsable_certificates(certificates);
    if usable == 0 {
        let reason = format!("none usable, {unusable} not understood");
        return Err(Problem::because(what, reason));
    }
    Ok(store)
}

/// Verifies servers: a chain up to one of the authorities, the name, the time.
pub fn server_verifier(
    authorities: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Problem> {
    let builder =
        WebPkiServerVerifier::builder_with_provider(authorities.clone(), provider.clone());
    match builder.build() {
        Ok(verifier) => Ok(verifier),
        Err(error) => Err(Problem::because("can't verify servers", error)),
    }
}

/// Demands a certificate of clients, with a chain up to one of the authorities.
pub fn client_verifier(
    authorities: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
    let builder =
        WebPkiClientVerifier::builder_with_provider(authorities.clone(), provider.clone());
    builder
        .build()
        .map_err(|error| Problem::because("can't verify clients", error))
}

/// Verifies servers but for their names.
#[derive(Debug)]
pub struct AnyName(pub Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The name is looked at last.
        match self
            .0
            .verify_server_cert(certificate, others, name, ocsp, now)
        {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Accepts any certificate whose private key the server has.
#[derive(Debug)]
pub struct AcceptAll(pub Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let info = key_info(certificate)?;
        let key = RawPublicKeyEntity::try_from(&info).map_err(|_| bad_encoding())?;
        let known = self.0.signature_verification_algorithms.mapping;
        let (_, algorithms) = known
            .iter()
            .find(|(scheme, _)| *scheme == signed.scheme)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        // In TLS 1.2 a scheme leaves open on which curve the key is.
        let valid = algorithms.iter().any(|algorithm| {
            key.verify_signature(*algorithm, message, signed.signature())
                .is_ok()
        });
        if valid {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key_info(certificate)?, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn key_info<'a>(certificate: &'a CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'a>, Error> {
    let info = public_key_info(certificate).ok_or_else(bad_encoding)?;
    Ok(SubjectPublicKeyInfoDer::from(info))
}

fn bad_encoding() -> Error {
    CertificateError::BadEncoding.into()
}
