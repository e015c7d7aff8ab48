//! Settings: flag over `STEMEDB_*` variable over `stemedb.toml` over default.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use clap::ValueEnum as _;
use serde::Deserialize;
use stemedb::Builder;

use crate::{
    args::{Flags, StoreName},
    failure::{Exit, Failure},
    file,
    output::{Form, Talk},
};

mod remote;
mod serve;

pub(crate) use remote::Remote;
pub(crate) use serve::Serve;

#[cfg(test)]
mod tests;

/// The settings file that is read where the program is started, if it is there.
const FILE: &str = "stemedb.toml";

/// Length of a settings file at most.
const BYTES_MAX: u64 = 1 << 20;

const DIR_DEFAULT: &str = "./stemedb-data";

/// Where a setting is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The command line.
    Flag,
    /// This environment variable.
    Variable(&'static str),
    /// This settings file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// All settings in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The directory of the database.
    pub(crate) dir: Setting<PathBuf>,
    /// The kind of store of a new database.
    pub(crate) store: Setting<StoreName>,
    /// Whether the answer is JSON.
    pub(crate) json: Setting<bool>,
    /// Whether nothing but answer and errors is said.
    pub(crate) quiet: Setting<bool>,
    /// Bytes of blocks of the stream's engine that are kept in memory.
    pub(crate) stream_cache_bytes_max: Setting<u64>,
    /// Bytes of pages of the engine for what is small that are kept in memory.
    pub(crate) small_cache_bytes_max: Setting<u64>,
    /// Bytes of the filter of known ids.
    pub(crate) known_ids_bytes_max: Setting<u64>,
    /// The settings of `serve`.
    pub(crate) serve: Serve,
    /// The settings of `--url`.
    pub(crate) remote: Remote,
}

impl Settings {
    /// In which form the answer is given.
    pub(crate) fn form(&self) -> Form {
        if self.json.value {
            Form::Json
        } else {
            Form::People
        }
    }

    /// Whether what is not the answer is said.
    pub(crate) fn talk(&self) -> Talk {
        if self.quiet.value {
            Talk::Quiet
        } else {
            Talk::Normal
        }
    }
}

/// What a settings file may say.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    dir: Option<PathBuf>,
    store: Option<String>,
    json: Option<bool>,
    quiet: Option<bool>,
    stream_cache_bytes_max: Option<u64>,
    small_cache_bytes_max: Option<u64>,
    known_ids_bytes_max: Option<u64>,
    listen: Option<String>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    insecure_http: Option<bool>,
    connections_max: Option<u64>,
    connections_per_address_max: Option<u64>,
    requests_per_second_max: Option<u64>,
    url: Option<String>,
    token_file: Option<PathBuf>,
    ca: Option<PathBuf>,
}

/// A settings file that was read.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    path: PathBuf,
    content: Content,
}

/// Gathers the settings; `variable` gives the value of an environment variable.
pub(crate) fn resolve(
    flags: &Flags,
    variable: impl Fn(&'static str) -> Option<OsString>,
) -> Result<Settings, Failure> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let named = flags
        .config
        .clone()
        .or_else(|| variable("STEMEDB_CONFIG").map(PathBuf::from));
    let written = read_file(named)?;
    merge(flags, variable, written)
}

/// What `flags` say, and the defaults.
pub(crate) fn from_flags(flags: &Flags) -> Result<Settings, Failure> {
    let path = FILE.into();
    let content = Content::default();
    merge(flags, |_| None, Written { path, content })
}

