//! Whatever a configuration says, it is accepted or its problems are told.

use proptest::prelude::*;

use super::*;

fn any_json() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_map(|number| json!(number));
    let text = prop_oneof!["[0-9]{1,25}(ms|s|h|MiB|TB)?", "[\\^a-z:/@.\\[\\]=-]{0,12}", ".{0,5}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        number,
        text.prop_map(Value::from),
    ];
    let keys = prop_oneof!["[a-z]{1,6}", any_key()];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(keys.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> + Clone {
    let keys: Vec<String> =
        schema::all(&schema()).into_iter().filter_map(|path| path.0.last().map(ToString::to_string)).collect();
    proptest::sample::select(keys)
}

fn any_path() -> impl Strategy<Value = Path> {
    proptest::sample::select(schema::all(&schema()))
}

proptest! {
    #[test]
    fn nothing_panics_on_any_json(value in any_json()) {
        if let Err(error) = load_json(value) {
            prop_assert!(!error.problems.is_empty());
        }
    }

    #[test]
    fn whatever_one_key_is_set_to_is_accepted_or_a_problem_of_that_key(
        path in any_path(), value in any_json(), index in 0usize..3,
    ) {
        let text = value.to_string();
        let pointed = format!("{path}.{index}={text}");
        let plain = format!("{path}={text}");
        let bare = format!("{path}={}", value.as_str().unwrap_or_default());
        for set in [&pointed, &plain, &bare] {
            if let Err(error) = load_with(json!({}), &[], &[set]) {
                for problem in error.problems {
                    prop_assert!(!problem.what.is_empty() && !problem.remedy.is_empty());
                    prop_assert!(problem.origin != Origin::Default || problem.path.starts_with("remote_write")
                        || problem.path.contains("max_"), "{problem}");
                }
            }
        }
    }
}
