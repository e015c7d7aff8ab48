//! The settings of `--url`: where a server is, and how it knows who asks.

use std::{ffi::OsString, fmt, path::PathBuf};

use hyper::header::HeaderValue;

use super::{Origin, Setting, pick};
use crate::{
    args::Flags,
    failure::{Exit, Failure},
    file,
    remote::ServerUrl,
};

/// Bytes of a file whose first line is a token.
const TOKEN_FILE_BYTES_MAX: u64 = 64 << 10;

/// What a server is shown; it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    fn parse(place: &str, text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let is_token = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token {
            return Ok(Self(text.to_owned()));
        }
        let text = format!(
            "{place}: no token; it is one word of ASCII, as `stemedb token create` prints it"
        );
        Err(Failure::new(Exit::Configuration, text))
    }

    /// The value of the header `authorization`.
    pub(crate) fn header(&self) -> Result<HeaderValue, Failure> {
        let value = HeaderValue::try_from(format!("Bearer {}", self.0));
        let mut value =
            value.map_err(|error| Failure::caused(Exit::Configuration, "token", &error))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// The settings of `--url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// The server that is asked in place of a directory.
    pub(crate) url: Setting<Option<ServerUrl>>,
    /// A token.
    pub(crate) token: Setting<Option<Token>>,
    /// The file whose first line is one.
    pub(crate) token_file: Setting<Option<PathBuf>>,
    /// The file of the certificate authorities that are believed, in place of those of the machine.
    pub(crate) ca: Setting<Option<PathBuf>>,
}

impl Remote {
    /// The token, if there is one: a flag names a file that counts for more than a variable.
    pub(crate) fn token(&self) -> Result<Option<Token>, Failure> {
        if self.token_file.origin != Origin::Flag
            && let Some(token) = &self.token.value
        {
            return Ok(Some(token.clone()));
        }
        let Some(path) = &self.token_file.value else {
            return Ok(None);
        };
        let name = path.display().to_string();
        let text = file::read_text(path, TOKEN_FILE_BYTES_MAX)
            .map_err(|error| Failure::file(Exit::Configuration, &name, &error))?;
        Token::parse(&name, text.lines().next().unwrap_or_default()).map(Some)
    }
}

/// What the settings file says of them.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) url: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
}

/// Gathers them.
pub(super) fn merge(
    flags: &Flags,
    variable: impl Fn(&'static str) -> Option<OsString>,
    (written, file, from_file): (Written, &str, &impl Fn() -> Origin),
) -> Result<Remote, Failure> {
    let path = |flag: &Option<PathBuf>, name, written: Option<PathBuf>| {
        let value = variable(name).map(|value| Some(PathBuf::from(value)));
        pick(
            flag.clone().map(Some),
            (name, value),
            written.map(Some),
            from_file,
        )
        .or(None)
    };
    let token = variable("STEMEDB_TOKEN")
        .map(|text| Token::parse("STEMEDB_TOKEN", &text.to_string_lossy()).map(Some));
    let token = ("STEMEDB_TOKEN", token.transpose()?);
    Ok(Remote {
        url: url(flags, &variable, (written.url, file, from_file))?,
        token: pick(None, token, None, from_file).or(None),
        token_file: path(&flags.token_file, "STEMEDB_TOKEN_FILE", written.token_file),
        ca: path(&flags.ca, "STEMEDB_CA", written.ca),
    })
}

fn url(
    flags: &Flags,
    variable: &impl Fn(&'static str) -> Option<OsString>,
    (written, file, from_file): (Option<String>, &str, &impl Fn() -> Origin),
) -> Result<Setting<Option<ServerUrl>>, Failure> {
    match (&flags.url, &flags.dir) {
        (Some(_), Some(_)) => {
            let text = "--url and --dir: name a server or a directory, and not both";
            return Err(Failure::new(Exit::Usage, text));
        }
        // A directory that is named counts for more than a server that is set somewhere.
        (None, Some(_)) => {
            let (value, origin) = (None, Origin::Flag);
            return Ok(Setting { value, origin });
        }
        _ => {}
    }
    let parse = |place: &str, text: &str, exit| {
        let url = text.parse::<ServerUrl>();
        url.map(Some)
            .map_err(|why| Failure::new(exit, format!("{place} is \"{text}\"; {why}")))
    };
    let flag = flags.url.as_ref();
    let flag = flag.map(|text| parse("--url", text, Exit::Usage));
    let name = "STEMEDB_URL";
    let set = variable(name)
        .filter(|_| flag.is_none())
        .map(|text| parse(name, &text.to_string_lossy(), Exit::Configuration));
    let written = written.map(|text| parse(&format!("{file}: url"), &text, Exit::Configuration));
    let (flag, set) = (flag.transpose()?, set.transpose()?);
    Ok(pick(flag, (name, set), written.transpose()?, from_file).or(None))
}
