//! A line into a record: the fields as they stand, then what the type of record makes of them.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    field::{ASSERTION, EPOCH, Field, Shape, VOTE},
    scan, value,
};
use crate::{
    invalid::{Invalid, Reason, excerpt},
    name::{Agent, Description, EpochName, Predicate, Quote, Source, Subject},
    number::{Confidence, Weight},
    object::Lifecycle,
    record::{Assertion, Epoch, Record, Vote},
};

#[cfg(test)]
mod tests;

/// Reads one record and nothing else; where it names no type it has `untyped`, if there is that.
pub(crate) fn read(line: &[u8], untyped: Option<&str>) -> Result<Record, Invalid> {
    let text = std::str::from_utf8(line).map_err(|error| {
        Invalid::record(Reason::Utf8 {
            column: error.valid_up_to() + 1,
        })
    })?;
    let fields = match scan(text) {
        Some(fields) => fields,
        None => parse(text).map_err(|error| syntax(&error))?,
    };
    if let Some(field) = fields.repeated {
        return Err(Invalid::record(Reason::Repeated).in_field(field.name()));
    }
    let type_name = match (untyped, fields.given(Field::Type)) {
        (Some(untyped), None) => untyped.into(),
        _ => fields.required(Field::Type, value::text)?,
    };
    match &*type_name {
        "assertion" => fields.of(&ASSERTION)?.assertion().map(Record::Assertion),
        "vote" => fields.of(&VOTE)?.vote().map(Record::Vote),
        "epoch" => fields.of(&EPOCH)?.epoch().map(Record::Epoch),
        other => {
            let found = excerpt(other);
            let reason = Reason::UnknownWord {
                found,
                known: "assertion, vote, epoch",
            };
            Err(Invalid::record(reason).in_field(Field::Type.name()))
        }
    }
}

/// What [`parse`] gives, if the line is plain.
fn scan(text: &str) -> Option<Fields<'_>> {
    let mut fields = Fields::default();
    scan::entries(text, |name, value| fields.take(Key::of(name), value))?;
    Some(fields)
}

fn parse(text: &str) -> serde_json::Result<Fields<'_>> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let fields = parser.deserialize_map(FieldsVisitor)?;
    parser.end()?;
    Ok(fields)
}

fn syntax(error: &serde_json::Error) -> Invalid {
    if error.is_data() {
        return Invalid::record(Reason::NotAMap);
    }
    let message = error.to_string();
    // The parser adds its own idea of the position, which is given in columns here.
    let bare = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(bare, _)| bare);
    Invalid::record(Reason::Syntax {
        column: error.column(),
        message: bare.into(),
    })
}

/// The fields of a line with their values as they stand.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fields<'a> {
    /// At the index of each field its JSON text, `null` included.
    values: [Option<&'a str>; Field::ALL.len()],
    /// The first field that was given twice.
    repeated: Option<Field>,
    /// The first name that is no field of any type of record.
    unknown: Option<Box<str>>,
}

struct FieldsVisitor;

impl<'a> Visitor<'a> for FieldsVisitor {
    type Value = Fields<'a>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Fields<'a>, A::Error> {
        let mut fields = Fields::default();
        while let Some((key, value)) = map.next_entry::<Key, &'a RawValue>()? {
            fields.take(key, value.get());
        }
        Ok(fields)
    }
}

/// The name of a field, escapes resolved.
enum Key {
    Known(Field),
    Unknown(Box<str>),
}

impl Key {
    fn of(name: &str) -> Self {
        Field::parse(name).map_or_else(|| Self::Unknown(name.into()), Self::Known)
    }
}

