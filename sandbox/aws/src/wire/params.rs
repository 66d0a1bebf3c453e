//! The parameters of a call: `Filter.1.Value.2=x` as a tree.

use std::collections::BTreeMap;

use crate::error::AwsError;

/// Deeper names than any operation has; a bound so that nobody can make the tree deep.
const MAX_DEPTH: usize = 8;

/// One node of the tree: its own value, and what is below it by name or number.
#[derive(Debug, Default)]
pub(crate) struct Params {
    value: Option<String>,
    below: BTreeMap<String, Params>,
}

impl Params {
    /// Reads `application/x-www-form-urlencoded` text; of a repeated name the last value counts.
    pub(crate) fn parse<'a>(sources: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, AwsError> {
        let mut root = Self::default();
        for (name, value) in sources.into_iter().flat_map(form_urlencoded::parse) {
            if name.split('.').count() > MAX_DEPTH {
                return Err(AwsError::new(
                    "UnknownParameter",
                    "A parameter of the request has too many parts",
                ));
            }
            let leaf = name
                .split('.')
                .fold(&mut root, |node, part| node.below.entry(part.to_owned()).or_default());
            leaf.value = Some(value.into_owned());
        }
        Ok(root)
    }

    /// This node's own value.
    pub(crate) fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// The value of `name`, if the request has it.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.below.get(name).and_then(Self::value)
    }

    /// Whether the request has `name`, or anything below it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.below.contains_key(name)
    }

    /// The value of `name`, which must be there and not be empty.
    pub(crate) fn required(&self, name: &str) -> Result<&str, AwsError> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| AwsError::missing(name))
    }

    /// The whole number under `name`.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, AwsError> {
        let read = |text: &str| {
            text.parse()
                .map_err(|_| AwsError::bad_parameter(name, text, "It must be an integer."))
        };
        self.text(name).map(read).transpose()
    }

    /// The boolean under `name`.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, AwsError> {
        let read = |text: &str| match text {
            "true" | "True" | "TRUE" | "1" => Ok(true),
            "false" | "False" | "FALSE" | "0" => Ok(false),
            _ => Err(AwsError::bad_parameter(name, text, "It must be a boolean.")),
        };
        self.text(name).map(read).transpose()
    }

    /// The members of the list `name` in the order of their numbers: `name.1` as EC2 writes them,
    /// `name.member.1` as the other services do.
    pub(crate) fn list(&self, name: &str) -> Vec<&Self> {
        let Some(node) = self.below.get(name) else {
            return Vec::new();
        };
        let node = node.below.get("member").unwrap_or(node);
        let mut members: Vec<(u64, &Self)> = node
            .below
            .iter()
            .filter_map(|(number, member)| Some((number.parse().ok()?, member)))
            .collect();
        members.sort_by_key(|(number, _)| *number);
        members.into_iter().map(|(_, member)| member).collect()
    }

    /// The values of the list `name`.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name).into_iter().filter_map(Self::value).collect()
    }

    /// Refuses names that the operation does not have, as EC2 does.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), AwsError> {
        let common = |name: &str| matches!(name, "Action" | "Version" | "DryRun") || name.starts_with("X-Amz-");
        match self
            .below
            .keys()
            .find(|name| !common(name) && !known.contains(&name.as_str()))
        {
            Some(name) => Err(AwsError::new(
                "UnknownParameter",
                format!("The parameter {name} is not recognized"),
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Params {
        Params::parse([text.as_bytes()]).unwrap()
    }

    #[test]
    fn lists_come_in_the_order_of_their_numbers() {
        let params = parse("VolumeId.10=c&VolumeId.2=b&VolumeId.1=a&VolumeId.x=no");
        assert_eq!(params.texts("VolumeId"), ["a", "b", "c"]);
        assert_eq!(parse("Names.member.1=a&Names.member.2=b").texts("Names"), ["a", "b"]);
        assert!(params.list("Absent").is_empty());
    }

    #[test]
    fn values_are_decoded_and_an_empty_one_is_a_value() {
        let params = parse("Filter.1.Name=tag%3Aa+b&Filter.1.Value.1=");
        let filter = params.list("Filter")[0];
        assert_eq!(filter.text("Name"), Some("tag:a b"));
        assert_eq!(filter.texts("Value"), [""]);
    }

    #[test]
    fn numbers_and_booleans_are_checked() {
        let params = parse("Size=ten&Encrypted=yes&Iops=3000");
        assert_eq!(params.integer("Size").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(params.boolean("Encrypted").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(params.integer("Iops").unwrap(), Some(3000));
        assert_eq!(params.required("VolumeId").unwrap_err().code, "MissingParameter");
    }

    #[test]
    fn a_hostile_depth_is_refused() {
        let name = "a.".repeat(100_000);
        assert!(Params::parse([name.as_bytes()]).is_err());
    }

    #[test]
    fn a_name_the_operation_does_not_have_is_refused() {
        let params = parse("Action=CreateVolume&Version=1&Sise=10");
        let error = params.only(&["Size"]).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("UnknownParameter", "The parameter Sise is not recognized")
        );
    }
}
