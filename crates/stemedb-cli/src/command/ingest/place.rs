//! Where results and rejects may be written: never over an input, over the database, or over each other.

use std::path::{Path, PathBuf};

use crate::{
    args::Ingest,
    failure::{Exit, Failure},
    file, input,
};

/// A file that is to be written.
struct Written<'a> {
    flag: &'static str,
    path: &'a Path,
    /// Where it lies, or would lie.
    place: PathBuf,
}

/// Refuses files of results and rejects that cannot be begun anew without a loss; changes nothing.
pub(super) fn check(args: &Ingest, directory: Option<&Path>) -> Result<(), Failure> {
    let results = written("--results", args.results.as_deref())?;
    let rejects = written("--rejects", args.rejects.as_deref())?;
    for file in results.iter().chain(&rejects) {
        refuse_input(file, &args.files)?;
        directory.map_or(Ok(()), |directory| refuse_inside(file, directory))?;
    }
    match (results, rejects) {
        (Some(one), Some(other)) if one.is(&other.place) => {
            Err(refusal(&other, "is the file of --results too"))
        }
        _ => Ok(()),
    }
}

/// The file that is meant by `path`, unless it is a device or a pipe: those lose nothing.
fn written<'a>(flag: &'static str, path: Option<&'a Path>) -> Result<Option<Written<'a>>, Failure> {
    let holds_bytes = |path: &&Path| path.metadata().map_or(true, |found| found.is_file());
    let Some(path) = path.filter(holds_bytes) else {
        return Ok(None);
    };
    let place = file::resolve(path)
        .map_err(|error| Failure::file(Exit::Unavailable, &input::name(path), &error))?;
    Ok(Some(Written { flag, path, place }))
}

impl Written<'_> {
    fn is(&self, other: &Path) -> bool {
        file::is_same(&self.place, other)
    }
}

fn refuse_input(file: &Written<'_>, inputs: &[PathBuf]) -> Result<(), Failure> {
    let is_input = |input: &&PathBuf| file.is(input::place(input));
    match inputs.iter().find(is_input) {
        Some(input) => {
            let why = format!("is the input {} too", input::name(input));
            Err(refusal(file, &why))
        }
        None => Ok(()),
    }
}

fn refuse_inside(file: &Written<'_>, directory: &Path) -> Result<(), Failure> {
    let name = input::name(directory);
    let inside = file::resolve(directory)
        .map_err(|error| Failure::file(Exit::Unavailable, &name, &error))?;
    if file.place.starts_with(inside) {
        let why = format!("lies inside the database {name}");
        return Err(refusal(file, &why));
    }
    Ok(())
}

fn refusal(file: &Written<'_>, why: &str) -> Failure {
    let text = format!("{} {}: {why}", file.flag, input::name(file.path));
    Failure::new(Exit::Usage, text).advise("name another file, its content would be lost")
}
