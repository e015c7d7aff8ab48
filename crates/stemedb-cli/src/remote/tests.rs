use super::{
    Route, ServerUrl,
    address::Scheme,
    client::encode,
    convert::{cursor, milliseconds},
};
use crate::text::time;

fn url(text: &str) -> ServerUrl {
    text.parse().unwrap()
}

#[test]
fn a_url_is_taken_apart() {
    let plain = url("http://127.0.0.1:8642/");
    assert_eq!((plain.scheme, plain.port), (Scheme::Http, 8642));
    assert_eq!((&*plain.host, &*plain.prefix), ("127.0.0.1", ""));
    assert_eq!(plain.to_string(), "http://127.0.0.1:8642");
    let far = url("https://Claims.example/db//");
    assert_eq!((far.scheme, far.port), (Scheme::Https, 443));
    assert_eq!(far.to_string(), "https://Claims.example/db");
    let six = url("http://[::1]:80");
    assert_eq!((&*six.host, &*six.authority), ("::1", "[::1]:80"));
}

#[test]
fn what_others_can_hear_is_told_apart() {
    for text in [
        "http://127.0.0.1",
        "http://127.9.9.9:1",
        "http://[::1]",
        "http://[::ffff:127.0.0.1]",
        "http://LOCALHOST",
        "https://192.0.2.1",
    ] {
        assert!(url(text).is_private(), "{text}");
    }
    for text in [
        "http://192.0.2.1",
        "http://[2001:db8::1]",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://0.0.0.0",
    ] {
        assert!(!url(text).is_private(), "{text}");
    }
}

#[test]
fn what_is_no_url_of_a_server_is_refused() {
    for text in [
        "",
        "x",
        "/x",
        "127.0.0.1:8642",
        "http:",
        "http://",
        "http://:80",
        "http://x:",
        "http://x:99999",
        "http://x:y",
        "http://[::1",
        "http://me:secret@x",
        "http://x?y",
        "http://x#y",
        "file:///x",
        "http://x\n",
    ] {
        assert!(text.parse::<ServerUrl>().is_err(), "{text:?}");
    }
}

#[test]
fn names_are_encoded_so_that_a_path_has_one_reading() {
    assert_eq!(encode("a-b_c~Z9"), "a-b_c~Z9");
    assert_eq!(encode(".."), "%2E%2E");
    assert_eq!(
        encode("a/b?c#d%e f+\u{fc}"),
        "a%2Fb%3Fc%23d%25e%20f%2B%C3%BC"
    );
    let route = Route::new("/v1/x")
        .with("a", "1&2")
        .with_some("b", None::<u64>);
    assert_eq!(route.with("c", 3).to_string(), "/v1/x?a=1%262&c=3");
}

#[test]
fn times_come_back_as_they_were() {
    for ms in [0, 1, 999, 1_700_000_000_123, 253_402_207_200_000, u64::MAX] {
        assert_eq!(milliseconds(&time(ms)), Ok(ms));
    }
    for text in [
        "",
        "yesterday",
        "-1 ms after 1970",
        "1969-12-31T23:59:59.999Z",
    ] {
        assert!(milliseconds(text).is_err(), "{text}");
    }
    assert!(cursor("0f").is_ok() && cursor("0F?").is_err());
}
