//! Turns `system.toml` into the policy table of `init`. Anything it does not know stops the build.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use nonos_abi::Name;
use nonos_abi::info::needs;
use toml::{Table, Value};

fn main() {
    let source = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../system.toml");
    println!("cargo::rerun-if-changed={}", source.display());
    println!("cargo::rerun-if-changed=build.rs");
    let text = fs::read_to_string(&source).unwrap();
    let table: Table = text
        .parse()
        .unwrap_or_else(|error| panic!("system.toml: {error}"));
    let policy = generate(&table).unwrap_or_else(|error| panic!("system.toml: {error}"));
    let out = Path::new(&env::var("OUT_DIR").unwrap()).join("policy.rs");
    fs::write(out, policy).unwrap();
}

fn generate(table: &Table) -> Result<String, String> {
    if let Some(key) = table.keys().find(|&key| key != "module" && key != "others") {
        return Err(format!("unknown key `{key}`"));
    }
    let modules = table
        .get("module")
        .and_then(Value::as_array)
        .ok_or("no [[module]]")?;
    let mut out = String::from("pub static MODULES: &[Policy] = &[\n");
    for module in modules {
        writeln!(
            out,
            "    {},",
            policy(module.as_table().ok_or("[[module]] is no table")?)?
        )
        .unwrap();
    }
    let others = table
        .get("others")
        .and_then(Value::as_table)
        .ok_or("no [others]")?;
    writeln!(out, "];\npub static OTHERS: Policy = {};", policy(others)?).unwrap();
    Ok(out)
}

fn strings(value: &Value) -> Result<Vec<&str>, String> {
    let items = value.as_array().ok_or("a list of strings is needed")?;
    items
        .iter()
        .map(|item| item.as_str().ok_or_else(|| format!("{item} is no string")))
        .collect()
}

/// The `Policy` of one table.
fn policy(module: &Table) -> Result<String, String> {
    let (mut name, mut needs, mut serves) = ("", 0, None);
    let (mut boot, mut restart, mut input) = (false, false, false);
    let (mut priority, mut quota_pages) = (u64::MAX, u64::MAX);
    for (key, value) in module {
        let wrong = || format!("`{key} = {value}` is not understood");
        match (key.as_str(), value) {
            ("package", Value::String(_)) => {}
            ("name", Value::String(text)) => {
                Name::new(text).ok_or_else(wrong)?;
                name = text;
            }
            ("needs", value) => needs = needs_bits(&strings(value)?)?,
            ("start", Value::String(when)) => boot = choice(when, "boot", "request")?,
            ("restart", Value::String(when)) => restart = choice(when, "always", "never")?,
            ("serves", Value::String(name)) => serves = Some(name.as_str()),
            ("input", &Value::Boolean(value)) => input = value,
            ("priority", &Value::Integer(value)) => {
                priority = u64::try_from(value)
                    .ok()
                    .filter(|&v| v < 32)
                    .ok_or_else(wrong)?
            }
            ("quota_pages", &Value::Integer(value)) => {
                quota_pages = u64::try_from(value).map_err(|_| wrong())?
            }
            _ => return Err(wrong()),
        }
    }
    Ok(format!(
        "Policy {{ name: {name:?}, needs: {needs:#x}, boot: {boot}, restart: {restart}, input: {input}, \
         serves: {serves:?}, priority: {priority}, quota_pages: {quota_pages} }}"
    ))
}

fn choice(value: &str, yes: &str, no: &str) -> Result<bool, String> {
    match value {
        _ if value == yes => Ok(true),
        _ if value == no => Ok(false),
        _ => Err(format!("`{value}` is neither `{yes}` nor `{no}`")),
    }
}

fn needs_bits(names: &[&str]) -> Result<u64, String> {
    names.iter().try_fold(0, |bits, name| {
        let bit = needs::NAMES.iter().position(|known| known == name);
        Ok(bits | 1 << bit.ok_or_else(|| format!("`{name}` cannot be granted"))?)
    })
}
