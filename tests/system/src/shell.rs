//! Reading what the shell's reports say.

/// The value of a row of `status` or `mem`, by its label; `None` when there is no such row.
///
/// A row is a mark (`!` for what is missing or weak), the label, and the value.
pub fn row<'a>(report: &'a str, label: &str) -> Option<&'a str> {
    report.lines().find_map(|line| {
        let value = line.get(2..)?.strip_prefix(label)?;
        value.starts_with(' ').then(|| value.trim())
    })
}

/// Whether the row with this label is marked as missing or weak.
pub fn is_marked(report: &str, label: &str) -> bool {
    report.lines().any(|line| {
        line.strip_prefix("! ")
            .is_some_and(|rest| rest.starts_with(label))
    })
}

/// The words of a row that may go on over several lines, each indented below the first value.
pub fn words<'a>(report: &'a str, label: &str) -> Vec<&'a str> {
    let mut lines = report
        .lines()
        .skip_while(|line| !line.get(2..).is_some_and(|rest| rest.starts_with(label)));
    let first = lines
        .next()
        .and_then(|line| line.get(2 + label.len()..))
        .unwrap_or_default();
    let more = lines.take_while(|line| line.starts_with("     "));
    std::iter::once(first)
        .chain(more)
        .flat_map(str::split_whitespace)
        .collect()
}

/// The bytes that pairs of hexadecimal digits stand for.
pub fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let pairs = pairs.map(|pair| std::str::from_utf8(pair).expect("the console shows UTF-8"));
    let values = pairs.map(|pair| u8::from_str_radix(pair, 16));
    values
        .collect::<Result<_, _>>()
        .expect("hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Protections of the CPU
  NX                on             no-execute pages
! SMAP              ABSENT         bars the kernel from touching user pages
  CR4 bits on       DE PSE
                    SMEP
  Detected          RDRAND
";

    #[test]
    fn rows_are_found_by_their_label() {
        assert_eq!(row(REPORT, "NX"), Some("on             no-execute pages"));
        assert_eq!(row(REPORT, "N"), None);
        assert!(is_marked(REPORT, "SMAP") && !is_marked(REPORT, "NX"));
        assert_eq!(words(REPORT, "CR4 bits on"), ["DE", "PSE", "SMEP"]);
        assert_eq!(words(REPORT, "Detected"), ["RDRAND"]);
    }
}
