//! TLS: a certificate that leads to an authority that is named, and no other.

use crate::{
    serve::Server,
    support::{Home, claims},
};

#[test]
fn a_certificate_has_to_lead_to_an_authority_that_is_named() {
    let home = Home::with(&claims(3));
    for name in ["own", "other"] {
        let names = vec!["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        home.write(&format!("{name}.pem"), made.cert.pem());
        home.write(&format!("{name}.key"), made.signing_key.serialize_pem());
    }
    let token = home.run(["token", "create", "--name", "t", "--scope", "read", "-q"]);
    home.write("token", token.fine().stdout);
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    let tls = ["--tls-cert", "own.pem", "--tls-key", "own.key"];
    let (server, _) = Server::of(home.command([&listen[..], &tls].concat()));
    let url = format!("https://{}", server.address);
    let ask = |args: &[&str]| {
        home.run(
            [
                &["--url", &url, "--token-file", "token", "stats", "--json"],
                args,
            ]
            .concat(),
        )
    };
    let figures = ask(&["--ca", "own.pem"]).fine().json();
    assert_eq!(figures["assertions"], 3);
    ask(&["--ca", "other.pem"]).failed(4, &[&url, "no TLS", "--ca"]);
    // A name that the certificate does not have.
    let other = format!("https://localhost:{}", server.address.port());
    let refused = home.run(["--url", &other, "--ca", "own.pem", "stats"]);
    refused.failed(4, &["no TLS"]);
    let plain = format!("http://{}", server.address);
    home.run(["--url", &plain, "stats"]).failed(4, &["broke"]);
}
