//! A page of a list, read in one pass: what nobody asked for is passed over and never takes memory.

use std::borrow::Cow;
use std::fmt;

use moorline_api::{ListQuery, ManagedFields, Object};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The parts of a list that are used.
#[derive(Default)]
pub(crate) struct ListAnswer {
    pub(crate) metadata: ListMeta,
    pub(crate) items: Vec<Object>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListMeta {
    #[serde(default)]
    pub(crate) resource_version: String,
    pub(crate) r#continue: Option<String>,
    pub(crate) remaining_item_count: Option<i64>,
}

/// What of the objects is read.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    managed: &'a ManagedFields,
    unwanted: &'a [(&'a str, &'a str)],
}

impl<'a> Wanted<'a> {
    pub(crate) fn of(query: &'a ListQuery) -> Self {
        Self {
            managed: &query.managed_fields,
            unwanted: query.unwanted,
        }
    }
}

/// Reads a list; anything else is an error. Bytes that are no text are one wherever they stand: where something is passed over, too, they
/// show that the answer is not what the server sent.
pub(crate) fn read(json: &[u8], wanted: Wanted<'_>) -> serde_json::Result<ListAnswer> {
    let json = std::str::from_utf8(json).map_err(serde_json::Error::custom)?;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let list = List(wanted).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(list)
}

/// The metadata of a list, where it comes before the objects as API servers write it; the objects are not looked at, and may be
/// anything.
pub(crate) fn head(json: &[u8]) -> Option<ListMeta> {
    let mut found = None;
    // It always ends in an error: nobody reads on when the metadata is there.
    let _ = Head(&mut found).deserialize(&mut serde_json::Deserializer::from_slice(json));
    found
}

struct Head<'a>(&'a mut Option<ListMeta>);
struct List<'a>(Wanted<'a>);
struct Items<'a>(Wanted<'a>);
struct Item<'a>(Wanted<'a>);

/// A part of an object of which something is not wanted.
struct Part<'a> {
    name: &'a str,
    wanted: Wanted<'a>,
}

