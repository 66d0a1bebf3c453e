//! What of a kind merges, and by which key.
//!
//! This file states the vocabulary. The tables of the built-in kinds are in `meta`, `pods`, `storage`, `workloads` and
//! `network`, one item for each Go type of `k8s.io/api` (read at v0.36.3) in which a field has a marker (`+listType`,
//! `+listMapKey`, `+mapType`, `+structType`) or a tag (`patchStrategy`, `patchMergeKey`) that changes how it merges: what
//! is not listed is a scalar, an object that merges by field, or a list that is replaced. `kinds` says which kind has
//! which type; `openapi` reads the same from the schema of a custom resource.

/// A struct with these members that have a rule, for the initialiser of a `static`.
macro_rules! fields {
    ($($field:expr),* $(,)?) => {
        $crate::schema::Type {
            fields: $crate::schema::Ref::Static(&[$($field),*]),
            rest: $crate::schema::Rest::Fields,
            atomic: false,
        }
    };
}

mod kinds;
mod meta;
mod network;
mod openapi;
mod pods;
mod storage;
mod workloads;

use std::ops::Deref;

use serde_json::Value;

/// How the lists and maps of one kind merge.
///
/// Server-side apply and strategic merge patch have rules of their own for the same field (a container's ports are keyed
/// by port *and* protocol for the former, by port alone for the latter), so a field carries both.
#[derive(Debug)]
pub struct Schema {
    pub(crate) root: Shape,
    /// Whether the kind has a `status` subresource, so that other writes never own its status.
    pub(crate) has_status: bool,
    /// Whether a null field is dropped, as decoding into a Go type does. Custom resources may keep theirs.
    pub(crate) drops_nulls: bool,
}

impl Schema {
    /// The schema of a built-in kind. An unknown kind has maps that merge and lists that do not.
    pub fn for_kind(api_version: &str, kind: &str) -> &'static Schema {
        kinds::find(api_version, kind)
    }

    /// The schema of a custom resource, from one version's `schema.openAPIV3Schema`.
    ///
    /// What it does not say follows the API server's defaults: maps merge, lists are replaced.
    pub fn from_openapi(schema: &Value) -> Schema {
        openapi::read(schema)
    }

    const fn builtin(root: &'static Type) -> Schema {
        Schema {
            root: Shape::Object(Ref::Static(root)),
            has_status: false,
            drops_nulls: true,
        }
    }

    /// The same for a kind with a `status` subresource: other writes then never come to own its status.
    #[must_use]
    pub const fn with_status(mut self) -> Schema {
        self.has_status = true;
        self
    }
}

/// What server-side apply may own in one place.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A scalar; or an object whose members merge one by one, unless its type is atomic. A list found here is atomic.
    Object(Ref<Type>),
    /// Owned and replaced as one, whatever it holds.
    Atomic,
    /// A list of distinct scalars.
    Set,
    /// A list of objects told apart by the values of some of their fields.
    List {
        /// The fields, in any order.
        keys: Ref<[Key]>,
        /// The type of the items.
        item: Ref<Type>,
    },
}

/// A field that tells the items of a list apart.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: Ref<str>,
    /// What an item has that leaves the field out.
    pub(crate) default: KeyDefault,
}

#[derive(Debug)]
pub(crate) enum KeyDefault {
    /// The field is no part of the item's key then.
    Absent,
    Text(&'static str),
    Zero,
    /// As a custom resource's schema says.
    Value(Value),
}

/// The members of an object.
#[derive(Debug)]
pub(crate) struct Type {
    /// The members with a rule of their own, or, of a custom resource, all that are named.
    pub(crate) fields: Ref<[Field]>,
    /// What every other member is.
    pub(crate) rest: Rest,
    /// Owned and replaced as one, as `+structType=atomic` says.
    pub(crate) atomic: bool,
}

#[derive(Debug)]
pub(crate) enum Rest {
    /// A field of a struct, of no special kind.
    Fields,
    /// An item of a map. The map is owned through its items, and each item by itself.
    Items(Box<Shape>),
    /// An item of something that no schema describes.
    Unknown,
}

/// A named member of an object.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Ref<str>,
    pub(crate) shape: Shape,
    pub(crate) patch: PatchRule,
}

