//! Pages, cursors, as-of, and what names do not match.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use stemedb::{
    Database, Epoch, ErrorKind, Listed, Listing, Page, PageCursor, Record, Result, Sequence,
    Stored, View,
};

use crate::support::{
    Place, claim, creating, epoch, id, kinds, numbered, predicate, refused, store, subject, values,
    vote_on,
};

/// A database with something of everything under names that begin alike.
#[derive(Debug)]
struct Library {
    database: Database,
    _place: Place,
}

fn library() -> Library {
    let place = Place::new();
    let database = place.database();
    let mut records = Vec::new();
    for number in 0..12_u64 {
        for name in ["Tesla", "Tesla_Inc", "Tes", "Tesla Inc", "T\u{e9}sla"] {
            let property = ["height", "heigh", "country"][usize::try_from(number % 3).unwrap()];
            records.push(claim(name, property, &number.to_string()));
        }
    }
    let first = id(&records[0]);
    for step in 0..9_i32 {
        records.push(vote_on(first, f64::from(step) / 10.0));
    }
    let mut before = None;
    for name in ["2024", "2025", "2026"] {
        let period = epoch(name, before);
        before = Some(id(&period));
        records.push(period);
    }
    store(&database, records);
    Library {
        database,
        _place: place,
    }
}

fn first_claim() -> stemedb::RecordId {
    id(&claim("Tesla", "height", "0"))
}

/// Every listing of stored records, by number.
fn stored_listing(view: &View, which: usize, page: &Page) -> Result<Listing<Stored>> {
    match which {
        0 => view.assertions(&subject("Tesla"), None, page),
        1 => view.assertions(&subject("Tesla"), Some(&predicate("height")), page),
        2 => view.votes(first_claim(), page),
        _ => view.epochs(page),
    }
}

/// Reads a listing in pages of the given sizes, over and over.
fn in_pages<T>(
    sizes: &[usize],
    mut list: impl FnMut(&Page) -> Result<Listing<T>>,
) -> Vec<Listed<T>> {
    let mut all: Vec<Listed<T>> = Vec::new();
    for size in sizes.iter().cycle() {
        let page = Page {
            as_of: None,
            // As text, the way a client hands it back.
            after: all
                .last()
                .map(|item| item.cursor.to_string().parse().unwrap()),
        };
        let items: Vec<_> = list(&page)
            .unwrap()
            .take(*size)
            .map(Result::unwrap)
            .collect();
        if items.is_empty() {
            break;
        }
        all.extend(items);
    }
    all
}