impl<'de> DeserializeSeed<'de> for Head<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Head<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(key) = fields.next_key::<String>()? {
            match key.as_str() {
                "metadata" => {
                    *self.0 = Some(fields.next_value()?);
                    break;
                }
                "items" => break,
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ListAnswer;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ListAnswer, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ListAnswer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<ListAnswer, A::Error> {
        let (mut metadata, mut items) = (None, None);
        while let Some(key) = fields.next_key::<String>()? {
            match key.as_str() {
                "metadata" => metadata = Some(fields.next_value()?),
                "items" => items = Some(fields.next_value_seed(Items(self.0))?),
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(ListAnswer {
            metadata: metadata.ok_or_else(|| A::Error::missing_field("metadata"))?,
            items: items.ok_or_else(|| A::Error::missing_field("items"))?,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Vec<Object>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Object>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<Object>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the objects of a list")
    }

    /// Go writes an empty list as null.
    fn visit_unit<E>(self) -> Result<Vec<Object>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Object>, A::Error> {
        let mut objects = Vec::new();
        while let Some(object) = list.next_element_seed(Item(self.0))? {
            objects.push(object);
        }
        Ok(objects)
    }
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = Object;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Object, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Object, A::Error> {
        let Self(wanted) = self;
        let mut object = Object::default();
        while let Some(key) = fields.next_key::<String>()? {
            let value = if key == "metadata" || wanted.unwanted.iter().any(|(part, _)| *part == key) {
                let name = key.as_str();
                fields.next_value_seed(Part { name, wanted })?
            } else {
                fields.next_value()?
            };
            object.fields_mut().insert(key, value);
        }
        Ok(object)
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} of an object", self.name)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let Self { name, wanted } = self;
        let mut part = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            if wanted.unwanted.contains(&(name, key.as_str())) {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = match wanted.managed {
                ManagedFields::None if is_managed_fields(name, &key) => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
                ManagedFields::Of { manager, field } if is_managed_fields(name, &key) => {
                    of_manager(manager, field, fields.next_value()?).map_err(A::Error::custom)?
                }
                _ => fields.next_value()?,
            };
            part.insert(key, value);
        }
        Ok(Value::Object(part))
    }
}

fn is_managed_fields(part: &str, field: &str) -> bool {
    part == "metadata" && field == "managedFields"
}

/// The entries of a manager that name a field; the others are looked at no further than to know them.
fn of_manager(manager: &str, field: &str, entries: Option<Vec<&RawValue>>) -> serde_json::Result<Value> {
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(borrow)]
        manager: Option<Cow<'a, str>>,
        #[serde(borrow)]
        subresource: Option<Cow<'a, str>>,
    }
    let mut kept = Vec::new();
    for entry in entries.unwrap_or_default() {
        let known: Entry<'_> = serde_json::from_str(entry.get())?;
        let of_object = known.subresource.is_none_or(|subresource| subresource.is_empty());
        if of_object && known.manager.as_deref() == Some(manager) && entry.get().contains(field) {
            kept.push(serde_json::from_str(entry.get())?);
        }
    }
    Ok(Value::Array(kept))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, part: &str, field: &str) -> Value {
        json!({"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {field: {}}}, "subresource": part})
    }

    fn page() -> Vec<u8> {
        let entries = [
            entry("kubectl", "", "f:size"),
            entry("mover", "", "f:size"),
            entry("mover", "", "f:name"),
            entry("mover", "status", "f:size"),
            json!({"operation": "Apply"}),
        ];
        let item = json!({
            "metadata": {"name": "a", "managedFields": entries, "uid": "1"},
            "spec": {"managedFields": "of the object's own", "size": {"managedFields": 1}},
        });
        let list = json!({"kind": "XList", "metadata": {"resourceVersion": "7", "continue": "more"}, "items": [item, {"metadata": null}]});
        serde_json::to_vec(&list).unwrap()
    }

    fn of(manager: &str) -> ManagedFields {
        ManagedFields::Of {
            manager: manager.to_owned(),
            field: "f:size",
        }
    }

    fn all_but<'a>(managed: &'a ManagedFields, unwanted: &'a [(&'a str, &'a str)]) -> Wanted<'a> {
        Wanted { managed, unwanted }
    }

    #[test]
    fn managed_fields_are_kept_as_asked() {
        for (managed, expected) in [
            (ManagedFields::All, Some(5)),
            (ManagedFields::None, None),
            (of("mover"), Some(1)),
            (of("nobody"), Some(0)),
        ] {
            let list = read(&page(), all_but(&managed, &[])).unwrap();
            let object = &list.items[0];
            let entries = object
                .at(&["metadata", "managedFields"])
                .map(|list| list.as_array().unwrap().len());
            assert_eq!(entries, expected, "{managed:?}");
            assert_eq!((object.name(), object.uid()), ("a", Some("1")));
            assert_eq!(object.str_at(&["spec", "managedFields"]), Some("of the object's own"));
            assert_eq!(list.metadata.r#continue.as_deref(), Some("more"));
        }
    }

    #[test]
    fn a_kept_entry_is_whole() {
        let list = read(&page(), all_but(&of("mover"), &[])).unwrap();
        let kept = &list.items[0].list_at(&["metadata", "managedFields"])[0];
        assert_eq!(*kept, entry("mover", "", "f:size"));
    }

    #[test]
    fn what_is_not_wanted_is_left_out_where_it_stands_and_nowhere_else() {
        let unwanted = [("spec", "size"), ("spec", "none"), ("metadata", "uid")];
        let mut list = read(&page(), all_but(&ManagedFields::None, &unwanted)).unwrap();
        let left = json!({"metadata": {"name": "a"}, "spec": {"managedFields": "of the object's own"}});
        assert_eq!(Value::Object(list.items[0].fields_mut().clone()), left);
        assert_eq!(list.items.len(), 2);
    }

    #[test]
    fn the_head_is_read_where_it_comes_first() {
        let token = |json: &str| head(json.as_bytes()).map(|head| head.r#continue.unwrap_or_default());
        let first = r#"{"kind": "XList", "metadata": {"continue": "more"}, "items": [ this is never read"#;
        assert_eq!(token(first).as_deref(), Some("more"));
        assert_eq!(token(r#"{"metadata": {}}"#).as_deref(), Some(""));
        for late in [
            r#"{"items": [], "metadata": {"continue": "more"}}"#,
            "[]",
            "",
            r#"{"metadata": 1}"#,
        ] {
            assert_eq!(token(late), None, "{late}");
        }
    }

    /// Found by fuzzing: what is passed over is not looked into, and so let through what is no text.
    #[test]
    fn what_is_no_text_is_refused_where_it_is_passed_over_too() {
        let garbled = |byte: u8| {
            let mut page =
                br#"{"metadata": {}, "items": [{"metadata": {"managedFields": [{"operation": "?"}]}}]}"#.to_vec();
            let at = page.iter().position(|byte| *byte == b'?').unwrap();
            page[at] = byte;
            page
        };
        for managed in [ManagedFields::All, ManagedFields::None, of("mover")] {
            assert!(read(&garbled(b'x'), all_but(&managed, &[])).is_ok(), "{managed:?}");
            assert!(read(&garbled(0xbc), all_but(&managed, &[])).is_err(), "{managed:?}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"metadata": {}}"#,
            r#"{"items": []}"#,
            r#"{"metadata": {}, "items": {}}"#,
            r#"{"metadata": {}, "items": [1]}"#,
            r#"{"metadata": {}, "items": []} more"#,
            r#"{"metadata": {}, "items": [{"metadata": "x"}]}"#,
        ] {
            assert!(
                read(bad.as_bytes(), all_but(&ManagedFields::All, &[])).is_err(),
                "{bad}"
            );
        }
        assert_eq!(
            read(br#"{"metadata": {}, "items": null}"#, all_but(&ManagedFields::All, &[]))
                .unwrap()
                .items
                .len(),
            0
        );
    }
}
