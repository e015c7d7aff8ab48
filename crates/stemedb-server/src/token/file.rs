//! The file of tokens: read as a whole, and replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Entry, ID_BYTES, NewToken, PREFIX, SECRET_BYTES, Scope, Secret, Token, TokenError, Tokens,
    hash, now_ms,
};
use crate::limits::{TOKEN_FILE_BYTES_MAX, TOKEN_NAME_CHARS_MAX, TOKENS_MAX};
use crate::stamp::{none_at, read_small};

const VERSION: u32 = 1;
const MS_PER_DAY: u64 = 24 * 60 * 60 * 1000;

type Result<T> = std::result::Result<T, TokenError>;

/// The file of tokens of one database.
///
/// It can be changed while the database is in use, by several processes at once: a lock of its own, `tokens.lock`, puts them in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFile {
    path: PathBuf,
}

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    tokens: Vec<Row>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    name: String,
    scopes: Vec<Scope>,
    hash: String,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl TokenFile {
    /// The file for the database in `directory`; it may not be there.
    #[must_use]
    pub fn of(directory: impl AsRef<Path>) -> Self {
        let path = directory.as_ref().join("tokens.json");
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All tokens, in the order in which they were made; `None` where there is no file.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or holds what makes no sense.
    pub fn list(&self) -> Result<Option<Vec<Token>>> {
        let tokens = self.read()?;
        Ok(tokens.map(|tokens| tokens.tokens().cloned().collect()))
    }

    /// Makes a token. Its secret is given out here and never again.
    ///
    /// # Errors
    ///
    /// Where the name or the scopes cannot be, there are too many tokens, or the file cannot be read or replaced.
    pub fn create(&self, new: NewToken) -> Result<(Token, Secret)> {
        check(&new)?;
        let _turn = self.turn()?;
        let mut tokens = self.read()?.unwrap_or_default();
        if tokens.0.len() >= TOKENS_MAX {
            return Err(TokenError::TooMany { max: TOKENS_MAX });
        }
        let (id, secret) = (random::<ID_BYTES>()?, random::<SECRET_BYTES>()?);
        let created_at_ms = now_ms();
        let lasts_ms = |days| u64::from(days) * MS_PER_DAY;
        let token = Token {
            id: id.clone(),
            name: new.name,
            scopes: new.scopes,
            created_at_ms,
            expires_at_ms: new.days.map(|days| created_at_ms + lasts_ms(days)),
        };
        let hash = hash(&secret);
        let entry = Entry {
            token: token.clone(),
            hash,
        };
        tokens.0.push(entry);
        self.write(&tokens)?;
        Ok((token, Secret(format!("{PREFIX}{id}_{secret}"))))
    }

    /// Ends a token. The file stays when it was the last one, so that nothing is opened by that.
    ///
    /// # Errors
    ///
    /// Where there is no such token, or the file cannot be read or replaced.
    pub fn revoke(&self, id: &str) -> Result<Token> {
        let _turn = self.turn()?;
        let mut tokens = self.read()?.unwrap_or_default();
        let place = tokens.tokens().position(|token| token.id == id);
        let place = place.ok_or_else(|| TokenError::UnknownId(id.to_owned()))?;
        let revoked = tokens.0.remove(place);
        self.write(&tokens)?;
        Ok(revoked.token)
    }

    /// What the file holds; `None` where there is none.
    pub(crate) fn read(&self) -> Result<Option<Tokens>> {
        match read_small(&self.path, TOKEN_FILE_BYTES_MAX) {
            Ok(bytes) => parse(&bytes).map(Some).map_err(|reason| {
                let path = self.path.clone();
                TokenError::Damaged { path, reason }
            }),
            Err(error) => none_at(&self.path, error).map_err(failed("read", &self.path)),
        }
    }

    // Durability: written aside, synced, renamed, and the directory synced: a crash leaves the old tokens or the new ones.
    fn write(&self, tokens: &Tokens) -> Result<()> {
        let aside = self.path.with_extension("json.tmp");
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &aside)(error));
            }
            _ => {}
        }
        let mut file = secret_file(&aside, OpenOptions::new().write(true).create_new(true))?;
        let written = file.write_all(&text(tokens));
        written.map_err(failed("write", &aside))?;
        file.sync_all().map_err(failed("sync", &aside))?;
        fs::rename(&aside, &self.path).map_err(failed("replace", &self.path))?;
        sync_directory(&self.path)
    }

    /// Waits for the turn of this process; it lasts as long as the file is open.
    fn turn(&self) -> Result<File> {
        let path = self.path.with_extension("lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = secret_file(&path, &mut options)?;
        file.lock().map_err(failed("lock", &path))?;
        Ok(file)
    }
}