fn merge(
    flags: &Flags,
    variable: impl Fn(&'static str) -> Option<OsString>,
    mut written: Written,
) -> Result<Settings, Failure> {
    let path = written.path.clone();
    let beside = path.parent().unwrap_or(Path::new(""));
    let content = &mut written.content;
    let serve = serve::Written {
        listen: content.listen.take(),
        tls_cert: content.tls_cert.take().map(|file| beside.join(file)),
        tls_key: content.tls_key.take().map(|file| beside.join(file)),
        insecure_http: content.insecure_http,
        connections_max: content.connections_max,
        connections_per_address_max: content.connections_per_address_max,
        requests_per_second_max: content.requests_per_second_max,
    };
    let remote = remote::Written {
        url: content.url.take(),
        token_file: content.token_file.take().map(|file| beside.join(file)),
        ca: content.ca.take().map(|file| beside.join(file)),
    };
    let from_file = || Origin::File(path.clone());
    let name = path.display().to_string();
    let serve = serve::merge(&variable, serve, (&format!("{name}: listen"), &from_file))?;
    let remote = remote::merge(flags, &variable, (remote, &name, &from_file))?;
    merge_with(flags, variable, (written, serve, remote))
}

fn merge_with(
    flags: &Flags,
    variable: impl Fn(&'static str) -> Option<OsString>,
    (written, serve, remote): (Written, Serve, Remote),
) -> Result<Settings, Failure> {
    let Written { path, content } = written;
    // What the file calls a directory is meant from where the file is.
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    let store = content
        .store
        .map(|name| store_name(&path.display().to_string(), &name));
    let from_file = || Origin::File(path.clone());
    let switch = |name| {
        variable(name)
            .map(|value| boolean(name, &value))
            .transpose()
    };
    let chosen_store = variable("STEMEDB_STORE").map(|value| {
        let value = value.to_string_lossy();
        store_name("STEMEDB_STORE", &value)
    });
    let pick_switch = |flag, name, written| {
        Ok::<_, Failure>(pick(flag, (name, switch(name)?), written, &from_file).or(false))
    };
    let pick_bytes = |name, written| {
        let value = variable(name).map(|value| bytes(name, &value));
        Ok::<_, Failure>(pick(None, (name, value.transpose()?), written, &from_file))
    };
    Ok(Settings {
        dir: pick(
            flags.dir.clone(),
            ("STEMEDB_DIR", variable("STEMEDB_DIR").map(PathBuf::from)),
            content.dir.map(|dir| beside.join(dir)),
            &from_file,
        )
        .or(DIR_DEFAULT.into()),
        store: pick(
            None,
            ("STEMEDB_STORE", chosen_store.transpose()?),
            store.transpose()?,
            &from_file,
        )
        .or(StoreName::Hybrid),
        json: pick_switch(flags.json, "STEMEDB_JSON", content.json)?,
        quiet: pick_switch(flags.quiet, "STEMEDB_QUIET", content.quiet)?,
        stream_cache_bytes_max: pick_bytes(
            "STEMEDB_STREAM_CACHE_BYTES_MAX",
            content.stream_cache_bytes_max,
        )?
        .or(Builder::STREAM_CACHE_BYTES_DEFAULT),
        small_cache_bytes_max: pick_bytes(
            "STEMEDB_SMALL_CACHE_BYTES_MAX",
            content.small_cache_bytes_max,
        )?
        .or(Builder::SMALL_CACHE_BYTES_DEFAULT),
        known_ids_bytes_max: pick_bytes(
            "STEMEDB_KNOWN_IDS_BYTES_MAX",
            content.known_ids_bytes_max,
        )?
        .or(Builder::KNOWN_IDS_BYTES_DEFAULT),
        serve,
        remote,
    })
}

/// A setting that somebody may have made.
struct Picked<T>(Option<Setting<T>>);

impl<T> Picked<T> {
    fn or(self, value: T) -> Setting<T> {
        let origin = Origin::Default;
        self.0.unwrap_or(Setting { value, origin })
    }
}

/// The first of the three that says something.
fn pick<T>(
    flag: Option<T>,
    (name, variable): (&'static str, Option<T>),
    written: Option<T>,
    from_file: &impl Fn() -> Origin,
) -> Picked<T> {
    let setting = |value, origin| Setting { value, origin };
    let flag = flag.map(|value| setting(value, Origin::Flag));
    let variable = variable.map(|value| setting(value, Origin::Variable(name)));
    Picked(
        flag.or(variable)
            .or_else(|| written.map(|value| setting(value, from_file()))),
    )
}

fn read_file(named: Option<PathBuf>) -> Result<Written, Failure> {
    let is_named = named.is_some();
    let path = named.unwrap_or_else(|| FILE.into());
    let name = path.display().to_string();
    let content = match file::read_text(&path, BYTES_MAX) {
        Ok(text) => parse(&name, &text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => Content::default(),
        Err(error) => return Err(Failure::file(Exit::Configuration, &name, &error)),
    };
    Ok(Written { path, content })
}

fn parse(name: &str, text: &str) -> Result<Content, Failure> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        let message = error.message().replace('\n', " ");
        Failure::new(Exit::Configuration, format!("{name}:{line}: {message}"))
    })
}

fn store_name(place: &str, name: &str) -> Result<StoreName, Failure> {
    StoreName::from_str(name, false).ok().ok_or_else(|| {
        let text = format!("{place}: store is \"{name}\"; known are hybrid and sled");
        Failure::new(Exit::Configuration, text)
    })
}

fn bytes(name: &str, value: &OsString) -> Result<u64, Failure> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        let value = value.to_string_lossy();
        let text = format!("{name} is \"{value}\"; use a number of bytes");
        Failure::new(Exit::Configuration, text)
    })
}

fn boolean(name: &str, value: &OsString) -> Result<bool, Failure> {
    match value.to_str() {
        Some("1" | "true") => Ok(true),
        Some("0" | "false") => Ok(false),
        _ => {
            let value = value.to_string_lossy();
            let text = format!("{name} is \"{value}\"; use true or false");
            Err(Failure::new(Exit::Configuration, text))
        }
    }
}
