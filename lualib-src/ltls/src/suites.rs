//! Cipher suites by name.

use rustls::{CipherSuite, SupportedCipherSuite};

use crate::problem::Problem;

/// The suites of a list with colons between, in the order of `known`. Names are those of the standards
/// (`TLS13_AES_128_GCM_SHA256` and `TLS_ECDHE_..._WITH_...`) or OpenSSL's; unknown names are passed over, as OpenSSL does.
pub fn select(
    list: &str,
    known: &[SupportedCipherSuite],
) -> Result<Vec<SupportedCipherSuite>, Problem> {
    let wanted: Vec<&str> = list.split([':', ',', ' ']).collect();
    let mut selected = known.to_vec();
    selected.retain(|suite| {
        names(suite.suite())
            .iter()
            .any(|name| wanted.contains(name))
    });
    if selected.is_empty() {
        let what = format!("no usable cipher in {list}");
        return Err(Problem::new(what));
    }
    Ok(selected)
}

/// The name in the standards and that of OpenSSL.
fn names(suite: CipherSuite) -> [&'static str; 2] {
    let openssl = match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "ECDHE-ECDSA-CHACHA20-POLY1305"
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "",
    };
    [suite.as_str().unwrap_or(""), openssl]
}
