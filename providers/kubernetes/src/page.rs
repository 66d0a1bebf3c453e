//! A page of a list, read in one pass: what nobody asked for is passed over and never takes memory.

use std::fmt;

use moorline_api::{ManagedFields, Object};
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

/// Reads a list; anything else is an error.
pub(crate) fn read(json: &[u8], managed: &ManagedFields) -> serde_json::Result<ListAnswer> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let list = List(managed).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(list)
}

struct List<'a>(&'a ManagedFields);
struct Items<'a>(&'a ManagedFields);
struct Item<'a>(&'a ManagedFields);
struct Metadata<'a>(&'a ManagedFields);

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
        let mut object = Object::default();
        while let Some(key) = fields.next_key::<String>()? {
            let value = if key == "metadata" {
                fields.next_value_seed(Metadata(self.0))?
            } else {
                fields.next_value()?
            };
            object.fields_mut().insert(key, value);
        }
        Ok(object)
    }
}

impl<'de> DeserializeSeed<'de> for Metadata<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Metadata<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the metadata of an object")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut metadata = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            let value = match self.0 {
                ManagedFields::All => fields.next_value()?,
                _ if key != "managedFields" => fields.next_value()?,
                ManagedFields::None => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
                ManagedFields::Of(manager) => of_manager(manager, fields.next_value()?).map_err(A::Error::custom)?,
            };
            metadata.insert(key, value);
        }
        Ok(Value::Object(metadata))
    }
}

/// The entries of a manager; the others are looked at no further than to know them.
fn of_manager(manager: &str, entries: Option<Vec<&RawValue>>) -> serde_json::Result<Value> {
    #[derive(Deserialize)]
    struct Entry {
        manager: Option<String>,
    }
    let mut kept = Vec::new();
    for entry in entries.unwrap_or_default() {
        let known: Entry = serde_json::from_str(entry.get())?;
        if known.manager.as_deref() == Some(manager) {
            kept.push(serde_json::from_str(entry.get())?);
        }
    }
    Ok(Value::Array(kept))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page() -> Vec<u8> {
        let entry = |manager: &str| json!({"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {}}});
        let item = json!({
            "metadata": {"name": "a", "managedFields": [entry("kubectl"), entry("mover"), {"operation": "Apply"}], "uid": "1"},
            "spec": {"managedFields": "of the object's own"},
        });
        let list = json!({"kind": "XList", "metadata": {"resourceVersion": "7", "continue": "more"}, "items": [item, {"metadata": null}]});
        serde_json::to_vec(&list).unwrap()
    }

    #[test]
    fn managed_fields_are_kept_as_asked() {
        for (managed, expected) in [
            (ManagedFields::All, Some(3)),
            (ManagedFields::None, None),
            (ManagedFields::Of("mover".to_owned()), Some(1)),
            (ManagedFields::Of("nobody".to_owned()), Some(0)),
        ] {
            let list = read(&page(), &managed).unwrap();
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
        let list = read(&page(), &ManagedFields::Of("mover".to_owned())).unwrap();
        let entry = &list.items[0].list_at(&["metadata", "managedFields"])[0];
        assert_eq!(
            *entry,
            json!({"manager": "mover", "operation": "Update", "fieldsV1": {"f:spec": {}}})
        );
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
            assert!(read(bad.as_bytes(), &ManagedFields::All).is_err(), "{bad}");
        }
        assert_eq!(
            read(br#"{"metadata": {}, "items": null}"#, &ManagedFields::All)
                .unwrap()
                .items
                .len(),
            0
        );
    }
}