/// Opens a file that is its owner's alone, if it is created by that.
fn secret_file(path: &Path, options: &mut OpenOptions) -> Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path).map_err(failed("create", path))
}

/// Makes the names in the directory of `path` durable; elsewhere than on Unix a directory cannot be opened.
fn sync_directory(path: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    let opened = OpenOptions::new().read(true).open(directory);
    let synced = opened.and_then(|directory| directory.sync_all());
    synced.map_err(failed("sync", directory))
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TokenError {
    let path = path.to_owned();
    move |source| TokenError::Io {
        path,
        operation,
        source,
    }
}

fn check(new: &NewToken) -> Result<()> {
    if new.scopes.is_empty() {
        return Err(TokenError::NoScope);
    }
    if is_name(&new.name) {
        return Ok(());
    }
    let max = TOKEN_NAME_CHARS_MAX;
    Err(TokenError::Name { max })
}

fn is_name(name: &str) -> bool {
    let count = name.chars().count();
    (1..=TOKEN_NAME_CHARS_MAX).contains(&count) && !name.chars().any(char::is_control)
}

fn random<const BYTES: usize>() -> Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(TokenError::Random)?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.filter_map(|digit| char::from_digit(u32::from(digit), 16));
    digits.collect()
}

/// The bytes of the file.
fn text(tokens: &Tokens) -> Vec<u8> {
    let rows = tokens.0.iter().map(|Entry { token, hash }| Row {
        id: token.id.clone(),
        name: token.name.clone(),
        scopes: token.scopes.clone(),
        hash: hash.to_hex().to_string(),
        created_at: time(token.created_at_ms),
        expires_at: token.expires_at_ms.map(time),
    });
    let document = Document {
        version: VERSION,
        tokens: rows.collect(),
    };
    let mut text = serde_json::to_vec_pretty(&document).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Reads the bytes of the file; whatever is not understood is refused.
fn parse(bytes: &[u8]) -> std::result::Result<Tokens, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if document.version != VERSION {
        let found = document.version;
        return Err(format!("version {found}, this program knows {VERSION}"));
    }
    if document.tokens.len() > TOKENS_MAX {
        return Err(format!("more than {TOKENS_MAX} tokens"));
    }
    let mut tokens = Tokens::default();
    for row in document.tokens {
        let id = row.id.clone();
        if tokens.tokens().any(|token| token.id == id) {
            return Err(format!("token {id} is there twice"));
        }
        let entry = entry(row).map_err(|what| format!("token {id}: {what}"))?;
        tokens.0.push(entry);
    }
    Ok(tokens)
}

fn entry(row: Row) -> std::result::Result<Entry, &'static str> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if row.id.len() != 2 * ID_BYTES || !row.id.bytes().all(is_hex) {
        return Err("the id is malformed");
    }
    if !is_name(&row.name) {
        return Err("the name is malformed");
    }
    if row.scopes.is_empty() {
        return Err("there is no scope");
    }
    let hash = blake3::Hash::from_hex(&row.hash).or(Err("the hash is malformed"))?;
    let token = Token {
        id: row.id,
        name: row.name,
        scopes: row.scopes,
        created_at_ms: ms(&row.created_at).ok_or("created_at is malformed")?,
        expires_at_ms: match row.expires_at {
            Some(text) => Some(ms(&text).ok_or("expires_at is malformed")?),
            None => None,
        },
    };
    Ok(Entry { token, hash })
}

/// RFC 3339, to the millisecond.
fn time(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}

fn ms(text: &str) -> Option<u64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}
