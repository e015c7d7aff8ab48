//! The marker: the file that says that a directory is a database. It is written last.

use std::path::{Path, PathBuf};

use crate::error::{Cause, Result};
use crate::{StoreKind, file};

/// Version of the layout of a database directory.
const FORMAT: u32 = 1;
const FIRST_LINE: &str = "stemedb database";

/// What the marker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The journal's id in hex.
    pub(crate) journal: String,
    pub(crate) store: StoreKind,
}

impl Marker {
    pub(crate) fn path(directory: &Path) -> PathBuf {
        directory.join("stemedb.marker")
    }

    /// Reads the marker of a directory; `None` where there is none.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>> {
        let path = Self::path(directory);
        let text = file::read_text(&path)?;
        text.map(|text| Self::parse(&text, &path)).transpose()
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let Self { journal, store } = self;
        let text = format!("{FIRST_LINE}\nformat {FORMAT}\njournal {journal}\nstore {store}\n");
        file::write_whole(&Self::path(directory), &text)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let mut lines = text.lines();
        let mut field = |name: &'static str| {
            let line = lines.next().unwrap_or_default();
            let value = line.strip_prefix(name).map(str::trim);
            value.ok_or_else(|| Cause::Marker {
                path: path.to_owned(),
                line: if line.is_empty() {
                    "it ends early".to_owned()
                } else {
                    line.escape_debug().to_string()
                },
            })
        };
        field(FIRST_LINE)?;
        let found = field("format ")?;
        if found.parse() != Ok(FORMAT) {
            return Err(Cause::MarkerVersion {
                path: path.to_owned(),
                found: found.to_owned(),
                supported: FORMAT,
            }
            .into());
        }
        let journal = field("journal ")?.to_owned();
        let store = field("store ")?;
        let store = store.parse().or(Err(Cause::Marker {
            path: path.to_owned(),
            line: format!("store {}", store.escape_debug()),
        }))?;
        Ok(Self { journal, store })
    }
}

/// A word that names no store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no store; there are hybrid and sled")]
pub struct UnknownStore(String);

impl std::str::FromStr for StoreKind {
    type Err = UnknownStore;

    fn from_str(text: &str) -> std::result::Result<Self, UnknownStore> {
        match text {
            "hybrid" => Ok(Self::Hybrid),
            "sled" => Ok(Self::Sled),
            other => Err(UnknownStore(other.to_owned())),
        }
    }
}

impl std::fmt::Display for StoreKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Marker;
    use crate::{ErrorKind, StoreKind};

    #[test]
    fn a_marker_is_read_back_and_a_newer_or_foreign_one_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Marker::read(directory.path()).unwrap(), None);
        let marker = Marker {
            journal: "ab".repeat(16),
            store: StoreKind::Hybrid,
        };
        marker.write(directory.path()).unwrap();
        assert_eq!(Marker::read(directory.path()).unwrap(), Some(marker));
        let path = Marker::path(directory.path());
        for (text, kind) in [
            ("stemedb database\nformat 2\n", ErrorKind::Unsupported),
            ("", ErrorKind::Corruption),
            ("hello", ErrorKind::Corruption),
            (
                "stemedb database\nformat 1\njournal x\nstore rocks\n",
                ErrorKind::Corruption,
            ),
        ] {
            crate::file::write_whole(&path, text).unwrap();
            assert_eq!(
                Marker::read(directory.path()).unwrap_err().kind(),
                kind,
                "{text}"
            );
        }
    }
}
