//! Where in the configuration: `kafka.brokers`, `remote_write[0].url`.

use std::fmt;

/// One step into an object or a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A key of an object.
    Key(String),
    /// An item of a list, from 0.
    Index(usize),
}

/// A place in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(pub(super) Vec<Step>);

impl Path {
    /// The whole configuration.
    pub(super) fn root() -> Self {
        Self::default()
    }

    /// A path of plain keys, as it is written: `kafka.brokers`.
    pub(super) fn of(keys: &str) -> Self {
        Self(keys.split('.').map(|key| Step::Key(key.to_owned())).collect())
    }

    /// The place of `key` in the object here.
    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// The place of item `index` in the list here.
    pub(super) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let mut path = self.clone();
        path.0.push(step);
        path
    }

    /// Whether this is `ancestor` or a place in it.
    pub(super) fn is_within(&self, ancestor: &Path) -> bool {
        self.0.starts_with(&ancestor.0)
    }

    /// The environment variable that sets this place.
    pub(super) fn variable(&self, prefix: &str) -> String {
        let steps: Vec<String> = self.0.iter().map(Step::to_string).collect();
        format!("{prefix}{}", steps.join("__").to_uppercase())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Key(key) => f.write_str(key),
            Step::Index(index) => write!(f, "{index}"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if place == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
