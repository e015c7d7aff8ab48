//! TLS: who agrees on it is answered, who does not is not waited for.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use stemedb_server::{Listener, Settings, Shutdown, Tls, TlsError, serve};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::support::Home;
use crate::wire::{LIVE, Wire};

/// Writes a certificate for `localhost` and its key, and gives the certificate.
fn write(directory: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    // The key first: between the two writes they do not belong together.
    std::fs::write(directory.join("key.pem"), signing_key.serialize_pem()).unwrap();
    std::fs::write(directory.join("cert.pem"), cert.pem()).unwrap();
    CertificateDer::from_pem_slice(cert.pem().as_bytes()).unwrap()
}

fn load(directory: &Path) -> Result<Tls, TlsError> {
    Tls::load(directory.join("cert.pem"), directory.join("key.pem"))
}

/// A server over TLS, with the certificate in a directory.
struct Served {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn start(settings: &Settings, certificate: &Path) -> Self {
        let home = Home::with(settings);
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let listener = Listener::tls(tcp, load(certificate).unwrap());
        let shutdown = home.service.shutdown();
        let task = tokio::spawn(serve(listener, home.service, std::future::pending()));
        Self {
            address,
            shutdown,
            task,
        }
    }

    async fn end(self) {
        self.shutdown.begin();
        self.task.await.unwrap().unwrap();
    }
}

async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_certificate_is_asked_over_tls_and_uses_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let first = write(directory.path());
    let mut settings = Settings::default();
    settings.handshake_seconds_max = 1;
    let served = Served::start(&settings, directory.path()).await;
    let address = served.address;

    // Whoever says nothing, or nothing of TLS, holds nobody up and is ended.
    let mute = Wire(TcpStream::connect(address).await.unwrap());
    let mut plain = Wire(TcpStream::connect(address).await.unwrap());
    plain.send(LIVE).await;
    let stream = connect(address, &first).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut wire = Wire(stream);
    wire.send(LIVE).await;
    assert_eq!(wire.status().await, 200);
    assert!(!plain.rest().await.contains("HTTP"));
    let mut mute = mute;
    assert_eq!(mute.rest().await, "");

    let second = write(directory.path());
    let mut looks = 0..2000;
    while connect(address, &second).await.is_err() {
        looks.next().unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    // What is broken is not used, and the connection from before goes on.
    std::fs::write(directory.path().join("cert.pem"), "broken").unwrap();
    sleep(Duration::from_millis(1100)).await;
    connect(address, &second).await.unwrap();
    wire.send(LIVE).await;
    assert_eq!(wire.status().await, 200);
    drop(wire);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_agree_makes_room_for_who_comes() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = write(directory.path());
    let mut settings = Settings::default();
    settings.handshake_seconds_max = 86_400;
    settings.connections_max = 1;
    let served = Served::start(&settings, directory.path()).await;
    let address = served.address;
    let mut mute = Wire(TcpStream::connect(address).await.unwrap());
    let agreed = timeout(Duration::from_secs(100), connect(address, &certificate));
    let mut wire = Wire(agreed.await.expect("there is room").unwrap());
    wire.send(LIVE).await;
    assert_eq!(wire.status().await, 200);
    assert_eq!(mute.rest().await, "");
    drop(wire);
    served.end().await;
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let said = || load(path).unwrap_err().to_string();
    assert!(said().contains("cert.pem"), "{}", said());
    write(path);
    let key = std::fs::read(path.join("key.pem")).unwrap();
    write(path);
    load(path).unwrap();
    std::fs::write(path.join("key.pem"), &key).unwrap();
    assert!(said().contains("together"), "{}", said());
    std::fs::copy(path.join("cert.pem"), path.join("key.pem")).unwrap();
    assert!(said().contains("key.pem: no private key"), "{}", said());
    std::fs::write(path.join("key.pem"), key).unwrap();
    std::fs::write(path.join("cert.pem"), "").unwrap();
    assert!(said().contains("cert.pem: no certificate"), "{}", said());
}
