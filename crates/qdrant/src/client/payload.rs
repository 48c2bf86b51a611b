//! A record as a point, and a point as a record.
//!
//! What a filter asks for stands in the payload by type (`number.year`, `date.date`, `text.tag`, the texts as they are
//! compared), and `has` names all fields. What a record says otherwise stands beside it; `digest` is the checksum of all.

use std::collections::{BTreeSet, HashMap};

use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::vectors_output::VectorsOptions;
use qdrant_client::qdrant::{
    ListValue, NamedVectors, PointId, PointStruct, RetrievedPoint, Struct, Value, Vector,
    VectorOutput, VectorsOutput, vector_output,
};
use tuwen_index::filter::{Fields, Type, Value as FieldValue, key};
use tuwen_index::store::{Digest, Record};
use tuwen_index::{Item, Modality};
use tuwen_text::Tokens;

/// Vectors of pictures, of texts, and of what nothing finds.
pub(super) const IMAGE: &str = "image";
pub(super) const TEXT: &str = "text";
pub(super) const HIDDEN: &str = "hidden";
/// The names of an item's fields.
pub(super) const HAS: &str = "has";
/// What an item is.
pub(super) const KIND: &str = "kind";
/// The record's checksum.
pub(super) const DIGEST: &str = "digest";

/// Payload of a point.
pub(super) type Payload = HashMap<String, Value>;

/// Where the values of a field stand in the payload. Qdrant reads a name in quotation marks, but none with such marks in it.
pub(super) fn path(kind: Type, name: &str) -> String {
    let name = escaped(name);
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    match is_plain {
        true => format!("{}.{name}", kind.name()),
        false => format!("{}.\"{name}\"", kind.name()),
    }
}

/// The name of a field as it stands in the payload.
pub(super) fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' | '\\' | '%' => text.push_str(&format!("%{:02x}", c as u32)),
            c => text.push(c),
        }
    }
    text
}

/// The names of the vectors of a modality.
pub(super) fn vector_name(modality: Modality) -> &'static str {
    match modality.of_items() {
        Modality::Text => TEXT,
        _ => IMAGE,
    }
}

/// Which number a point has.
pub(super) fn point_id(id: i64) -> PointId {
    PointId { point_id_options: Some(PointIdOptions::Num(id.max(0) as u64)) }
}

/// The number of a point.
pub(super) fn number_of(id: Option<&PointId>) -> Result<i64, String> {
    match id.and_then(|id| id.point_id_options.as_ref()) {
        Some(PointIdOptions::Num(number)) if *number <= i64::MAX as u64 => Ok(*number as i64),
        other => {
            Err(format!("a point of the collection has the number {other:?}, which no item has"))
        }
    }
}

/// A record as a point.
pub(super) fn point(record: &Record) -> PointStruct {
    let name = if record.hidden { HIDDEN } else { vector_name(record.item.modality) };
    let vectors = HashMap::from([(name.to_owned(), Vector::from(record.vector.clone()))]);
    PointStruct {
        id: Some(point_id(record.item.id)),
        payload: payload(record),
        vectors: Some(NamedVectors { vectors }.into()),
    }
}

fn payload(record: &Record) -> Payload {
    let Item { modality, origin, text, owner, hash, size, mtime_ns, metadata, described, .. } =
        &record.item;
    let mut payload = asked(&record.said);
    let mut say = |key: &str, value: Value| payload.insert(key.to_owned(), value);
    say(KIND, vector_name(*modality).into());
    match std::str::from_utf8(origin) {
        Ok(origin) => say("origin", origin.into()),
        // Names of files need not be UTF-8.
        Err(_) => say("origin_bytes", hex(origin).into()),
    };
    if let Some(text) = text {
        say("caption", text.as_str().into());
    }
    if let Some(owner) = owner {
        say("owner", (*owner).into());
    }
    say("hash", hex(hash).into());
    say("size", (*size as i64).into());
    say("mtime_ns", (*mtime_ns).into());
    say("metadata", metadata.as_str().into());
    say("described", (*described).into());
    say("excluded", record.excluded.into());
    say("hidden", record.hidden.into());
    say("tags", strings(&record.tags));
    say("own", strings(&lines(&record.own)));
    say("said", strings(&lines(&record.said)));
    say("words", record.tokens.words.join(" ").into());
    say("signs", record.tokens.signs.join(" ").into());
    say(DIGEST, hex(&record.digest()).into());
    payload
}

