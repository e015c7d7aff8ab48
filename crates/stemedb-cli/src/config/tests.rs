use std::{ffi::OsString, path::PathBuf};

use super::{Content, Origin, Setting, Written, merge, parse, resolve};
use crate::{
    args::{Flags, StoreName},
    failure::{Exit, Failure},
};

fn written(text: &str) -> Written {
    let path = PathBuf::from("some/stemedb.toml");
    let content = parse("some/stemedb.toml", text).unwrap();
    Written { path, content }
}

fn variables(
    set: &'static [(&'static str, &'static str)],
) -> impl Fn(&'static str) -> Option<OsString> {
    move |name| {
        let found = set.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.into())
    }
}

fn flags(dir: Option<&str>) -> Flags {
    let dir = dir.map(PathBuf::from);
    Flags {
        dir,
        ..Flags::default()
    }
}

fn setting(value: &str, origin: Origin) -> Setting<PathBuf> {
    let value = value.into();
    Setting { value, origin }
}

#[test]
fn flag_over_variable_over_file_over_default() {
    let text = "dir = \"file\"";
    let env: &[_] = &[("STEMEDB_DIR", "variable")];
    let dir = |flag, env, text| {
        merge(&flags(flag), variables(env), written(text))
            .unwrap()
            .dir
    };

    assert_eq!(dir(Some("flag"), env, text), setting("flag", Origin::Flag));
    let from_variable = Origin::Variable("STEMEDB_DIR");
    assert_eq!(dir(None, env, text), setting("variable", from_variable));
    let from_file = Origin::File("some/stemedb.toml".into());
    assert_eq!(dir(None, &[], text), setting("some/file", from_file));
    assert_eq!(
        dir(None, &[], ""),
        setting("./stemedb-data", Origin::Default)
    );
}

#[test]
fn every_setting_can_come_from_each_place() {
    let text = "store = \"sled\"\njson = true\nquiet = true\nstream_cache_bytes_max = 1048576\nsmall_cache_bytes_max = 2097152\nknown_ids_bytes_max = 524288";
    let from_file = merge(&flags(None), variables(&[]), written(text)).unwrap();
    assert_eq!(from_file.store.value, StoreName::Sled);
    assert!(from_file.json.value && from_file.quiet.value);
    assert_eq!(from_file.stream_cache_bytes_max.value, 1 << 20);
    assert_eq!(from_file.small_cache_bytes_max.value, 2 << 20);
    assert_eq!(from_file.known_ids_bytes_max.value, 1 << 19);

    let env = &[
        ("STEMEDB_STORE", "hybrid"),
        ("STEMEDB_JSON", "0"),
        ("STEMEDB_QUIET", "false"),
        ("STEMEDB_STREAM_CACHE_BYTES_MAX", "3145728"),
        ("STEMEDB_SMALL_CACHE_BYTES_MAX", "4194304"),
        ("STEMEDB_KNOWN_IDS_BYTES_MAX", "0"),
    ];
    let from_env = merge(&flags(None), variables(env), written(text)).unwrap();
    assert_eq!(from_env.store.value, StoreName::Hybrid);
    assert!(!from_env.json.value && !from_env.quiet.value);
    assert_eq!(from_env.quiet.origin, Origin::Variable("STEMEDB_QUIET"));
    assert_eq!(from_env.stream_cache_bytes_max.value, 3 << 20);
    assert_eq!(from_env.small_cache_bytes_max.value, 4 << 20);
    assert_eq!(from_env.known_ids_bytes_max.value, 0);
}

