use super::*;

fn manifest(head_hash: Option<GroupHash>) -> Manifest {
    Manifest {
        journal: JournalId([0xab; 16]),
        segments: 17,
        last_bytes: 1 << 20,
        end_hash: GroupHash([0xcd; 32]),
        last_sequence: 123_456,
        head_hash,
        note: "hybrid".to_owned(),
    }
}

fn parse(text: &str) -> Result<Manifest, Error> {
    Manifest::parse(text, Path::new("manifest"))
}

#[test]
fn a_manifest_is_read_back() {
    for head in [None, Some(GroupHash([0xef; 32]))] {
        let manifest = manifest(head);
        assert_eq!(parse(&manifest.text()).unwrap(), manifest);
    }
}

#[test]
fn a_manifest_in_which_anything_is_missing_or_added_is_refused() {
    let text = manifest(Some(GroupHash([1; 32]))).text();
    for cut in 0..text.len() {
        let refused = parse(&text[..cut]);
        assert!(matches!(refused, Err(Error::Manifest { .. })), "{cut}");
    }
    for changed in [
        text.replace("segments 17", "segments 017"),
        text.replace("segments 17", "segments +17"),
        text.replace("abab", "ABAB"),
        format!("{text}\n"),
        text.replace('\n', "\r\n"),
    ] {
        assert!(parse(&changed).is_err(), "{changed}");
    }
}

#[test]
fn a_newer_manifest_is_told_apart() {
    let text = manifest(None).text().replace("format 1", "format 2");
    let refused = parse(&text);
    assert!(matches!(
        refused,
        Err(Error::UnsupportedVersion { found: 2, .. })
    ));
}
