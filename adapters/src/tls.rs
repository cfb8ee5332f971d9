//! Whom to trust over TLS, and what a TLS failure means in words.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use url::Host;

use crate::error::Error;

/// Whom to trust on `wss://`.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// The certificates that the operating system trusts.
    #[default]
    System,
    /// The certificates in this PEM file, and no others.
    CaFile(PathBuf),
    /// The certificates in this PEM text, and no others.
    CaPem(Vec<u8>),
    /// Everybody. Whoever sits on the line can read and change everything: for tests only.
    Insecure,
    /// What this configuration of `rustls` trusts.
    Custom(Arc<ClientConfig>),
}

/// The configuration that a [`Trust`] amounts to, made when it is first needed.
#[derive(Debug)]
pub(crate) struct Tls {
    trust: Trust,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(trust: Trust) -> Self {
        Self { trust, config: OnceLock::new() }
    }

    /// Whether it can be known only now that nothing is wrong with it, whatever the URL.
    pub(crate) fn is_explicit(&self) -> bool {
        !matches!(self.trust, Trust::System)
    }

    /// The configuration.
    ///
    /// # Errors
    /// [`Error::CaFile`] and [`Error::Trust`].
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = build(&self.trust)?;
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

fn build(trust: &Trust) -> Result<Arc<ClientConfig>, Error> {
    let (roots, given) = match trust {
        Trust::Custom(config) => return Ok(Arc::clone(config)),
        Trust::Insecure => (None, Vec::new()),
        Trust::System => (Some(system_roots()?), Vec::new()),
        Trust::CaFile(path) => {
            let pem = std::fs::read(path)
                .map_err(|source| Error::CaFile { path: path.clone(), source })?;
            let (roots, given) = pem_roots(&pem, &path.display())?;
            (Some(roots), given)
        }
        Trust::CaPem(pem) => {
            let (roots, given) = pem_roots(pem, &"the given text")?;
            (Some(roots), given)
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Trust { detail: format!("TLS cannot be set up: {error}") })?;
    let config = match roots {
        Some(roots) if given.is_empty() => {
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Some(roots) => {
            let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| Error::Trust {
                    detail: format!("TLS cannot be set up: {error}"),
                })?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Given { chains, given }))
                .with_no_client_auth()
        }
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn system_roots() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems carry a few odd certificates that do not parse; the others still count.
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        let detail = format!("the system has no trusted certificates{why}: name a CA file");
        return Err(Error::Trust { detail });
    }
    Ok(roots)
}

type Roots = (RootCertStore, Vec<CertificateDer<'static>>);

/// The certificates as anchors, and as they are.
fn pem_roots(pem: &[u8], origin: &dyn fmt::Display) -> Result<Roots, Error> {
    let wrong = |what: String| Error::Trust { detail: format!("{origin} {what}") };
    let mut roots = RootCertStore::empty();
    let mut given = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let number = index + 1;
        let certificate = certificate.map_err(|error| {
            wrong(format!("is malformed at certificate {number} ({error}): give PEM"))
        })?;
        roots.add(certificate.clone()).map_err(|error| {
            wrong(format!("has a certificate that cannot be used, number {number}: {error}"))
        })?;
        given.push(certificate);
    }
    if roots.is_empty() {
        return Err(wrong("has no certificate in it: give PEM (BEGIN CERTIFICATE)".to_owned()));
    }
    Ok((roots, given))
}

/// The name that the certificate must be for.
pub(crate) fn server_name(host: &Host<&str>) -> Option<ServerName<'static>> {
    match host {
        Host::Domain(name) => ServerName::try_from((*name).to_owned()).ok(),
        Host::Ipv4(ip) => Some(ServerName::IpAddress((*ip).into())),
        Host::Ipv6(ip) => Some(ServerName::IpAddress((*ip).into())),
    }
}

/// A failed TLS handshake with `host`, in words.
pub(crate) fn describe(host: &str, error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => {
            format!("the certificate of {host} does not verify: {}", certificate(why))
        }
        Some(rustls::Error::InvalidMessage(_)) => format!("{host} does not speak TLS on this port"),
        Some(other) => other.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection ended during the handshake".to_owned()
        }
        None if error.kind() == io::ErrorKind::ConnectionReset => {
            "the connection was reset during the handshake".to_owned()
        }
        None => error.to_string(),
    }
}

