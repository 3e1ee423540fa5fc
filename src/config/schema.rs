//! The JSON Schema of the configuration, and finding one's way in it.
//!
//! It is a plain tree: no `$ref`, no `anyOf`. So a value's place in the configuration is its schema's place here, and
//! a validator's error is about that one value.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::path::{Path, Step};
use super::secret;
use super::types::Config;

/// The JSON Schema of the configuration, generated from its types.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
    simplify(&mut schema);
    schema
}

/// Turns what schemars writes for documented enums and for optional objects into plain keywords, and drops the
/// defaults of whole sections, which repeat those of their keys.
fn simplify(node: &mut Value) {
    let Value::Object(node) = node else { return };
    if let Some(Value::Array(choices)) = node.remove("oneOf") {
        let options = choices.iter().filter_map(|choice| choice.get("const")).cloned().collect();
        node.insert("type".to_owned(), "string".into());
        node.insert("enum".to_owned(), Value::Array(options));
    }
    if let Some(Value::Array(choices)) = node.remove("anyOf")
        && let Some(Value::Object(choice)) = choices.into_iter().next()
    {
        for (keyword, value) in choice {
            node.entry(keyword).or_insert(value);
        }
        node.insert("type".to_owned(), serde_json::json!(["object", "null"]));
    }
    if node.contains_key("properties") && node.get("default").is_some_and(|value| !value.is_null()) {
        node.remove("default");
    }
    for keyword in ["items", "additionalProperties"] {
        node.get_mut(keyword).into_iter().for_each(simplify);
    }
    if let Some(Value::Object(properties)) = node.get_mut("properties") {
        properties.values_mut().for_each(simplify);
    }
}

/// The keys that the object described by `node` may have.
pub(super) fn properties(node: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = node.get("properties").and_then(Value::as_object).into_iter();
    properties.flat_map(Map::iter).map(|(key, node)| (key.as_str(), node))
}

/// What describes one step into what `node` describes.
pub(super) fn step<'a>(node: &'a Value, step: &Step) -> Option<&'a Value> {
    match step {
        Step::Index(_) => node.get("items"),
        Step::Key(key) => node.get("properties").and_then(|keys| keys.get(key)).or_else(|| values(node)),
    }
}

/// What describes the values of a map with keys of the user's own.
pub(super) fn values(node: &Value) -> Option<&Value> {
    node.get("additionalProperties").filter(|values| values.is_object())
}

/// What describes the value at `path`.
pub(super) fn at<'a>(schema: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0.iter().try_fold(schema, step)
}

/// Whether a value of that JSON type is allowed.
pub(super) fn allows(node: &Value, kind: &str) -> bool {
    types(node).any(|allowed| allowed == kind)
}

/// The JSON types allowed.
pub(super) fn types(node: &Value) -> impl Iterator<Item = &str> {
    let types = match node.get("type") {
        Some(Value::Array(types)) => types.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    types.iter().filter_map(Value::as_str)
}

/// Whether what is at `path` must not be shown.
pub(super) fn is_secret(schema: &Value, path: &Path) -> bool {
    let write_only = at(schema, path).and_then(|node| node.get("writeOnly")) == Some(&Value::Bool(true));
    let named = matches!(path.0.last(), Some(Step::Key(key)) if secret::is_secret(key));
    write_only || named
}

/// Every key there is, sections included, lists' items excluded.
pub(super) fn all(schema: &Value) -> Vec<Path> {
    fn collect(node: &Value, path: &Path, into: &mut Vec<Path>) {
        for (key, node) in properties(node) {
            let path = path.key(key);
            into.push(path.clone());
            collect(node, &path, into);
        }
    }
    let mut paths = Vec::new();
    collect(schema, &Path::root(), &mut paths);
    paths
}
