//! `health`: whether a server serves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use stemedb_server::wire::Readiness;

use super::Context;
use crate::{
    failure::{Exit, Failure},
    output::Form,
    remote::{Answer, Route, ServerUrl},
    text::printable,
};

/// Runs the command.
pub(super) fn run(context: &mut Context) -> Result<Exit, Failure> {
    let url = match context.url() {
        Some(url) => url.clone(),
        None => own(context)?,
    };
    let client = context.client(&url)?;
    let answer = client.get(&Route::new("/healthz/ready"));
    let readiness: Readiness = answer
        .and_then(Answer::json)
        .map_err(|trouble| trouble.failure(&url))?;
    let output = &mut context.output;
    match output.form() {
        Form::Json => output.json(&readiness)?,
        Form::People => {
            let status = printable(&readiness.status);
            output.line(format_args!("{url} is {status}"))?;
            if let Some(detail) = &readiness.detail {
                output.note(printable(detail));
            }
        }
    }
    Ok(Exit::Fine)
}

/// The server that `serve` starts with the same settings.
fn own(context: &Context) -> Result<ServerUrl, Failure> {
    let serve = &context.settings.serve;
    let scheme = match serve.tls_cert.value {
        Some(_) => "https",
        None => "http",
    };
    let address = reachable(serve.listen.value);
    let url = format!("{scheme}://{address}");
    url.parse().map_err(|form| {
        let text = format!("--url: there is no telling where the server is from {address}");
        Failure::new(Exit::Usage, text).advise(form)
    })
}

/// Where a server is asked from its own machine that listens to all addresses.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::reachable;

    #[test]
    fn a_server_that_listens_to_all_is_asked_at_home() {
        for (listen, asked) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:2", "[::1]:2"),
            ("192.0.2.7:3", "192.0.2.7:3"),
        ] {
            assert_eq!(
                reachable(listen.parse().unwrap()),
                asked.parse::<SocketAddr>().unwrap()
            );
        }
    }
}
