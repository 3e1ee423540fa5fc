//! What is wrong with a configuration, told so that it can be put right without reading anything else.

use std::fmt;
use std::path::PathBuf;

use super::path::Path;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// The environment variable of that name.
    Variable(String),
    /// `--set` for that path. The value is not kept: it may be a secret.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(file) => write!(f, "file {}", file.display()),
            Origin::Variable(name) => write!(f, "environment variable {name}"),
            Origin::Flag(path) => write!(f, "flag --set {path}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, `kafka.brokers`. Empty if it concerns a source as a whole.
    pub path: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What is wrong, with the offending value unless that is a secret.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, origin, what, remedy } = self;
        if path.is_empty() {
            write!(f, "{origin}: {what}; {remedy}")
        } else {
            write!(f, "{path} ({origin}): {what}; {remedy}")
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("the configuration has a problem:")?,
            many => write!(f, "the configuration has {many} problems:")?,
        }
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// A problem before it is known where the value came from.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// The place to report, then those of other values that take part.
    places: Vec<Path>,
    what: String,
    remedy: String,
}

impl Finding {
    /// Something wrong at `place`.
    pub(super) fn at(place: Path, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (what, remedy) = (what.into(), remedy.into());
        Self { places: vec![place], what, remedy }
    }

    /// The value at `other` takes part in it.
    pub(super) fn with(mut self, other: Path) -> Self {
        self.places.push(other);
        self
    }

    /// The place to report.
    pub(super) fn path(&self) -> &Path {
        &self.places[0]
    }

    /// Whether `later` concerns a value that this one has already called wrong, and so says nothing new.
    pub(super) fn touches(&self, later: &Finding) -> bool {
        let here = self.path();
        later.places.iter().any(|place| place.is_within(here) || here.is_within(place))
    }

    /// The problem, now that its value's origin is known.
    pub(super) fn with_origin(self, origin: Origin) -> Problem {
        let path = self.path().to_string();
        Problem { path, origin, what: self.what, remedy: self.remedy }
    }
}

/// The candidate that `word` was probably meant to be, if one is close.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let furthest = (word.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= furthest && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
