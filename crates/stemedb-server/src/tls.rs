//! TLS by rustls: a certificate and its key from two files of PEM, which are read again when they change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig, crypto::ring, version};

use crate::limits::{LOOK_MS, PEM_BYTES_MAX};
use crate::stamp::{Stamp, read_small};

/// The certificate of a server. TLS 1.2 and 1.3 are spoken.
///
/// Files that are replaced are used from the next connection on; where they cannot be, the ones before are used on.
#[derive(Debug)]
pub struct Tls {
    files: Files,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// The files as they were when they were last looked at.
#[derive(Debug)]
struct Seen {
    at: Instant,
    stamps: [Option<Stamp>; 2],
    config: Arc<ServerConfig>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: cannot read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// A file is no PEM, or does not hold what it should.
    #[error("{}: no {wanted} in PEM is in it", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
        /// What is wrong with what is there.
        #[source]
        source: Option<rustls_pki_types::pem::Error>,
    },
    /// The certificate and the key cannot be used together.
    #[error("{} and {}: cannot be used together", certificate.display(), key.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of its key.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads a certificate, with those that lead to it behind it, and its key.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, holds something else, or the two do not belong together.
    pub fn load(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let files = Files {
            certificate: certificate.into(),
            key: key.into(),
        };
        let seen = Seen {
            at: Instant::now(),
            stamps: files.stamps(),
            config: files.load()?,
        };
        let seen = Mutex::new(seen);
        Ok(Self { files, seen })
    }

    /// What the next connection is met with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let mut seen = match self.seen.lock() {
            Ok(seen) => seen,
            // What is in it is replaced as a whole.
            Err(poisoned) => poisoned.into_inner(),
        };
        if seen.at.elapsed().as_millis() >= LOOK_MS {
            seen.at = Instant::now();
            let stamps = self.files.stamps();
            if stamps != seen.stamps {
                seen.stamps = stamps;
                match self.files.load() {
                    Ok(config) => {
                        seen.config = config;
                        tracing::info!("a new certificate is used");
                    }
                    Err(error) => {
                        let error = stemedb::error_chain(&error);
                        tracing::error!(error, "the certificate before is used on");
                    }
                }
            }
        }
        TlsAcceptor::from(Arc::clone(&seen.config))
    }
}

impl Files {
    fn stamps(&self) -> [Option<Stamp>; 2] {
        [&self.certificate, &self.key].map(|path| Stamp::of(path).ok().flatten())
    }

    fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&read(&self.certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| missing(&self.certificate, "certificate", Some(error)))?;
        if chain.is_empty() {
            return Err(missing(&self.certificate, "certificate", None));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|error| missing(&self.key, "private key", Some(error)))?;
        let unusable = |source| TlsError::Unusable {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        };
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    read_small(path, PEM_BYTES_MAX).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn missing(
    path: &Path,
    wanted: &'static str,
    source: Option<rustls_pki_types::pem::Error>,
) -> TlsError {
    TlsError::Missing {
        path: path.to_owned(),
        wanted,
        source,
    }
}