#[test]
fn pages_of_any_sizes_make_the_whole_listing() {
    let library = library();
    let mut runner = proptest::test_runner::TestRunner::default();
    let sizes = prop::collection::vec(1..9_usize, 1..5);
    let strategy = (sizes, 0..5_usize);
    let expected = [12 * 5 / 5, 4, 9, 3];
    let result = runner.run(&strategy, |(sizes, which)| {
        let view = library.database.view().unwrap();
        if which == 4 {
            let whole: Vec<_> = view
                .subjects("", &Page::default())
                .unwrap()
                .map(Result::unwrap)
                .collect();
            prop_assert_eq!(whole.len(), 5);
            prop_assert_eq!(in_pages(&sizes, |page| view.subjects("", page)), whole);
        } else {
            let whole: Vec<_> = stored_listing(&view, which, &Page::default())
                .unwrap()
                .map(Result::unwrap)
                .collect();
            prop_assert_eq!(whole.len(), expected[which]);
            prop_assert_eq!(
                in_pages(&sizes, |page| stored_listing(&view, which, page)),
                whole
            );
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn a_cursor_goes_on_in_a_later_view_with_what_arrived_since() {
    let library = library();
    let view = library.database.view().unwrap();
    let list = |view: &View, after| {
        let page = Page { as_of: None, after };
        let listing = view.assertions(&subject("Tesla"), Some(&predicate("height")), &page);
        listing.unwrap().map(Result::unwrap).collect::<Vec<_>>()
    };
    let last = list(&view, None).pop().unwrap().cursor;
    store(&library.database, vec![claim("Tesla", "height", "new")]);
    assert!(
        list(&view, Some(last.clone())).is_empty(),
        "a view stays as it is"
    );
    let later = list(&library.database.view().unwrap(), Some(last));
    assert_eq!(later.len(), 1);
    assert_eq!(later[0].value.record, claim("Tesla", "height", "new"));
}

#[test]
fn names_that_begin_alike_are_told_apart() {
    let library = library();
    let view = library.database.view().unwrap();
    for name in ["Tesla", "Tesla_Inc", "Tes", "Tesla Inc"] {
        let found = values(view.assertions(&subject(name), None, &Page::default()));
        assert_eq!(found.len(), 12, "{name}");
        for property in ["height", "heigh", "country"] {
            let found = values(view.assertions(
                &subject(name),
                Some(&predicate(property)),
                &Page::default(),
            ));
            assert_eq!(found.len(), 4, "{name} {property}");
            assert!(found.iter().all(|stored| matches!(
                &stored.record,
                Record::Assertion(it) if it.subject.as_str() == name && it.predicate.as_str() == property
            )));
            assert!(found.is_sorted_by_key(|stored| stored.sequence));
        }
        let none = view.assertions(&subject(name), Some(&predicate("hei")), &Page::default());
        assert!(values(none).is_empty());
    }
    assert!(values(view.assertions(&subject("Tesl"), None, &Page::default())).is_empty());
}

#[test]
fn subjects_are_counted_by_prefix_and_in_the_order_of_their_bytes() {
    let library = library();
    let view = library.database.view().unwrap();
    let names = |prefix: &str| -> Vec<_> {
        let listing = view.subjects(prefix, &Page::default());
        let counted = values(listing).into_iter();
        counted
            .map(|it| (it.subject.as_str().to_owned(), it.assertions))
            .collect()
    };
    let of = |names: &[&str]| {
        names
            .iter()
            .map(|name| ((*name).to_owned(), 12))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(""),
        of(&["Tes", "Tesla", "Tesla Inc", "Tesla_Inc", "T\u{e9}sla"])
    );
    assert_eq!(names("Tesla"), of(&["Tesla", "Tesla Inc", "Tesla_Inc"]));
    assert_eq!(names("Tesla_"), of(&["Tesla_Inc"]));
    assert_eq!(names("x"), of(&[]));
}

#[test]
fn as_of_shows_what_had_arrived_then() {
    let library = library();
    let view = library.database.view().unwrap();
    let applied = view.applied().unwrap();
    assert_eq!(applied.get(), 72);
    for as_of in 1..=72 {
        let as_of = Sequence::new(as_of).unwrap();
        let page = Page {
            as_of: Some(as_of),
            after: None,
        };
        for which in 0..4 {
            let mut expected = values(stored_listing(&view, which, &Page::default()));
            expected.retain(|stored| stored.sequence <= as_of);
            assert_eq!(values(stored_listing(&view, which, &page)), expected);
        }
        let counted: u64 = values(view.subjects("", &page))
            .iter()
            .map(|it| it.assertions)
            .sum();
        assert_eq!(counted, as_of.get().min(60));
    }
}

#[test]
fn as_of_what_is_not_applied_yet_is_refused() {
    let library = library();
    let view = library.database.view().unwrap();
    let page = Page {
        as_of: Sequence::new(73),
        after: None,
    };
    for which in 0..4 {
        let refusal = stored_listing(&view, which, &page).err().unwrap();
        assert_eq!(refusal.kind(), ErrorKind::Invalid);
        assert_eq!(
            refusal.to_string(),
            "sequence 73 is not applied yet; the last is 72"
        );
    }
    assert!(view.subjects("", &page).is_err());
    assert!(view.quarantine(&page).is_err());
    // The one that comes next is, once it has come; the old view stays as it is.
    store(&library.database, vec![numbered(0)]);
    assert!(view.epochs(&page).is_err());
    assert!(library.database.view().unwrap().epochs(&page).is_ok());

    let place = Place::new();
    let empty = place.database().view().unwrap();
    assert_eq!(empty.applied(), None);
    let page = Page {
        as_of: Some(Sequence::FIRST),
        after: None,
    };
    let refusal = empty.epochs(&page).err().unwrap();
    assert_eq!(
        refusal.to_string(),
        "sequence 1 is not applied yet; the last is 0"
    );
}

fn cursors<T>(listing: Result<Listing<T>>) -> Vec<PageCursor> {
    listing.unwrap().map(|item| item.unwrap().cursor).collect()
}

/// A cursor of an assertion was taken for one of a listing of subjects, which then gave the rest of its subject as if it were all.
#[test]
fn a_cursor_of_another_listing_is_refused() {
    let library = library();
    let view = library.database.view().unwrap();
    let all = Page::default();
    let of_subjects = cursors(view.subjects("", &all));
    let of_assertions = cursors(view.assertions(&subject("Tesla"), None, &all));
    let of_votes = cursors(view.votes(first_claim(), &all));
    let of_epochs = cursors(view.epochs(&all));
    let of_others = cursors(view.assertions(&subject("Tesla_Inc"), None, &all));
    let page = |cursor: &PageCursor| Page {
        as_of: None,
        after: Some(cursor.clone()),
    };
    let refuse = |result: Result<()>| {
        assert_eq!(
            refused(result, ErrorKind::Invalid).to_string(),
            "the cursor is not one that this listing gave out"
        );
    };
    for cursor in of_assertions.iter().chain(&of_votes).chain(&of_epochs) {
        refuse(view.subjects("", &page(cursor)).map(drop));
        refuse(view.quarantine(&page(cursor)).map(drop));
    }
    for cursor in of_subjects
        .iter()
        .chain(&of_votes)
        .chain(&of_epochs)
        .chain(&of_others)
    {
        refuse(
            view.assertions(&subject("Tesla"), None, &page(cursor))
                .map(drop),
        );
    }
    for cursor in of_subjects.iter().chain(&of_assertions).chain(&of_epochs) {
        refuse(view.votes(first_claim(), &page(cursor)).map(drop));
    }
    for cursor in of_subjects.iter().chain(&of_assertions).chain(&of_votes) {
        refuse(view.epochs(&page(cursor)).map(drop));
    }
    let (other_predicate, other_prefix) = (predicate("country"), "Tesla_");
    for cursor in cursors(view.assertions(&subject("Tesla"), Some(&predicate("height")), &all)) {
        refuse(
            view.assertions(&subject("Tesla"), Some(&other_predicate), &page(&cursor))
                .map(drop),
        );
    }
    refuse(
        view.subjects(other_prefix, &page(&of_subjects[0]))
            .map(drop),
    );
}

#[test]
fn a_cursor_that_is_no_cursor_is_refused() {
    for text in ["", "0", "zz", "+1", "53:", "5", "535"] {
        let refusal = text.parse::<PageCursor>().map(drop);
        refused(refusal, ErrorKind::Invalid);
    }
    assert!("533a".parse::<PageCursor>().is_ok());
}

#[test]
fn a_record_of_any_type_is_found_by_its_id() {
    for kind in kinds() {
        let place = Place::new();
        let database = creating().store(kind).open(place.path()).unwrap();
        let records = vec![
            numbered(1),
            vote_on(id(&numbered(1)), 1.0),
            epoch("2026", None),
        ];
        store(&database, records.clone());
        let view = database.view().unwrap();
        for (record, sequence) in records.into_iter().zip(1..) {
            let stored = view.get(id(&record)).unwrap().unwrap();
            assert_eq!(stored.id, id(&record));
            assert_eq!(stored.sequence.get(), sequence);
            assert_eq!(stored.record, record);
            assert!(stored.arrived_at_ms > 1_600_000_000_000);
        }
        assert_eq!(view.get(id(&numbered(2))).unwrap(), None);
        let counts = view.counts();
        assert_eq!((counts.assertions, counts.votes, counts.epochs), (1, 1, 1));
    }
}

#[test]
fn a_chain_of_epochs_ends_where_nothing_more_is_known() {
    let library = library();
    let view = library.database.view().unwrap();
    let oldest = epoch("2024", None);
    let middle = epoch("2025", Some(id(&oldest)));
    let newest = epoch("2026", Some(id(&middle)));
    let chain = |of: &Record| -> Vec<Record> {
        let chain = view.epoch_chain(id(of)).unwrap();
        chain.into_iter().map(|stored| stored.record).collect()
    };
    assert_eq!(
        chain(&newest),
        vec![newest.clone(), middle.clone(), oldest.clone()]
    );
    assert_eq!(chain(&oldest), vec![oldest]);
    assert_eq!(chain(&epoch("2030", None)), vec![]);
    assert_eq!(chain(&claim("Tesla", "height", "0")), vec![]);

    let orphan = epoch("2027", Some(id(&epoch("never", None))));
    store(&library.database, vec![orphan.clone()]);
    let view = library.database.view().unwrap();
    assert_eq!(view.epoch_chain(id(&orphan)).unwrap().len(), 1);
}

#[test]
fn a_view_stays_as_it_is() {
    for kind in kinds() {
        let place = Place::new();
        let database = creating().store(kind).open(place.path()).unwrap();
        store(&database, (0..7).map(numbered).collect());
        let view = database.view().unwrap();
        let before = (
            view.counts(),
            view.applied(),
            values(view.subjects("", &Page::default())),
        );
        store(&database, (7..100).map(numbered).collect());
        assert_eq!(
            (
                view.counts(),
                view.applied(),
                values(view.subjects("", &Page::default()))
            ),
            before
        );
        assert_eq!(view.get(id(&numbered(50))).unwrap(), None);
        assert!(
            database
                .view()
                .unwrap()
                .get(id(&numbered(50)))
                .unwrap()
                .is_some()
        );
    }
}

#[test]
fn a_view_as_of_a_sequence_shows_nothing_that_came_later() {
    let place = Place::new();
    let database = place.database();
    let early: Record = Epoch::new("2025".parse().unwrap(), "a".parse().unwrap()).into();
    let first = database.add(early).unwrap();
    let late = Epoch::new("2026".parse().unwrap(), "a".parse().unwrap()).with_supersedes(first.id);
    let second = database.add(late).unwrap();
    let claim = database.add(numbered(1)).unwrap();
    database.wait_applied(claim.sequence).wait().unwrap();
    let view = database.view().unwrap();
    let before = view.as_of(first.sequence).unwrap();
    assert_eq!(before.applied(), Some(first.sequence));
    assert!(before.get(first.id).unwrap().is_some());
    assert!(before.get(second.id).unwrap().is_none());
    assert!(before.get(claim.id).unwrap().is_none());
    assert_eq!(view.epoch_chain(second.id).unwrap().len(), 2);
    assert_eq!(before.epoch_chain(second.id).unwrap().len(), 0);
    assert_eq!(before.epochs(&Page::default()).unwrap().count(), 1);
    assert_eq!(before.subjects("", &Page::default()).unwrap().count(), 0);
    let later = Page {
        as_of: Some(second.sequence),
        ..Page::default()
    };
    refused(
        before.epochs(&later).map(Iterator::count),
        ErrorKind::Invalid,
    );
    let beyond = claim.sequence.next().unwrap();
    refused(view.as_of(beyond), ErrorKind::Invalid);
}

#[test]
fn what_is_given_up_ends_wherever_it_is() {
    let library = library();
    let given_up = Arc::new(AtomicBool::new(false));
    let view = library.database.view().unwrap();
    let is_given_up = Arc::clone(&given_up);
    let view = view.until(move || is_given_up.load(Ordering::Relaxed));
    let page = Page::default();
    let mut lists: Vec<_> = (0..4)
        .map(|which| stored_listing(&view, which, &page).unwrap())
        .collect();
    let mut subjects = view.subjects("", &page).unwrap();
    assert!(lists.iter_mut().all(|list| list.next().unwrap().is_ok()));
    assert!(subjects.next().unwrap().is_ok());
    assert!(view.get(first_claim()).unwrap().is_some());
    let before = view.as_of(Sequence::FIRST).unwrap();

    given_up.store(true, Ordering::Relaxed);
    for list in &mut lists {
        refused(list.next().unwrap(), ErrorKind::GivenUp);
        assert!(list.next().is_none());
    }
    // It is in the middle of counting one.
    refused(subjects.next().unwrap(), ErrorKind::GivenUp);
    refused(view.get(first_claim()), ErrorKind::GivenUp);
    refused(before.get(first_claim()), ErrorKind::GivenUp);
    let other = library.database.view().unwrap();
    assert!(other.get(first_claim()).unwrap().is_some());
}
