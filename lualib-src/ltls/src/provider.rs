//! ECDSA on the curve P-521, which ring does not have: certificates that are signed with it, and own keys. Key exchange does
//! without it.

use std::sync::{Arc, LazyLock};

use p521::ecdsa::signature::Signer as _;
use p521::ecdsa::signature::hazmat::PrehashVerifier;
use p521::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p521::pkcs8::{DecodePrivateKey, EncodePublicKey};
use p521::{PublicKey, SecretKey};
use rustls::crypto::{CryptoProvider, KeyProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, PrivateKeyDer, SignatureVerificationAlgorithm,
    SubjectPublicKeyInfoDer, alg_id,
};
use rustls::sign::{Signer, SigningKey as TlsKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use sha2::{Digest, Sha256, Sha384, Sha512};

const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP521_SHA512;

/// What ring has, and P-521.
pub fn with_p521() -> CryptoProvider {
    let ring = ring::default_provider();
    CryptoProvider {
        signature_verification_algorithms: *ALGORITHMS,
        key_provider: &Keys,
        ..ring
    }
}

static ALGORITHMS: LazyLock<WebPkiSupportedAlgorithms> = LazyLock::new(|| {
    let ring = ring::default_provider().signature_verification_algorithms;
    // Both lists live as long as the program does, and are made once.
    let all = [ring.all, &VERIFIERS].concat();
    WebPkiSupportedAlgorithms {
        all: all.leak(),
        mapping: [ring.mapping, &[(SCHEME, &VERIFIERS[..1])]].concat().leak(),
    }
});

/// How signatures are verified, SHA-512 first; authorities sign with the others, too.
static VERIFIERS: [&dyn SignatureVerificationAlgorithm; 3] = [
    &Verifier {
        hash: |message| Sha512::digest(message).to_vec(),
        signature: alg_id::ECDSA_SHA512,
    },
    &Verifier {
        hash: |message| Sha384::digest(message).to_vec(),
        signature: alg_id::ECDSA_SHA384,
    },
    &Verifier {
        hash: |message| Sha256::digest(message).to_vec(),
        signature: alg_id::ECDSA_SHA256,
    },
];

#[derive(Debug)]
struct Verifier {
    hash: fn(&[u8]) -> Vec<u8>,
    signature: AlgorithmIdentifier,
}

impl SignatureVerificationAlgorithm for Verifier {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = DerSignature::from_bytes(signature).map_err(|_| InvalidSignature)?;
        key.verify_prehash(&(self.hash)(message), &signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// Reads private keys: those of ring, and those on P-521.
#[derive(Debug)]
struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn TlsKey>, Error> {
        let own = match &key {
            PrivateKeyDer::Pkcs8(der) => SecretKey::from_pkcs8_der(der.secret_pkcs8_der()).ok(),
            PrivateKeyDer::Sec1(der) => SecretKey::from_sec1_der(der.secret_sec1_der()).ok(),
            _ => None,
        };
        match own {
            Some(secret) => Ok(Arc::new(Key::new(&secret)?)),
            None => ring::default_provider().key_provider.load_private_key(key),
        }
    }
}

struct Key {
    secret: SigningKey,
    /// DER of the public one.
    public: Vec<u8>,
}

impl Key {
    fn new(secret: &SecretKey) -> Result<Self, Error> {
        let public: PublicKey = secret.public_key();
        let public = public
            .to_public_key_der()
            .map_err(|error| Error::General(error.to_string()))?;
        Ok(Self {
            secret: SigningKey::from(secret),
            public: public.into_vec(),
        })
    }
}

// The secret stays out of logs.
impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key on P-521")
    }
}

impl TlsKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let secret = self.secret.clone();
        offered
            .contains(&SCHEME)
            .then(|| Box::new(OneTime(secret)) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.public.as_slice()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

/// The signature of one handshake.
struct OneTime(SigningKey);

impl std::fmt::Debug for OneTime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Signer on P-521")
    }
}

impl Signer for OneTime {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        // With a nonce made of key and message (RFC 6979).
        let signature: DerSignature = self
            .0
            .try_sign(message)
            .map_err(|error| Error::General(error.to_string()))?;
        Ok(signature.as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SCHEME
    }
}
