//! Bodies in Kubernetes' protobuf encoding, which `kubectl create` and Go clients send for built-in kinds; answers are
//! always JSON, which those clients accept as well.
//!
//! `fields.txt` holds the field numbers, written by `tools/protobuf_fields.py` from the Go types.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::object;

const MAGIC: &[u8] = b"k8s\0";

/// A field: its name in JSON and the code of its type.
type Field = (&'static str, &'static str);

/// Fields by type and number.
static TYPES: LazyLock<HashMap<&'static str, HashMap<u64, Field>>> = LazyLock::new(|| {
    let field = |text: &'static str| {
        let mut parts = text.splitn(3, ':');
        let number = parts.next()?.parse().ok()?;
        let name = parts.next()?.trim_end_matches(['+', '-']);
        Some((number, (name, parts.next()?)))
    };
    let line = |line: &'static str| {
        let mut words = line.split(' ');
        Some((words.next()?, words.filter_map(field).collect()))
    };
    include_str!("fields.txt").lines().filter_map(line).collect()
});

/// What Go writes of a struct's fields that say nothing.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// These are left out when they are zero: `""`, 0, false, an empty list or map.
    pub(crate) left_out: HashSet<&'static str>,
    /// Structs that are always there, be they empty.
    pub(crate) always: Vec<&'static str>,
}

static SILENCE: LazyLock<HashMap<&'static str, Silence>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let mut words = line.split(' ');
        let name = words.next()?;
        let mut silence = Silence::default();
        for word in words {
            let mut parts = word.splitn(3, ':').skip(1);
            let (field, code) = (parts.next()?, parts.next()?);
            let is_scalar = !code.contains('.') && code.starts_with(['s', 'i', 'b', 'd', 'y']);
            if is_scalar || code.starts_with(['[', '{']) {
                if !field.ends_with('+') {
                    silence.left_out.insert(field);
                }
            } else if code.contains('.') && !code.starts_with(['?', '=']) && !field.ends_with('-') {
                silence.always.push(field);
            }
        }
        Some((name, silence))
    };
    include_str!("fields.txt").lines().filter_map(line).collect()
});

/// What Go writes of a type by its OpenAPI name: `io.k8s.api.core.v1.PodSpec`.
pub(crate) fn silence(name: &str) -> Option<&'static Silence> {
    let (path, name) = name.rsplit_once('.')?;
    let package = path.rsplit('.').nth(1)?;
    SILENCE.get(format!("{package}.{name}").as_str())
}

/// The payload of a field on the wire.
#[derive(Clone, Copy)]
enum Payload<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Payload<'a> {
    fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) => None,
        }
    }

    fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Bytes(_) => None,
        }
    }
}

/// The object in `body`; `None` when it is malformed or of a kind without protobuf here.
pub(crate) fn decode(body: &[u8]) -> Option<Value> {
    let envelope = fields(body.strip_prefix(MAGIC)?)?;
    let part = |number: u64| {
        envelope
            .iter()
            .find(|(n, _)| *n == number)
            .and_then(|(_, payload)| payload.bytes())
    };
    let meta = fields(part(1)?)?;
    let text = |number: u64| {
        let bytes = meta
            .iter()
            .find(|(n, _)| *n == number)
            .and_then(|(_, payload)| payload.bytes());
        std::str::from_utf8(bytes.unwrap_or_default()).ok()
    };
    let (api_version, kind) = (text(1)?, text(2)?);
    let package = match api_version.split_once('/') {
        _ if kind == "DeleteOptions" => "meta",
        None => "core",
        Some((group, _)) => group.split('.').next()?,
    };
    let mut object = Value::Object(message(&format!("{package}.{kind}"), part(2).unwrap_or_default())?);
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    Some(object)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The fields of a message in the order of the wire.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Payload<'_>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let payload = match tag & 7 {
            0 => Payload::Number(varint(&mut bytes)?),
            1 => {
                let (first, rest) = bytes.split_first_chunk::<8>()?;
                bytes = rest;
                Payload::Number(u64::from_le_bytes(*first))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (first, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Payload::Bytes(first)
            }
            5 => {
                let (first, rest) = bytes.split_first_chunk::<4>()?;
                bytes = rest;
                Payload::Number(u64::from(u32::from_le_bytes(*first)))
            }
            _ => return None,
        };
        found.push((tag >> 3, payload));
    }
    Some(found)
}