/// What filters ask for.
fn asked(said: &Fields) -> Payload {
    let mut by_type: HashMap<Type, HashMap<String, Vec<Value>>> = HashMap::new();
    let mut names = BTreeSet::new();
    for field in said.iter() {
        names.insert(field.name.clone());
        let value: Value = match &field.value {
            FieldValue::Number(number) => (*number).into(),
            FieldValue::Date(second) => (*second).into(),
            FieldValue::Text(text) => key(text).into(),
        };
        let fields = by_type.entry(field.value.kind()).or_default();
        let values = fields.entry(escaped(&field.name)).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let mut payload = Payload::new();
    for (kind, fields) in by_type {
        let fields = fields.into_iter().map(|(name, values)| (name, list(values))).collect();
        let fields = Kind::StructValue(Struct { fields });
        payload.insert(kind.name().to_owned(), Value { kind: Some(fields) });
    }
    payload.insert(HAS.to_owned(), strings(&names.into_iter().collect::<Vec<_>>()));
    payload
}

fn list(values: Vec<Value>) -> Value {
    Value { kind: Some(Kind::ListValue(ListValue { values })) }
}

fn strings(texts: &[String]) -> Value {
    list(texts.iter().map(|text| text.as_str().into()).collect())
}

/// Fields, each as a line: type, name in JSON, value. Numbers as Rust writes and reads them, to the bit.
fn lines(fields: &Fields) -> Vec<String> {
    let line = |field: &tuwen_index::filter::Field| {
        let name = serde_json::Value::from(field.name.as_str());
        match &field.value {
            FieldValue::Number(number) => format!("number {name} {number}"),
            FieldValue::Date(second) => format!("date {name} {second}"),
            FieldValue::Text(text) => format!("text {name} {text}"),
        }
    };
    fields.iter().map(line).collect()
}

fn field(line: &str) -> Option<(String, FieldValue)> {
    let (kind, rest) = line.split_once(' ')?;
    let mut name = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let read = name.next()?.ok()?;
    let value = rest.get(name.byte_offset() + 1..)?;
    let value = match kind {
        "number" => FieldValue::Number(value.parse().ok()?),
        "date" => FieldValue::Date(value.parse().ok()?),
        "text" => FieldValue::Text(value.to_owned()),
        _ => return None,
    };
    Some((read, value))
}

/// The item of a point.
pub(super) fn item(id: i64, payload: &Payload) -> Result<Item, String> {
    let read = Reader { id, payload };
    let origin = match read.text("origin") {
        Ok(origin) => origin.as_bytes().to_vec(),
        Err(missing) => {
            let bytes = payload.contains_key("origin_bytes").then(|| read.text("origin_bytes"));
            unhex(bytes.ok_or(missing)??).ok_or_else(|| read.wrong("origin_bytes"))?
        }
    };
    let modality = match read.text(KIND)? {
        IMAGE => Modality::Image,
        TEXT => Modality::Text,
        _ => return Err(read.wrong(KIND)),
    };
    let owner = payload.contains_key("owner").then(|| read.number("owner")).transpose()?;
    let text = payload.contains_key("caption").then(|| read.text("caption")).transpose()?;
    Ok(Item {
        id,
        modality,
        origin,
        text: text.map(str::to_owned),
        owner,
        hash: unhex(read.text("hash")?).ok_or_else(|| read.wrong("hash"))?,
        size: read.number("size")? as u64,
        mtime_ns: read.number("mtime_ns")?,
        metadata: read.text("metadata")?.to_owned(),
        described: read.flag("described")?,
    })
}

/// The record of a point.
pub(super) fn record(point: RetrievedPoint) -> Result<Record, String> {
    let id = number_of(point.id.as_ref())?;
    let read = Reader { id, payload: &point.payload };
    let fields = |key: &str| -> Result<Fields, String> {
        let mut fields = Fields::default();
        for line in read.texts(key)? {
            let (name, value) = field(line).ok_or_else(|| read.wrong(key))?;
            fields.push(&name, value);
        }
        Ok(fields)
    };
    let cut = |text: &str| text.split(' ').filter(|t| !t.is_empty()).map(str::to_owned).collect();
    Ok(Record {
        item: item(id, &point.payload)?,
        own: fields("own")?,
        said: fields("said")?,
        tags: read.texts("tags")?.into_iter().map(str::to_owned).collect(),
        excluded: read.flag("excluded")?,
        hidden: read.flag("hidden")?,
        tokens: Tokens { words: cut(read.text("words")?), signs: cut(read.text("signs")?) },
        vector: vector(point.vectors)
            .ok_or_else(|| format!("item {id} of the collection has no vector"))?,
    })
}

/// The digest of a point, nothing where it has none.
pub(super) fn digest(payload: &Payload) -> Option<Digest> {
    match payload.get(DIGEST)?.kind.as_ref()? {
        Kind::StringValue(text) => unhex(text)?.try_into().ok(),
        _ => None,
    }
}

fn vector(vectors: Option<VectorsOutput>) -> Option<Vec<f32>> {
    let VectorsOptions::Vectors(named) = vectors?.vectors_options? else { return None };
    let mut vectors = named.vectors;
    [IMAGE, TEXT, HIDDEN].iter().find_map(|name| dense(vectors.remove(*name)?))
}

/// The client's own way divides by what the server says.
#[expect(deprecated, reason = "servers before 1.17 fill the old field")]
fn dense(vector: VectorOutput) -> Option<Vec<f32>> {
    match vector.vector {
        Some(vector_output::Vector::Dense(dense)) => Some(dense.data),
        Some(_) => None,
        None => Some(vector.data),
    }
}

/// Reads a payload, and says which part of it is not as it was written.
struct Reader<'a> {
    id: i64,
    payload: &'a Payload,
}

