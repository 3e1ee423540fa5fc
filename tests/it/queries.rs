//! Promise: whatever is asked of `/api/v1/query_exemplars` is answered as Prometheus answers it, or in another way that is
//! listed with its reason. The questions are in `tests/data/queries.txt`, the list in `tests/data/differences.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};
use testkit::{get, post};

use crate::both::{Answer, Both, EVERYTHING, difference};

const QUERIES: &str = include_str!("../data/queries.txt");
const DIFFERENCES: &str = include_str!("../data/differences.txt");

/// A question: a query and the bounds of time that are given.
#[derive(Debug, Clone)]
struct Question {
    query: String,
    start: Option<String>,
    end: Option<String>,
}

impl Question {
    /// From `start..end` and a query.
    fn new(times: &str, query: &str) -> Self {
        let (start, end) = times.trim().split_once("..").unwrap_or_else(|| panic!("no times: {times}"));
        let given = |time: &str| (!time.is_empty()).then(|| time.to_owned());
        Self { query: query.trim().to_owned(), start: given(start), end: given(end) }
    }

    fn fields(&self) -> Vec<(&str, &str)> {
        let bounds = [("start", &self.start), ("end", &self.end)];
        let bounds = bounds.into_iter().filter_map(|(name, bound)| Some((name, bound.as_deref()?)));
        [("query", self.query.as_str())].into_iter().chain(bounds).collect()
    }
}

impl Display for Question {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let bound = |bound: &Option<String>| bound.clone().unwrap_or_default();
        write!(f, "{}..{} | {}", bound(&self.start), bound(&self.end), self.query)
    }
}

/// What a table says of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected<'a> {
    /// So many series and exemplars.
    Found(usize, usize),
    /// A success without a body.
    NoData,
    /// A success with a body that has no data.
    Empty,
    /// An error of the client's that lies in this parameter.
    Bad(&'a str),
}

impl<'a> Expected<'a> {
    fn new(text: &'a str) -> Self {
        match text.trim().split_once(' ') {
            _ if text.trim() == "empty" => Self::Empty,
            Some(("no", "data")) => Self::NoData,
            Some(("bad", parameter)) => Self::Bad(parameter),
            Some((series, exemplars)) => {
                let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("not a number of anything: {text}"));
                Self::Found(number(series), number(exemplars))
            }
            None => panic!("says nothing: {text}"),
        }
    }

    /// Whether an answer is what the table says it is.
    fn check(self, answer: &Answer) -> Result<(), String> {
        let right = match self {
            Self::Found(..) => {
                let found = answer.found().map(|(series, exemplars)| Self::Found(series, exemplars));
                answer.status == 200 && answer.body["status"] == "success" && found == Some(self)
            }
            Self::NoData => answer.status == 204 && answer.body.is_null(),
            Self::Empty => answer.status == 200 && answer.body == json!({ "status": "success" }),
            Self::Bad(_) => {
                let kind = (&answer.body["status"], &answer.body["errorType"]);
                let text = answer.body["error"].as_str().is_some_and(|error| !error.is_empty());
                answer.status == 400 && kind == (&json!("error"), &json!("bad_data")) && text
            }
        };
        let found = answer.found().map_or_else(|| answer.body.to_string(), |found| format!("{found:?}"));
        if right { Ok(()) } else { Err(format!("{self:?} was expected, and not {}: {found}", answer.status)) }
    }
}

/// Whether our words for an error name the parameter, and quote its value or say where in it the error is.
fn check_words(answer: &Answer, parameter: &str, question: &Question) -> Result<(), String> {
    let error = answer.body["error"].as_str().unwrap_or_default();
    let fields = question.fields();
    let value = fields.iter().find(|(name, _)| *name == parameter).map_or("", |(_, value)| value);
    let named = error.contains(parameter);
    // A line and a column, as Prometheus has them: 1:17.
    let placed = error.split(|c: char| !c.is_ascii_digit() && c != ':').any(|word| {
        let place =
            word.split_once(':').map(|(line, column)| (line.parse::<u32>(), column.trim_end_matches(':').parse()));
        matches!(place, Some((Ok(1..), Ok::<u32, _>(1..))))
    });
    let quoted = !value.is_empty() && error.contains(value);
    if named && (quoted || placed) { Ok(()) } else { Err(format!("its words do not say what is wrong where: {error}")) }
}

