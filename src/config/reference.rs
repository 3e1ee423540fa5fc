//! The table of all keys, for people.

use serde_json::Value;

use super::DEFAULTS;
use super::path::Path;
use super::schema;

/// A Markdown table of every key: its default and what it means, from the schema.
pub fn reference() -> String {
    let defaults = serde_json::from_str(DEFAULTS).expect("config.json is JSON");
    let mut table = "| key | default | meaning |\n|---|---|---|\n".to_owned();
    rows(&schema::schema(), Some(&defaults), &Path::root(), &mut table);
    table
}

fn rows(node: &Value, defaults: Option<&Value>, path: &Path, table: &mut String) {
    let required = |key: &str| {
        let keys = node.get("required").and_then(Value::as_array);
        keys.is_some_and(|keys| keys.iter().any(|required| required == key))
    };
    for (key, child) in schema::properties(node) {
        let path = path.key(key);
        let value = defaults.and_then(|defaults| defaults.get(key));
        let has_keys = child.get("properties").is_some();
        let is_plain_section = has_keys && schema::types(child).eq(["object"]);
        if !is_plain_section {
            let default = match value {
                Some(_) if has_keys && value != Some(&Value::Null) => "as below".to_owned(),
                Some(value) => format!("`{value}`"),
                None if required(key) => "required".to_owned(),
                None => "`null`".to_owned(),
            };
            table.push_str(&format!("| `{path}` | {default} | {} |\n", meaning(child)));
        }
        rows(child, value, &path, table);
    }
}

/// The description on one line, without its last sentence: the default has a column.
fn meaning(node: &Value) -> String {
    let description = node.get("description").and_then(Value::as_str).unwrap_or_default();
    let meaning = description.split("Default: ").next().unwrap_or_default();
    let words: Vec<&str> = meaning.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