impl<'a> Reader<'a> {
    fn wrong(&self, key: &str) -> String {
        format!(
            "item {} of the collection is not as tuwen wrote it: its `{key}` is missing or of another kind",
            self.id
        )
    }

    fn kind(&self, key: &str) -> Result<&'a Kind, String> {
        let value = self.payload.get(key).and_then(|value| value.kind.as_ref());
        value.ok_or_else(|| self.wrong(key))
    }

    fn text(&self, key: &str) -> Result<&'a str, String> {
        match self.kind(key)? {
            Kind::StringValue(text) => Ok(text),
            _ => Err(self.wrong(key)),
        }
    }

    fn number(&self, key: &str) -> Result<i64, String> {
        match self.kind(key)? {
            Kind::IntegerValue(number) => Ok(*number),
            _ => Err(self.wrong(key)),
        }
    }

    fn flag(&self, key: &str) -> Result<bool, String> {
        match self.kind(key)? {
            Kind::BoolValue(flag) => Ok(*flag),
            _ => Err(self.wrong(key)),
        }
    }

    fn texts(&self, key: &str) -> Result<Vec<&'a str>, String> {
        let Kind::ListValue(list) = self.kind(key)? else { return Err(self.wrong(key)) };
        let text = |value: &'a Value| match &value.kind {
            Some(Kind::StringValue(text)) => Ok(text.as_str()),
            _ => Err(self.wrong(key)),
        };
        list.values.iter().map(text).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    match text.len() % 2 {
        0 => text.as_bytes().chunks_exact(2).map(pair).collect(),
        _ => None,
    }
}
