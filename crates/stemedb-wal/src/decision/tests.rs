use super::{Action, Behind, Header, Position, Witness, decide};

/// The table that people read; the test holds the code to it.
const DOCUMENT: &str = include_str!("../../../../docs/DURABILITY.md");

const POSITIONS: [(&str, Position); 3] = [
    ("first", Position::First),
    ("last", Position::Last),
    ("sealed", Position::Sealed),
];
const HEADERS: [(&str, Header); 2] = [("sound", Header::Sound), ("bad", Header::Bad)];
const BEHINDS: [(&str, Behind); 3] = [
    ("nothing", Behind::Nothing),
    ("zeros", Behind::Zeros),
    ("damage", Behind::Damage),
];
const WITNESSES: [(&str, Witness); 3] = [
    ("none", Witness::None),
    ("group", Witness::Group),
    ("store", Witness::Store),
];
const ACTIONS: [(&str, Action); 7] = [
    ("accept", Action::Accept),
    ("finish the seal", Action::FinishSeal),
    ("rewrite", Action::Rewrite),
    ("rewrite, keep what was torn", Action::RewriteAndKeepTorn),
    ("drop the segment", Action::DropSegment),
    ("refuse: corruption", Action::RefuseCorruption),
    ("refuse: store ahead", Action::RefuseStoreAhead),
];

struct Row {
    number: usize,
    conditions: [&'static str; 4],
    action: Action,
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, position, header, behind, witness, action] = cells.as_slice() else {
            return None;
        };
        let action = ACTIONS.iter().find(|(name, _)| name == action);
        Some(Self {
            number: number.parse().ok()?,
            conditions: [position, header, behind, witness],
            action: action
                .unwrap_or_else(|| panic!("unknown action in {line}"))
                .1,
        })
    }

    fn matches(&self, observed: [&str; 4]) -> bool {
        let allows = |condition: &str, seen| {
            condition == "any" || condition.split(" or ").any(|one| one == seen)
        };
        self.conditions
            .iter()
            .zip(observed)
            .all(|(condition, seen)| allows(condition, seen))
    }
}

fn rows() -> Vec<Row> {
    DOCUMENT.lines().filter_map(Row::parse).collect()
}

#[test]
fn every_combination_matches_one_row_of_the_document_and_does_what_it_says() {
    let rows = rows();
    let mut reached = vec![0; rows.len() + 1];
    for (position, p) in POSITIONS {
        for (header, h) in HEADERS {
            for (behind, b) in BEHINDS {
                for (witness, w) in WITNESSES {
                    let observed = [position, header, behind, witness];
                    let matching: Vec<&Row> =
                        rows.iter().filter(|row| row.matches(observed)).collect();
                    let [row] = matching.as_slice() else {
                        panic!("{observed:?} matches {} rows", matching.len());
                    };
                    reached[row.number] += 1;
                    assert_eq!(
                        decide(p, h, b, w),
                        row.action,
                        "{observed:?}, row {}",
                        row.number
                    );
                }
            }
        }
    }
    assert_eq!(reached.iter().sum::<i32>(), 54);
    assert!(
        reached.iter().skip(1).all(|count| *count > 0),
        "{reached:?}"
    );
}

#[test]
fn rows_are_numbered_from_one() {
    let numbers: Vec<usize> = rows().iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=13).collect::<Vec<_>>());
}

#[test]
fn a_witness_never_lets_damage_pass() {
    for (_, position) in POSITIONS {
        for (_, header) in HEADERS {
            for witness in [Witness::Group, Witness::Store] {
                let action = decide(position, header, Behind::Damage, witness);
                assert!(
                    matches!(action, Action::RefuseCorruption | Action::RefuseStoreAhead),
                    "{position:?} {header:?} {witness:?}: {action:?}"
                );
            }
        }
    }
}
