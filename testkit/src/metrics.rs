//! Reading `/metrics`.

use crate::Labels;

/// What a `/metrics` page said: Prometheus' text format, or OpenMetrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    samples: Vec<(String, Labels, f64)>,
}

impl Metrics {
    /// Reads a page.
    ///
    /// # Panics
    ///
    /// If a line is not in the format.
    pub fn parse(page: &str) -> Self {
        let lines = page.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let sample = |line| sample(line).unwrap_or_else(|| panic!("not a line of metrics: {line}"));
        Self { samples: lines.map(sample).collect() }
    }

    /// The value of the one sample of that name that has these labels, and maybe others.
    ///
    /// # Panics
    ///
    /// If there are several.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.find(name, labels);
        let value = found.next();
        assert!(found.next().is_none(), "several samples of {name} with {labels:?}: say which");
        value
    }

    /// The sum over all samples of that name; 0 if there are none.
    pub fn sum(&self, name: &str) -> f64 {
        self.sum_of(name, &[])
    }

    /// The sum over the samples of that name that have these labels; 0 if there are none.
    pub fn sum_of(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).sum()
    }

    /// The names of all samples, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.samples.iter().map(|sample| sample.0.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn find<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = f64> + 'a {
        let has = |all: &Labels| labels.iter().all(|&(name, value)| all.get(name).is_some_and(|it| it == value));
        self.samples.iter().filter(move |sample| sample.0 == name && has(&sample.1)).map(|sample| sample.2)
    }
}

/// `name{label="value",…} value [timestamp] [# exemplar]`
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            inside = inside.trim_start_matches([',', ' ']);
            if let Some(after) = inside.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, quoted) = inside.split_once("=\"")?;
            let (value, after) = unquote(quoted)?;
            labels.insert(label.to_owned(), value);
            inside = after;
        }
    }
    Some((name.to_owned(), labels, rest.split_whitespace().next()?.parse().ok()?))
}

/// The text up to the closing quote, its escapes undone, and what follows.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return Some((text, &quoted[position + 1..])),
            '\\' => text.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_text_formats() {
        let page = "# TYPE a counter\n\
                    a_total{topic=\"x\",partition=\"0\"} 3 # {trace_id=\"1\"} 1 2\n\
                    a_total{topic=\"x\",partition=\"1\"} 4e0 1700000000\n\
                    b{text=\"} \\\"quoted\\\"\\n\"} +Inf\nc 0.5\n# EOF\n";
        let metrics = Metrics::parse(page);
        assert_eq!(metrics.value("a_total", &[("partition", "1")]), Some(4.0));
        assert_eq!(metrics.sum("a_total"), 7.0);
        assert_eq!(metrics.value("b", &[("text", "} \"quoted\"\n")]), Some(f64::INFINITY));
        assert_eq!(metrics.value("c", &[]), Some(0.5));
        assert_eq!(metrics.value("d", &[]), None);
        assert_eq!(metrics.names(), ["a_total", "b", "c"]);
    }

    #[test]
    #[should_panic(expected = "several samples")]
    fn refuses_to_choose() {
        Metrics::parse("a{b=\"1\"} 1\na{b=\"2\"} 2").value("a", &[]);
    }
}
