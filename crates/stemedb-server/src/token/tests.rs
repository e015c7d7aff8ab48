use std::path::Path;

use super::{NewToken, Scope, TokenError, TokenFile};
use crate::stamp::Stamp;

fn new(name: &str, scopes: &[Scope]) -> NewToken {
    NewToken {
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        days: None,
    }
}

fn text(file: &TokenFile) -> String {
    String::from_utf8(crate::stamp::read_small(file.path(), 1 << 20).unwrap()).unwrap()
}

#[test]
fn a_token_is_found_by_its_whole_text_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    assert_eq!(file.list().unwrap(), None);
    let (token, secret) = file.create(new("a", &[Scope::Read])).unwrap();
    let (other, _) = file.create(new("b", &[Scope::Write])).unwrap();
    assert_eq!(
        file.list().unwrap(),
        Some(vec![token.clone(), other.clone()])
    );
    let secret = secret.reveal().to_owned();
    assert!(!text(&file).contains(secret.rsplit('_').next().unwrap()));
    let tokens = file.read().unwrap().unwrap();
    assert_eq!(tokens.find(&secret, 0), Some(&token));
    for end in 0..secret.len() {
        assert_eq!(tokens.find(&secret[..end], 0), None);
    }
    let upper = secret.to_uppercase();
    for wrong in [
        upper,
        format!("{secret}0"),
        format!(" {secret}"),
        secret.replace(&token.id, &other.id),
    ] {
        assert_eq!(tokens.find(&wrong, 0), None, "{wrong}");
    }
    assert_eq!(file.revoke(&token.id).unwrap(), token);
    assert_eq!(file.read().unwrap().unwrap().find(&secret, 0), None);
    assert!(matches!(
        file.revoke(&token.id),
        Err(TokenError::UnknownId(_))
    ));
    file.revoke(&other.id).unwrap();
    assert_eq!(file.list().unwrap(), Some(Vec::new()));
}

#[test]
fn scopes_allow_what_they_say() {
    let token = |scopes: &[Scope]| super::Token {
        id: String::new(),
        name: String::new(),
        scopes: scopes.to_vec(),
        created_at_ms: 0,
        expires_at_ms: None,
    };
    let allowed = |scopes: &[Scope]| Scope::ALL.map(|scope| token(scopes).allows(scope));
    assert_eq!(allowed(&[Scope::Read]), [true, false, false]);
    assert_eq!(allowed(&[Scope::Write]), [false, true, false]);
    assert_eq!(allowed(&[Scope::Admin]), [true; 3]);
    assert_eq!(allowed(&[Scope::Write, Scope::Read]), [true, true, false]);
}

#[test]
fn a_token_ends_when_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    let mut for_two_days = new("a", &[Scope::Read]);
    for_two_days.days = Some(2);
    let (token, secret) = file.create(for_two_days).unwrap();
    let end = token.expires_at_ms.unwrap();
    assert_eq!(end - token.created_at_ms, 2 * 24 * 3600 * 1000);
    let tokens = file.read().unwrap().unwrap();
    assert!(tokens.find(secret.reveal(), end - 1).is_some());
    assert!(tokens.find(secret.reveal(), end).is_none());
}

#[test]
fn what_cannot_be_a_token_is_refused_and_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    for name in ["", "a\nb", &"x".repeat(101)] {
        let refused = file.create(new(name, &[Scope::Read]));
        assert!(matches!(refused, Err(TokenError::Name { .. })), "{name}");
    }
    let refused = file.create(new("a", &[]));
    assert!(matches!(refused, Err(TokenError::NoScope)));
    assert!("reader".parse::<Scope>().is_err());
    assert_eq!(file.list().unwrap(), None);
    let nowhere = TokenFile::of(directory.path().join("nowhere"));
    assert!(nowhere.create(new("a", &[Scope::Read])).is_err());
}

fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true);
    file = file.append(false);
    file.open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_damaged_file_is_no_file_of_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    file.create(new("a", &[Scope::Read])).unwrap();
    let sound = text(&file);
    let id = file.list().unwrap().unwrap()[0].id.clone();
    let row = sound.split_once('[').unwrap().1.rsplit_once(']').unwrap().0;
    let damaged = [
        sound.replace("\"version\": 1", "\"version\": 2"),
        sound.replace("\"version\": 1,", ""),
        sound.replace("\"name\"", "\"more\": 1, \"name\""),
        sound.replace("\"read\"", "\"root\""),
        sound.replace("\"read\"", ""),
        sound.replace("\"hash\": \"", "\"hash\": \"0"),
        sound.replace(&id, "short"),
        sound.replace("created_at\": \"2", "created_at\": \"x"),
        sound.replace(row, &format!("{row},{row}")),
        "null".to_owned(),
    ];
    for (number, text) in damaged.iter().enumerate() {
        assert_ne!(*text, sound, "{number}");
        write(file.path(), text);
        assert!(
            matches!(file.read(), Err(TokenError::Damaged { .. })),
            "{text}"
        );
        assert!(file.create(new("b", &[Scope::Admin])).is_err(), "{text}");
    }
    // The line feed at its end is no part of what it says.
    for end in 0..sound.len() - 1 {
        write(file.path(), &sound[..end]);
        assert!(file.read().is_err(), "{end}");
    }
    write(file.path(), &sound);
    assert_eq!(file.list().unwrap().unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    // What a crash left behind is neither kept nor followed.
    let aside = directory.path().join("tokens.json.tmp");
    write(&aside, "left behind");
    std::fs::set_permissions(&aside, PermissionsExt::from_mode(0o666)).unwrap();
    let file = TokenFile::of(directory.path());
    file.create(new("a", &[Scope::Read])).unwrap();
    for name in ["tokens.json", "tokens.lock"] {
        let mode = directory.path().join(name).metadata().unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert!(!aside.exists());
}

#[test]
fn processes_that_change_it_at_once_lose_no_token() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    file.create(new("a", &[Scope::Read])).unwrap();
                }
            });
        }
    });
    assert_eq!(file.list().unwrap().unwrap().len(), 40);
}

/// What lies there may be tokens whenever the link leads somewhere: a server that took it for none would be open meanwhile.
#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_no_absence_of_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let file = TokenFile::of(directory.path());
    assert_eq!(file.read().unwrap().map(|_| ()), None);
    for target in ["elsewhere", "tokens.json"] {
        std::os::unix::fs::symlink(target, file.path()).unwrap();
        assert!(file.read().is_err(), "{target}");
        assert!(Stamp::of(file.path()).is_err(), "{target}");
        std::fs::remove_file(file.path()).unwrap();
    }
    assert_eq!(Stamp::of(file.path()).unwrap(), None);
}
