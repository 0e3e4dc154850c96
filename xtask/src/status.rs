//! Whether `docs/status.md` tells the truth.
//!
//! Rows of its tables read `| feature | state | `crate::path::test` … |`. Every test that is named must have passed, and
//! a feature without a test must not claim to work.

use std::collections::BTreeMap;

use crate::test::Outcome;

/// What is not true: one line for each claim.
pub fn check(page: &[u8], tests: &BTreeMap<String, Outcome>) -> Vec<String> {
    let page = String::from_utf8_lossy(page);
    let rows: Vec<_> = page.lines().filter_map(row).collect();
    if rows.is_empty() {
        return vec!["no table of features".to_owned()];
    }
    rows.iter().flat_map(|row| check_row(row, tests)).collect()
}

struct Row<'a> {
    feature: &'a str,
    state: &'a str,
    tests: Vec<&'a str>,
}

/// A row with three cells, unless it is a table's head or the line below it.
fn row(line: &str) -> Option<Row<'_>> {
    let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let mut cells = cells.splitn(3, '|').map(str::trim);
    let (feature, state, shown) = (cells.next()?, cells.next()?, cells.next()?);
    let head = state.eq_ignore_ascii_case("state") || state.chars().all(|c| matches!(c, '-' | ':'));
    // What stands between backticks: every second part.
    let tests = shown
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains("::"))
        .collect();
    (!head).then_some(Row {
        feature,
        state,
        tests,
    })
}

fn check_row(row: &Row<'_>, tests: &BTreeMap<String, Outcome>) -> Vec<String> {
    let works = ["works", "done", "yes"]
        .iter()
        .any(|word| row.state.to_lowercase().starts_with(word));
    if works && row.tests.is_empty() {
        return vec![format!(
            "\"{}\" is said to work, but no test shows it",
            row.feature
        )];
    }
    let problem = |name: &&str| match outcome(name, tests) {
        Some(Outcome::Passed) => None,
        Some(Outcome::Failed) => Some(format!("\"{}\": {name} failed", row.feature)),
        Some(Outcome::Ignored) => Some(format!("\"{}\": {name} was not run", row.feature)),
        None => Some(format!("\"{}\": there is no test {name}", row.feature)),
    };
    row.tests.iter().filter_map(problem).collect()
}

/// A test's outcome. Test files of a package are crates of their own, so the package may stand before their name.
fn outcome(name: &str, tests: &BTreeMap<String, Outcome>) -> Option<Outcome> {
    let in_file = || name.split_once("::").and_then(|(_, rest)| tests.get(rest));
    tests.get(name).or_else(in_file).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Status\n\n| feature | state | shown by |\n|---|---|---|\n";

    fn problems(rows: &str) -> Vec<String> {
        let tests = [
            ("a::good", Outcome::Passed),
            ("a::bad", Outcome::Failed),
            ("a::slow", Outcome::Ignored),
            ("boot::up", Outcome::Passed),
        ];
        let tests = tests
            .map(|(name, outcome)| (name.to_owned(), outcome))
            .into();
        check(format!("{PAGE}{rows}").as_bytes(), &tests)
    }

    #[test]
    fn features_with_passed_tests_are_true() {
        assert!(problems("| x | works | `a::good`, `system_tests::boot::up` |\n").is_empty());
    }

    #[test]
    fn missing_failed_and_ignored_tests_are_reported() {
        for name in ["a::bad", "a::slow", "a::none"] {
            let found = problems(&format!("| x | works | `a::good` `{name}` |\n"));
            assert!(found.len() == 1 && found[0].contains(name), "{found:?}");
        }
    }

    #[test]
    fn a_working_feature_needs_a_test_and_an_absent_one_does_not() {
        assert_eq!(problems("| x | works | |\n").len(), 1);
        assert!(problems("| x | absent | |\n").is_empty());
    }

    #[test]
    fn a_page_without_a_table_is_reported() {
        assert_eq!(check(b"# Status\n", &BTreeMap::new()).len(), 1);
    }
}