/// What a strategic merge patch does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatchRule {
    /// Objects merge, lists are replaced.
    Default,
    /// The list merges by this field of its items.
    ByKey(&'static str),
    /// The list of scalars grows by those that it lacks.
    AsSet,
    /// The object is replaced.
    Replace,
}

impl Type {
    /// The shape of a member, and whether it is a named field of a struct (as against an item of a map).
    pub(crate) fn member(&self, name: &str) -> (&Shape, bool) {
        if let Some(field) = self.field(name) {
            return (&field.shape, true);
        }
        match &self.rest {
            Rest::Fields => (&PLAIN_SHAPE, true),
            Rest::Items(shape) => (shape, false),
            Rest::Unknown => (&UNKNOWN_SHAPE, false),
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| &*field.name == name)
    }
}

/// An object without any special member.
static PLAIN: Type = fields![];
static PLAIN_SHAPE: Shape = Shape::Object(Ref::Static(&PLAIN));
/// Something that no schema describes: maps merge, lists do not.
static UNKNOWN: Type = Type {
    fields: Ref::Static(&[]),
    rest: Rest::Unknown,
    atomic: false,
};
static UNKNOWN_SHAPE: Shape = Shape::Object(Ref::Static(&UNKNOWN));
/// A `+structType=atomic`.
static ATOMIC: Type = Type {
    fields: Ref::Static(&[]),
    rest: Rest::Fields,
    atomic: true,
};

/// The type of what strategic merge patch finds where the tables say nothing.
pub(crate) fn plain() -> &'static Type {
    &PLAIN
}

/// An object whose members have rules.
const fn object(name: &'static str, of: &'static Type) -> Field {
    field(name, Shape::Object(Ref::Static(of)))
}

/// `+mapType=atomic`, `+structType=atomic`, or a list whose items need a rule for strategic merge patch.
const fn atomic(name: &'static str) -> Field {
    field(name, Shape::Atomic)
}

/// `+listType=set` without `patchStrategy`.
const fn set(name: &'static str) -> Field {
    field(name, Shape::Set)
}

/// `+listType=map` without `patchStrategy`.
const fn list(name: &'static str, keys: &'static [Key], item: &'static Type) -> Field {
    field(
        name,
        Shape::List {
            keys: Ref::Static(keys),
            item: Ref::Static(item),
        },
    )
}

/// `+listType=map` with one `+listMapKey` that is also the `patchMergeKey`.
const fn merged(name: &'static str, keys: &'static [Key; 1], item: &'static Type) -> Field {
    let Ref::Static(key) = keys[0].name else {
        return list(name, keys, item);
    };
    list(name, keys, item).merged_by(key)
}

const fn field(name: &'static str, shape: Shape) -> Field {
    Field {
        name: Ref::Static(name),
        shape,
        patch: PatchRule::Default,
    }
}

/// A key that an item without it has empty: what OpenAPI's `default: ""` of every required string comes to.
const fn key(name: &'static str) -> Key {
    Key {
        name: Ref::Static(name),
        default: KeyDefault::Text(""),
    }
}

impl Field {
    /// `patchStrategy:"merge" patchMergeKey:"…"`.
    const fn merged_by(mut self, key: &'static str) -> Field {
        self.patch = PatchRule::ByKey(key);
        self
    }

    /// `patchStrategy:"merge"` on a list of scalars.
    const fn merged_as_set(mut self) -> Field {
        self.patch = PatchRule::AsSet;
        self
    }

    /// `patchStrategy:"replace"`.
    const fn replaced(mut self) -> Field {
        self.patch = PatchRule::Replace;
        self
    }
}

/// A type from a table, or one read from a custom resource's schema.
#[derive(Debug)]
pub(crate) enum Ref<T: ?Sized + 'static> {
    Static(&'static T),
    Owned(Box<T>),
}

impl<T: ?Sized> Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Ref::Static(value) => value,
            Ref::Owned(value) => value,
        }
    }
}