/// Whether both have given one answer: the same data, or errors of the same kind.
fn check_equal(theirs: &Answer, ours: &Answer) -> Result<(), String> {
    let same = theirs.status == ours.status
        && match theirs.status {
            400.. => ["status", "errorType"].iter().all(|key| theirs.body[key] == ours.body[key]),
            _ => theirs.body == ours.body,
        };
    let differ = || format!("{} and not {}: {}", ours.status, theirs.status, difference(&ours.body, &theirs.body));
    if same { Ok(()) } else { Err(differ()) }
}

/// The rows of a table, without comments: columns, the last of which may have anything in it.
fn rows<const COLUMNS: usize>(table: &str) -> impl Iterator<Item = [&str; COLUMNS]> {
    table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let columns: Vec<&str> = line.splitn(COLUMNS, '|').collect();
        columns.try_into().unwrap_or_else(|_| panic!("not {COLUMNS} columns: {line}"))
    })
}

/// Fails with everything that was found to be wrong.
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_as_by_prometheus() {
    let both = Both::shared().await;
    let mut wrong = Vec::new();
    for [found, times, query] in rows(QUERIES) {
        let (expected, question) = (Expected::new(found), Question::new(times, query));
        let (theirs, ours) = both.ask(&question.fields()).await;
        let checked = expected.check(&theirs).map_err(|error| format!("Prometheus: {error}"));
        let checked = checked.and_then(|()| check_equal(&theirs, &ours));
        let checked = checked.and_then(|()| match expected {
            Expected::Bad(parameter) => check_words(&ours, parameter, &question),
            _ => Ok(()),
        });
        wrong.extend(checked.err().map(|error| format!("{question}\n    {error}")));
    }
    assert_none(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_are_those_that_are_listed() {
    let both = Both::shared().await;
    let mut wrong = Vec::new();
    for [theirs, ours, times, query] in rows(DIFFERENCES) {
        let (expected, question) = ((Expected::new(theirs), Expected::new(ours)), Question::new(times, query));
        assert_ne!(expected.0, expected.1, "no difference: {question}");
        let (theirs, ours) = both.ask(&question.fields()).await;
        let checked = expected.0.check(&theirs).map_err(|error| format!("Prometheus: {error}"));
        let checked = checked.and_then(|()| expected.1.check(&ours).map_err(|error| format!("the bridge: {error}")));
        let checked = checked.and_then(|()| match expected.1 {
            Expected::Bad(parameter) => check_words(&ours, parameter, &question),
            _ => Ok(()),
        });
        wrong.extend(checked.err().map(|error| format!("{question}\n    {error}")));
    }
    assert_none(&wrong);
}

/// The same questions in every way that HTTP has to ask them: a method, what follows the path, and a form.
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_every_form_are_understood_alike() {
    let both = Both::shared().await;
    let path = "/api/v1/query_exemplars";
    let mut wrong = Vec::new();
    for (address, form, expected) in [
        ("", None, Expected::Bad("query")),
        ("?", None, Expected::Bad("query")),
        ("?start=1&end=2", None, Expected::Bad("query")),
        ("?query=", None, Expected::Bad("query")),
        ("?query=quarters", None, Expected::Found(1, 5)),
        ("?query=quarters&start=&end=", None, Expected::Found(1, 5)),
        ("?query=quarters&unknown=1&step=x", None, Expected::Found(1, 5)),
        ("?query=quarters&query=odd", None, Expected::Found(1, 5)),
        ("?query=quarters&start=1795247601&start=0", None, Expected::Found(1, 1)),
        ("?query=quarters+or+prefix", None, Expected::Found(3, 7)),
        ("?query=quarters%20or%0Aprefix", None, Expected::Found(3, 7)),
        ("?query=quarters%20%23%20comment%0A%09or%0D%0A%20prefix", None, Expected::Found(3, 7)),
        ("?query=%7Bregion%3D%22%E6%97%A5%E6%9C%AC%22%7D", None, Expected::Found(1, 55)),
        ("?query=quarters&start=2026-11-21T08:53:21%2B01:00", None, Expected::Found(1, 1)),
        // A plus sign that is not escaped is a space.
        ("?query=quarters&start=2026-11-21T08:53:21+01:00", None, Expected::Bad("start")),
        ("?query=quarters&start=%201795247601", None, Expected::Bad("start")),
        ("?%71uery=quarters", None, Expected::Found(1, 5)),
        ("?QUERY=quarters", None, Expected::Bad("query")),
        ("", Some(""), Expected::Bad("query")),
        ("", Some("query=quarters"), Expected::Found(1, 5)),
        ("", Some("query=quarters+or+prefix&start=1795247601"), Expected::Found(3, 3)),
        ("?query=quarters", Some(""), Expected::Found(1, 5)),
        ("?query=quarters", Some("start=1795247601"), Expected::Found(1, 1)),
        // What the form says goes before what the address says.
        ("?query=odd&start=0", Some("query=quarters&start=1795247601"), Expected::Found(1, 1)),
    ] {
        let ask = async |url: String| match form {
            None => Answer::from(get(&url).await),
            Some(form) => Answer::from(post(&url, "application/x-www-form-urlencoded", form).await),
        };
        let (theirs, ours) = (both.prometheus.url(path), both.bridge.url(path));
        let (theirs, ours) = (ask(theirs + address).await, ask(ours + address).await);
        let checked = expected.check(&theirs).map_err(|error| format!("Prometheus: {error}"));
        let checked = checked.and_then(|()| check_equal(&theirs, &ours));
        wrong.extend(checked.err().map(|error| format!("{address} {form:?}\n    {error}")));
    }
    assert_none(&wrong);
}

/// An expression is not trusted: there is an end to how long and how deep it may be, and nothing breaks before it.
#[tokio::test(flavor = "multi_thread")]
async fn expressions_without_measure_are_refused() {
    let both = Both::shared().await;
    let nested = |depth: usize| format!("{}quarters{}", "(".repeat(depth), ")".repeat(depth));
    let long = |length: usize| format!("quarters or {}{{a=\"b\"}}", "x".repeat(length));
    let pattern = |pattern: &str| format!("odd{{text=~\"{pattern}\"}}");
    for query in [
        nested(90),
        long(15 << 10),
        "-".repeat(90) + "quarters",
        pattern(&format!("{}a{}", "(".repeat(50), ")".repeat(50))),
    ] {
        let answer = Answer::of(&both.bridge, &[("query", &query)]).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    }
    for query in [
        nested(200),
        nested(8_000),
        nested(300_000),
        "(".repeat(16_000),
        "-".repeat(10_000) + "quarters",
        "sum(".repeat(3_000) + "quarters" + &")".repeat(3_000),
        long(20 << 10),
        long(1 << 20),
        // More than any machine has room for, if it were taken at its word.
        pattern(&format!("{}x{}", "(".repeat(5), "){1000}".repeat(5))),
        pattern(&"(".repeat(5_000)),
        pattern(&format!("{}x{}", "(".repeat(5_000), ")".repeat(5_000))),
    ] {
        let answer = testkit::post_fields(&both.bridge.url("/api/v1/query_exemplars"), &[("query", &query)]).await;
        let (status, body) = match answer {
            Ok(answer) => answer,
            // Nobody reads a body of any length to its end: who is still writing may not get to see the answer.
            Err(_) if query.len() > 64 << 10 => continue,
            Err(error) => panic!("no answer: {error:?}"),
        };
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let start: String = query.chars().take(30).collect();
        assert!(matches!(status.as_u16(), 400 | 413), "{start}…: {status}: {body}");
        assert_eq!((&body["status"], &body["errorType"]), (&json!("error"), &json!("bad_data")), "{start}…");
        let error = body["error"].as_str().expect("an error is told in words");
        assert!(!error.is_empty() && error.len() < 50_000, "{start}…: {error}");
    }
    let answer = Answer::of(&both.bridge, &[("query", "quarters")]).await;
    assert_eq!(answer.found(), Some((1, 5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_other_than_get_and_post_are_refused() {
    let both = Both::shared().await;
    for method in ["PUT", "DELETE", "PATCH"] {
        let url = both.bridge.url("/api/v1/query_exemplars?query=quarters");
        let request = format!("curl -sS -o /dev/null -w '%{{http_code}}' -X {method} '{url}'");
        let output = tokio::process::Command::new("sh").args(["-c", &request]).output().await;
        let output = output.expect("every system has a shell");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "405", "{method}");
    }
}

/// Questions made up from what there is to be found.
struct Random {
    random: fastrand::Rng,
    /// Label names that need no quotes, each with the values that there are.
    labels: Vec<(String, Vec<String>)>,
    /// When there are exemplars, as the answer has it.
    times: Vec<String>,
}

impl Random {
    /// Always the same questions for the same exemplars.
    fn new(seed: u64, answer: &Value) -> Self {
        let (mut labels, mut times) = (BTreeMap::<&str, BTreeSet<&str>>::new(), Vec::new());
        for series in answer["data"].as_array().expect("there is data") {
            for (name, value) in series["seriesLabels"].as_object().expect("labels are an object") {
                labels.entry(name).or_default().insert(value.as_str().expect("a label is text"));
            }
            let exemplars = series["exemplars"].as_array().expect("exemplars are a list").iter();
            times.extend(exemplars.map(|exemplar| format!("{:.3}", exemplar["timestamp"].as_f64().expect("a time"))));
        }
        labels.retain(|name, _| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        let owned = |values: BTreeSet<&str>| values.into_iter().map(str::to_owned).collect();
        let mut labels: Vec<_> = labels.into_iter().map(|(name, values)| (name.to_owned(), owned(values))).collect();
        labels.push(("absent".to_owned(), vec!["x".to_owned()]));
        Self { random: fastrand::Rng::with_seed(seed), labels, times }
    }

    fn choose<T: Clone>(&mut self, of: &[T]) -> T {
        self.random.choice(of).expect("there is something to choose from").clone()
    }

    fn question(&mut self) -> Question {
        let selectors: Vec<String> = (0..self.choose(&[1, 1, 1, 2, 3])).map(|_| self.selector()).collect();
        let query = selectors.join(&self.choose(&[" or ", " + ", " and on(job) "].map(str::to_owned)));
        let (start, end) = (self.bound(), self.bound());
        // Mostly in order, because there is just one answer to the other.
        match (&start, &end) {
            (Some(later), Some(earlier)) if later > earlier && self.random.u8(..) > 20 => {
                Question { query, start: end, end: start }
            }
            _ => Question { query, start, end },
        }
    }

    /// A time at which there is an exemplar, one just beside it, or none.
    fn bound(&mut self) -> Option<String> {
        let time = self.choose(&self.times.clone());
        match self.random.u8(..4) {
            0 => None,
            1 => Some(time),
            2 => Some(time.split('.').next().expect("there is a first part").to_owned()),
            // Not halfway between two milliseconds, which a floating-point number cannot be.
            _ => Some(format!("{time}{}", self.choose(&[0, 1, 2, 3, 4, 6, 7, 8, 9]))),
        }
    }

    fn selector(&mut self) -> String {
        let name = match self.random.bool() {
            true => String::new(),
            false => self.choose(
                &["orders_total", "rpc_duration_seconds", "http_request_duration_seconds_bucket", "odd"]
                    .map(str::to_owned),
            ),
        };
        let mut matchers: Vec<String> = (0..self.random.usize(1..4)).map(|_| self.matcher(!name.is_empty())).collect();
        if name.is_empty() && self.random.u8(..8) > 0 {
            // Or most would be refused for what they let through.
            matchers.push(self.choose(&[r#"job="shop""#, r#"__name__=~".+""#, "__name__!=''"].map(str::to_owned)));
        }
        format!("{name}{{{}}}", matchers.join(&self.choose(&[",", ", "].map(str::to_owned))))
    }

    fn matcher(&mut self, named: bool) -> String {
        let labels: Vec<_> = self.labels.iter().filter(|(name, _)| !named || name != "__name__").cloned().collect();
        let (label, values) = self.choose(&labels);
        let (operator, value) = match self.random.u8(..4) {
            0 => ("=", self.value(&values)),
            1 => ("!=", self.value(&values)),
            2 => ("=~", self.pattern(&label, &values)),
            _ => ("!~", self.pattern(&label, &values)),
        };
        format!("{label}{operator}{}", self.quote(&value))
    }

    /// One that there is, nearly one, or none.
    fn value(&mut self, values: &[String]) -> String {
        let value = self.choose(values);
        match self.random.u8(..10) {
            0 => String::new(),
            1 => value.to_uppercase(),
            2 => value.chars().skip(1).collect(),
            3 => value + " ",
            _ => value,
        }
    }

    fn pattern(&mut self, label: &str, values: &[String]) -> String {
        if label == "text" {
            // There a dot may stand before a line's end, which is a difference that is listed.
            let parts: Vec<String> = (0..self.random.usize(1..4)).map(|_| escape(&self.value(values))).collect();
            return parts.join("|");
        }
        let value = self.value(values);
        let length = value.chars().count();
        let cut = self.random.usize(..=length);
        let (head, tail): (String, String) = (value.chars().take(cut).collect(), value.chars().skip(cut).collect());
        match self.random.u8(..16) {
            0 => escape(&value),
            1 => format!("{}.*", escape(&head)),
            2 => format!(".*{}", escape(&tail)),
            3 => format!("{}.+", escape(&head)),
            4 => format!(".+{}", escape(&tail)),
            5 => format!(".*{}.*", escape(&tail)),
            6 => format!("{}|{}", escape(&value), escape(&self.value(values))),
            7 => format!("|{}", escape(&value)),
            8 => format!("(?i){}", escape(&value.to_uppercase())),
            9 => format!("{}({}|x)?", escape(&head), escape(&tail)),
            10 => format!("[^{}].*", head.chars().find(char::is_ascii_alphanumeric).unwrap_or('q')),
            11 => format!("\\Q{head}\\E.{{{}}}", tail.chars().count()),
            12 => format!("^{}$", escape(&value)),
            13 => {
                self.choose(&[".*", ".+", "", "[0-9.]+", "\\d+", "\\w+", "[[:punct:]].*", "\\PL+"].map(str::to_owned))
            }
            14 => format!("(?P<a>{})(?:{})", escape(&head), escape(&tail)),
            _ => format!(".{{{},{}}}", length.saturating_sub(1), length + self.random.usize(..3)),
        }
    }

    fn quote(&mut self, text: &str) -> String {
        match self.random.u8(..3) {
            0 if !text.contains('`') => format!("`{text}`"),
            1 => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")),
            _ => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")),
        }
    }

    /// The same with a character taken out, doubled, or replaced by one that means something.
    fn damaged(&mut self, query: &str) -> String {
        let mut text: Vec<char> = query.chars().collect();
        for _ in 0..self.random.usize(1..3) {
            let place = self.random.usize(..=text.len());
            let other = self.choose(&"{}()[]\"'`=!~<>+-*/%^,:;@#\\|.?$ \nax019é".chars().collect::<Vec<_>>());
            match (self.random.u8(..4), text.get(place).copied()) {
                (0, Some(_)) => drop(text.remove(place)),
                (1, Some(same)) => text.insert(place, same),
                (2, Some(_)) => text[place] = other,
                _ => text.insert(place, other),
            }
        }
        text.into_iter().collect()
    }
}

/// A value as the expression that matches it.
fn escape(value: &str) -> String {
    let escaped = |c: char| match c {
        '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => format!("\\{c}"),
        _ => c.to_string(),
    };
    value.chars().map(escaped).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn random_questions_are_answered_as_by_prometheus() {
    let both = Both::shared().await;
    let everything = both.ask(&[("query", EVERYTHING)]).await.0;
    let mut random = Random::new(42, &everything.body);
    let (mut wrong, mut full) = (Vec::new(), 0);
    for _ in 0..300 {
        let question = random.question();
        let (theirs, ours) = both.ask(&question.fields()).await;
        full += usize::from(theirs.found().is_some_and(|found| found.0 > 0));
        wrong.extend(check_equal(&theirs, &ours).err().map(|error| format!("{question}\n    {error}")));
    }
    assert_none(&wrong);
    assert!(full > 100, "only {full} find anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_questions_are_answered_as_by_prometheus_if_it_answers() {
    let both = Both::shared().await;
    let everything = both.ask(&[("query", EVERYTHING)]).await.0;
    let mut random = Random::new(7, &everything.body);
    // Without those in which a dot may stand for a line's end, or which may become text that is not UTF-8: these are
    // differences that are listed.
    let different = |query: &str| query.starts_with("odd{text") || query.contains("\\x");
    let sound: Vec<&str> = rows(QUERIES).map(|[_, _, query]| query.trim()).filter(|query| !different(query)).collect();
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for _ in 0..400 {
        let query = random.choose(&sound);
        let query = random.damaged(query);
        let question = Question { query, start: Some("1795247500".to_owned()), end: Some("1795247505".to_owned()) };
        let (theirs, ours) = both.ask(&question.fields()).await;
        let checked = match theirs.status {
            // What Prometheus does not understand may be an expression of VictoriaMetrics', of which the bridge reads
            // the selectors.
            400 if ours.status == 200 => Ok(()),
            // Listed as well.
            204 => Expected::Empty.check(&ours),
            _ => check_equal(&theirs, &ours),
        };
        refused += usize::from(theirs.status == 400);
        wrong.extend(checked.err().map(|error| format!("{question}\n    {error}")));
    }
    assert_none(&wrong);
    assert!((50..350).contains(&refused), "{refused} are refused");
}
