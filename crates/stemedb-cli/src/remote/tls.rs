//! TLS: whom to believe.

use std::{path::Path, sync::Arc};

use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, version},
};

use crate::{
    failure::{Exit, Failure},
    file,
};

/// Bytes of a file of certificates.
const PEM_BYTES_MAX: u64 = 4 << 20;

/// Speaks TLS with servers whose certificates lead to one of `authorities`, a file of PEM, or to one that the machine trusts.
pub(super) fn connector(authorities: Option<&Path>) -> Result<TlsConnector, Failure> {
    let roots = match authorities {
        Some(path) => from_file(path)?,
        None => of_machine()?,
    };
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| Failure::caused(Exit::Corruption, "TLS", &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn from_file(path: &Path) -> Result<RootCertStore, Failure> {
    let name = path.display().to_string();
    let refuse = |cause: &dyn std::error::Error| {
        let failure = Failure::caused(Exit::Configuration, &name, cause);
        failure.advise("--ca takes certificates in PEM")
    };
    let text = file::read_text(path, PEM_BYTES_MAX).map_err(|error| refuse(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|error| refuse(&error))?;
        roots.add(certificate).map_err(|error| refuse(&error))?;
    }
    if roots.is_empty() {
        let text = format!("{name}: no certificate is in it");
        return Err(
            Failure::new(Exit::Configuration, text).advise("--ca takes certificates in PEM")
        );
    }
    Ok(roots)
}

fn of_machine() -> Result<RootCertStore, Failure> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Old ones that nobody can read any more stand in many stores.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let text = "this machine has no certificate authorities that it trusts";
        return Err(Failure::new(Exit::Configuration, text).advise("name a file of them with --ca"));
    }
    Ok(roots)
}