#[test]
fn a_setting_that_makes_no_sense_names_its_place() {
    let refusal = |text: &str| parse("x.toml", text).unwrap_err();
    let said = |text: &str| Failure::new(Exit::Configuration, text);
    assert_eq!(
        refusal("json = true\ndri = \"x\""),
        said(
            "x.toml:2: unknown field `dri`, expected one of `dir`, `store`, `json`, `quiet`, `stream_cache_bytes_max`, `small_cache_bytes_max`, `known_ids_bytes_max`, `listen`, `tls_cert`, `tls_key`, `insecure_http`, `connections_max`, `connections_per_address_max`, `requests_per_second_max`, `url`, `token_file`, `ca`"
        )
    );
    assert_eq!(
        refusal("json = 1"),
        said("x.toml:1: invalid type: integer `1`, expected a boolean")
    );

    let env = &[("STEMEDB_STREAM_CACHE_BYTES_MAX", "64M")];
    assert_eq!(
        merge(&flags(None), variables(env), written("")).unwrap_err(),
        said("STEMEDB_STREAM_CACHE_BYTES_MAX is \"64M\"; use a number of bytes")
    );
    let env = &[("STEMEDB_JSON", "maybe")];
    assert_eq!(
        merge(&flags(None), variables(env), written("")).unwrap_err(),
        said("STEMEDB_JSON is \"maybe\"; use true or false")
    );
    assert_eq!(
        merge(&flags(None), variables(&[]), written("store = \"slde\"")).unwrap_err(),
        said("some/stemedb.toml: store is \"slde\"; known are hybrid and sled")
    );
}

#[test]
fn an_empty_file_or_variable_says_nothing() {
    assert_eq!(parse("x", "").unwrap(), Content::default());
    let env = &[("STEMEDB_DIR", ""), ("STEMEDB_JSON", "")];
    let settings = resolve(&flags(None), variables(env)).unwrap();
    assert_eq!(settings.dir.origin, Origin::Default);
    assert_eq!(settings.json.origin, Origin::Default);
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let flags = Flags {
        config: Some("no/such.toml".into()),
        ..Flags::default()
    };
    let failure = resolve(&flags, variables(&[])).unwrap_err();
    assert_eq!(failure.exit(), Exit::Configuration);
}

#[test]
fn settings_of_serve_come_from_each_place_too() {
    let text = "listen = \"127.0.0.1:1\"\ntls_cert = \"c.pem\"\ntls_key = \"/k.pem\"\ninsecure_http = true\nconnections_max = 5\nconnections_per_address_max = 3\nrequests_per_second_max = 7";
    let serve = |env, text| {
        let settings = merge(&flags(None), variables(env), written(text));
        settings.map(|settings| settings.serve)
    };
    let from_file = serve(&[], text).unwrap();
    assert_eq!(from_file.listen.value.port(), 1);
    assert_eq!(from_file.tls_cert.value, Some("some/c.pem".into()));
    assert_eq!(from_file.tls_key.value, Some("/k.pem".into()));
    assert!(from_file.insecure_http.value);
    assert_eq!(from_file.connections_max.value, 5);
    assert_eq!(from_file.connections_per_address_max.value, 3);
    assert_eq!(from_file.requests_per_second_max.value, 7);
    let env = &[
        ("STEMEDB_LISTEN", "[::1]:2"),
        ("STEMEDB_TLS_CERT", "d.pem"),
        ("STEMEDB_TLS_KEY", "l.pem"),
        ("STEMEDB_INSECURE_HTTP", "0"),
        ("STEMEDB_CONNECTIONS_MAX", "6"),
        ("STEMEDB_CONNECTIONS_PER_ADDRESS_MAX", "4"),
        ("STEMEDB_REQUESTS_PER_SECOND_MAX", "8"),
    ];
    let from_env = serve(env, text).unwrap();
    assert_eq!(from_env.listen.value.port(), 2);
    assert_eq!(from_env.tls_cert.value, Some("d.pem".into()));
    assert_eq!(from_env.tls_key.origin, Origin::Variable("STEMEDB_TLS_KEY"));
    assert!(!from_env.insecure_http.value);
    assert_eq!(from_env.connections_max.value, 6);
    assert_eq!(from_env.connections_per_address_max.value, 4);
    assert_eq!(from_env.requests_per_second_max.value, 8);
    let default = serve(&[], "").unwrap();
    assert_eq!(default.listen.value.to_string(), "127.0.0.1:8642");
    assert_eq!(
        (default.tls_cert.value, default.insecure_http.value),
        (None, false)
    );
    let refused = serve(&[], "listen = \"here\"").unwrap_err();
    assert_eq!(
        refused,
        Failure::new(
            Exit::Configuration,
            "some/stemedb.toml: listen is \"here\"; use an address and a port, as 127.0.0.1:8642"
        )
    );
}