impl<'a> Deserialize<'a> for Key {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(Key::of(name))
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, key: Key, value: &'a str) {
        let field = match key {
            Key::Known(field) => field,
            Key::Unknown(name) => {
                self.unknown.get_or_insert(name);
                return;
            }
        };
        let slot = self.values.get_mut(field as usize);
        if slot.is_some_and(|slot| slot.replace(value).is_some()) {
            self.repeated.get_or_insert(field);
        }
    }

    /// The JSON text of a field, `null` included.
    fn given(&self, field: Field) -> Option<&'a str> {
        self.values.get(field as usize).copied().flatten()
    }

    /// The same fields, if all of them belong to `shape`.
    fn of(&self, shape: &Shape) -> Result<&Self, Invalid> {
        let foreign = |field: &Field| self.given(*field).is_some() && !shape.fields.contains(field);
        let misplaced = || Field::ALL.into_iter().find(foreign).map(Field::name);
        match self.unknown.as_deref().or_else(misplaced) {
            Some(name) => {
                let reason = Reason::UnknownField {
                    record: shape.title,
                    known: shape.known(),
                };
                Err(Invalid::field_of_input(name, reason))
            }
            None => Ok(self),
        }
    }

    fn required<T>(&self, field: Field, convert: Convert<'a, T>) -> Result<T, Invalid> {
        let value = self.optional(field, convert)?;
        value.ok_or_else(|| Invalid::record(Reason::Missing).in_field(field.name()))
    }

    fn optional<T>(&self, field: Field, convert: Convert<'a, T>) -> Result<Option<T>, Invalid> {
        match self.given(field) {
            None | Some("null") => Ok(None),
            Some(raw) => match convert(raw) {
                Ok(value) => Ok(Some(value)),
                Err(invalid) => Err(invalid.in_field(field.name())),
            },
        }
    }

    fn agent(&self) -> Result<Agent, Invalid> {
        self.required(Field::Agent, |raw| Agent::new(value::text(raw)?))
    }

    fn assertion(&self) -> Result<Assertion, Invalid> {
        let confidence = self
            .optional(Field::Confidence, |raw| {
                Confidence::new(value::double(raw)?)
            })?
            .unwrap_or_default();
        let lifecycle = self
            .optional(Field::Lifecycle, |raw| {
                value::text(raw)?.parse::<Lifecycle>()
            })?
            .unwrap_or_default();
        Ok(Assertion {
            subject: self.required(Field::Subject, |raw| Subject::new(value::text(raw)?))?,
            predicate: self.required(Field::Predicate, |raw| Predicate::new(value::text(raw)?))?,
            object: self.required(Field::Object, value::object)?,
            agent: self.agent()?,
            confidence,
            source: self.optional(Field::Source, |raw| Source::new(value::text(raw)?))?,
            source_hash: self.optional(Field::SourceHash, value::hex)?,
            quote: self.optional(Field::Quote, |raw| Quote::new(value::text(raw)?))?,
            timestamp: self.optional(Field::Timestamp, value::timestamp)?,
            epoch: self.optional(Field::Epoch, value::hex)?,
            parent: self.optional(Field::Parent, value::hex)?,
            lifecycle,
            signature: self.optional(Field::Signature, value::hex)?,
        })
    }

    fn vote(&self) -> Result<Vote, Invalid> {
        Ok(Vote {
            assertion: self.required(Field::Assertion, value::hex)?,
            agent: self.agent()?,
            weight: self.required(Field::Weight, |raw| Weight::new(value::double(raw)?))?,
            timestamp: self.optional(Field::Timestamp, value::timestamp)?,
            signature: self.optional(Field::Signature, value::hex)?,
        })
    }

    fn epoch(&self) -> Result<Epoch, Invalid> {
        let description = |raw| Description::new(value::text(raw)?);
        Ok(Epoch {
            name: self.required(Field::Name, |raw| EpochName::new(value::text(raw)?))?,
            agent: self.agent()?,
            description: self.optional(Field::Description, description)?,
            supersedes: self.optional(Field::Supersedes, value::hex)?,
            starts_at: self.optional(Field::StartsAt, value::timestamp)?,
            signature: self.optional(Field::Signature, value::hex)?,
        })
    }
}

/// Makes a value of a record from its JSON text.
type Convert<'a, T> = fn(&'a str) -> Result<T, Invalid>;