fn certificate(why: &CertificateError) -> String {
    let date = |time: &UnixTime| {
        let since = std::time::Duration::from_secs(time.as_secs());
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
    };
    match why {
        CertificateError::Expired => "expired: the server needs a new one".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("expired: it was valid until {}", date(not_after))
        }
        CertificateError::NotValidYet => "not valid yet: check this computer's clock".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "not valid yet: it is valid from {}; check this computer's clock",
            date(not_before)
        ),
        CertificateError::UnknownIssuer => {
            "unknown issuer: it is not signed by a trusted authority".to_owned()
        }
        CertificateError::BadSignature => {
            "unknown issuer: the trusted certificate of the issuer's name has not signed it"
                .to_owned()
        }
        CertificateError::NotValidForName => "wrong host name: it is for another".to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "no host name: it needs a subjectAltName".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().take(8).map(|name| bare(name)).collect();
            format!("wrong host name: it is for {}", names.join(", "))
        }
        CertificateError::Revoked => "revoked".to_owned(),
        why if is_authority(why) => {
            "self-signed: it is not signed by a trusted authority, nor trusted itself".to_owned()
        }
        CertificateError::Other(other) => other.to_string(),
        other => other.to_string(),
    }
}

/// A name out of a certificate without `rustls`' wrapping: `DnsName("a.example")`.
fn bare(name: &str) -> &str {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(name).trim_matches('"')
}

/// Verifies by the certificates that were given, one of which may be the server's own.
///
/// A self-signed certificate made with the usual tools says that it is an authority, and an
/// authority's certificate is none for a server (RFC 5280 §4.2.1.9). Whoever names this very
/// certificate trusts its holder all the same: what is left to check is its name.
#[derive(Debug)]
struct Given {
    chains: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Given {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.chains.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(rustls::Error::InvalidCertificate(why))
                if is_authority(&why) && self.given.iter().any(|given| given == end_entity) =>
            {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Whether nothing is wrong so far but that the server's certificate is an authority's. Its dates
/// were checked before.
fn is_authority(why: &CertificateError) -> bool {
    let CertificateError::Other(other) = why else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Takes every certificate. The handshake's signatures are still checked, so that at least the
/// holder of the certificate's key answers.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(trust: Trust) -> String {
        Tls::new(trust).config().expect_err("unusable").to_string()
    }

    #[test]
    fn what_cannot_be_trusted_is_named() {
        let missing = message(Trust::CaFile(PathBuf::from("/nonexistent/ca.pem")));
        assert!(missing.contains("/nonexistent/ca.pem"), "{missing}");
        assert!(message(Trust::CaPem(b"hello".to_vec())).contains("no certificate"));
        let torn = b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n".to_vec();
        let torn = message(Trust::CaPem(torn));
        assert!(torn.contains("certificate 1"), "{torn}");
        let empty = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
        let empty = message(Trust::CaPem(empty));
        assert!(empty.contains("number 1"), "{empty}");
    }

    #[test]
    fn certificate_problems_are_told_apart() {
        let text = |why| {
            let error = rustls::Error::InvalidCertificate(why);
            describe("h.example", &io::Error::new(io::ErrorKind::InvalidData, error))
        };
        assert_eq!(
            text(CertificateError::UnknownIssuer),
            "the certificate of h.example does not verify: \
             unknown issuer: it is not signed by a trusted authority"
        );
        let not_after = UnixTime::since_unix_epoch(std::time::Duration::from_secs(784_111_777));
        let expired = text(CertificateError::ExpiredContext { time: not_after, not_after });
        assert!(expired.ends_with("expired: it was valid until Sun, 06 Nov 1994 08:49:37 GMT"));
        let name = |presented: &[&str]| {
            text(CertificateError::NotValidForNameContext {
                expected: server_name(&Host::Domain("h.example")).expect("a name"),
                presented: presented.iter().map(|name| (*name).to_owned()).collect(),
            })
        };
        let said = name(&["DnsName(\"a.example\")", "IpAddress(::1)", "b.example"]);
        assert!(said.ends_with("wrong host name: it is for a.example, ::1, b.example"), "{said}");
        let said = name(&[]);
        assert!(said.ends_with("no host name: it needs a subjectAltName"), "{said}");
    }

    #[test]
    fn addresses_are_names_too() {
        let ip = server_name(&Host::Ipv4([127, 0, 0, 1].into()));
        assert!(matches!(ip, Some(ServerName::IpAddress(_))));
        assert!(server_name(&Host::Domain("")).is_none());
    }
}