fn message(name: &str, bytes: &[u8]) -> Option<Map<String, Value>> {
    let known = TYPES.get(name)?;
    let mut map = Map::new();
    for (number, payload) in fields(bytes)? {
        let Some((field, code)) = known.get(&number) else {
            continue;
        };
        if let Some(inlined) = code.strip_prefix('=') {
            map.extend(message(inlined, payload.bytes()?)?);
        } else if let Some(item) = code.strip_prefix('[') {
            let list = map.entry(*field).or_insert_with(|| json!([]));
            list.as_array_mut()?.push(value(item, payload)?);
        } else if let Some(item) = code.strip_prefix('{') {
            let (key, item) = entry(item, payload.bytes()?)?;
            object::entries(map.entry(*field).or_insert_with(|| json!({}))).insert(key, item);
        } else if let Some(pointer) = code.strip_prefix('?') {
            map.insert((*field).to_owned(), value(pointer, payload)?);
        } else {
            let value = value(code, payload)?;
            // Go writes fields that are no pointers even when they are empty; JSON leaves them out.
            let empty = value.is_null() || value == "" || value == 0 || value == false;
            if !empty {
                map.insert((*field).to_owned(), value);
            }
        }
    }
    Some(map)
}

fn entry(code: &str, bytes: &[u8]) -> Option<(String, Value)> {
    let (mut key, mut item) = (String::new(), None);
    for (number, payload) in fields(bytes)? {
        match number {
            1 => key = String::from_utf8(payload.bytes()?.to_vec()).ok()?,
            _ => item = Some(value(code, payload)?),
        }
    }
    Some((key, item.unwrap_or_else(|| json!(""))))
}

fn value(code: &str, payload: Payload<'_>) -> Option<Value> {
    let signed = |number: u64| i64::from_le_bytes(number.to_le_bytes());
    Some(match code {
        "s" => json!(std::str::from_utf8(payload.bytes()?).ok()?),
        "i" => json!(signed(payload.number()?)),
        "b" => json!(payload.number()? != 0),
        "d" => json!(f64::from_bits(payload.number()?)),
        "y" => json!(base64::engine::general_purpose::STANDARD.encode(payload.bytes()?)),
        "Q" | "R" | "F" | "T" | "U" | "I" => special(code, &fields(payload.bytes()?)?)?,
        name => Value::Object(message(name, payload.bytes()?)?),
    })
}

/// The types that have a JSON form of their own.
fn special(code: &str, fields: &[(u64, Payload<'_>)]) -> Option<Value> {
    let find = |number: u64| fields.iter().find(|(n, _)| *n == number).map(|(_, payload)| *payload);
    let number = |at: u64| {
        find(at)
            .and_then(Payload::number)
            .map(|number| i64::from_le_bytes(number.to_le_bytes()))
    };
    let bytes = find(1).and_then(Payload::bytes);
    Some(match code {
        "Q" => json!(std::str::from_utf8(bytes.unwrap_or_default()).ok()?),
        "R" | "F" => serde_json::from_slice(bytes.unwrap_or(b"null")).ok()?,
        "I" if number(1) == Some(1) => {
            json!(std::str::from_utf8(find(3).and_then(Payload::bytes).unwrap_or_default()).ok()?)
        }
        "I" => json!(number(2).unwrap_or(0)),
        _ => {
            let Some(seconds) = number(1) else {
                return Some(Value::Null);
            };
            let at = Timestamp::new(seconds, i32::try_from(number(2).unwrap_or(0)).ok()?).ok()?;
            let format = if code == "U" {
                "%Y-%m-%dT%H:%M:%S.%6fZ"
            } else {
                "%Y-%m-%dT%H:%M:%SZ"
            };
            json!(at.strftime(format).to_string())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap_or_default();
        [&[number << 3 | 2, length], bytes].concat()
    }

    fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &meta), field(2, raw)].concat()
    }

    #[test]
    fn decodes_nested_messages_maps_and_pointers() {
        let label = [field(1, b"app"), field(2, b"web")].concat();
        let metadata = [field(1, b"w"), field(2, b""), field(8, b""), field(11, &label)].concat();
        let spec = [&[8, 0][..], &field(5, b"svc")].concat();
        let body = envelope(
            "apps/v1",
            "StatefulSet",
            &[field(1, &metadata), field(2, &spec)].concat(),
        );
        assert_eq!(
            decode(&body),
            Some(
                json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "w", "labels": {"app": "web"}},
                "spec": {"replicas": 0, "serviceName": "svc"}})
            )
        );
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let whole = envelope("v1", "Namespace", &field(1, &field(1, b"x")));
        assert!(decode(&whole).is_some());
        assert!(decode(&whole[..whole.len() - 1]).is_none());
        assert!(decode(b"{}").is_none());
        assert!(decode(&envelope("v1", "Nothing", b"")).is_none());
    }
}
