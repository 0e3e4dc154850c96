//! `system.toml` → the policy table of `init`, in the order of starts. Part of the build script: anything it does not
//! know, and anything that cannot work, stops the build.

use std::fmt::Write;

use nonos_abi::Name;
use nonos_abi::info::{needs, process_flags};
use toml::{Table, Value};

use crate::services;

/// The systems that the file describes. A module that names one is in that alone.
const SYSTEMS: [&str; 2] = ["console", "desktop"];

/// What can show the screen, and its name in [`crate::policy`].
const DEVICES: [(&str, &str); 2] = [("framebuffer", "Framebuffer"), ("virtio-gpu", "VirtioGpu")];

/// What the file says about one module.
#[derive(Debug)]
struct Module {
    name: String,
    needs: u64,
    boot: bool,
    restart: bool,
    input: bool,
    serves: Option<String>,
    device: Option<&'static str>,
    after: Vec<String>,
    priority: u64,
    quota_pages: u64,
    storage_pages: u64,
    budget_ns: u64,
    period_ns: u64,
    coarse_clock: bool,
}

/// The Rust source of `MODULES` and `OTHERS` for a system, one of [`SYSTEMS`].
pub fn compile(text: &str, system: &str) -> Result<String, String> {
    let table: Table = text.parse().map_err(|error| format!("{error}"))?;
    // What `kernel` says is the signer's to put into the image.
    let known = ["module", "others", "kernel"];
    if let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(format!("unknown key `{key}`"));
    }
    let listed = table
        .get("module")
        .and_then(Value::as_array)
        .ok_or("no [[module]]")?;
    let read = |module: &Value| {
        let module = read(module.as_table().ok_or("[[module]] is no table")?)?;
        match module.name.as_str() {
            "" => Err("a [[module]] has no `name`".to_owned()),
            _ => Ok(module),
        }
    };
    let of_system = |module: &&Value| {
        let only = module.get("system").and_then(Value::as_str);
        only.is_none_or(|only| only == system)
    };
    listed
        .iter()
        .try_for_each(|module| read(module).map(|_| ()))?;
    let modules = listed.iter().filter(of_system).map(read);
    let modules = in_order(modules.collect::<Result<_, String>>()?)?;
    let others = table
        .get("others")
        .and_then(Value::as_table)
        .ok_or("no [others]")?;
    let others = self::read(others)?;
    if others.boot || others.input || others.serves.is_some() || !others.name.is_empty() {
        return Err("[others] can have no `name`, `start`, `input` and `serves`".to_owned());
    }
    let mut out =
        String::from("/// The modules that `system.toml` names, in the order of their start.\n");
    out += "pub static MODULES: &[Policy] = &[\n";
    for module in &modules {
        writeln!(out, "    {},", module.source()).map_err(|error| error.to_string())?;
    }
    out += "];\n/// The policy for modules that it does not name.\n";
    out += &format!("pub static OTHERS: Policy = {};\n", others.source());
    Ok(out)
}

fn read(table: &Table) -> Result<Module, String> {
    let mut module = Module {
        name: String::new(),
        needs: 0,
        boot: false,
        restart: false,
        input: false,
        serves: None,
        device: None,
        after: Vec::new(),
        priority: u64::MAX,
        quota_pages: u64::MAX,
        storage_pages: 0,
        budget_ns: 0,
        period_ns: 0,
        coarse_clock: false,
    };
    for (key, value) in table {
        let wrong = || format!("`{key} = {value}` is not understood");
        match (key.as_str(), value) {
            ("package", Value::String(_)) => {}
            ("system", Value::String(name)) if SYSTEMS.contains(&name.as_str()) => {}
            ("name", Value::String(text)) => {
                Name::new(text).ok_or_else(wrong)?;
                module.name.clone_from(text);
            }
            ("needs", value) => module.needs = needs_bits(&strings(value)?)?,
            ("after", value) => {
                module.after = strings(value)?.into_iter().map(str::to_owned).collect();
            }
            ("start", Value::String(when)) => module.boot = choice(when, "boot", "request")?,
            ("restart", Value::String(when)) => module.restart = choice(when, "always", "never")?,
            ("serves", Value::String(name)) => {
                Name::new(name).ok_or_else(wrong)?;
                module.serves = Some(name.clone());
            }
            ("device", Value::String(name)) => {
                let known = DEVICES.iter().find(|(known, _)| known == name);
                module.device = Some(known.ok_or_else(wrong)?.1);
            }
            ("input", &Value::Boolean(value)) => module.input = value,
            ("priority", &Value::Integer(value)) => {
                module.priority = u64::try_from(value)
                    .ok()
                    .filter(|&v| v < 32)
                    .ok_or_else(wrong)?;
            }
            ("quota_pages", &Value::Integer(value)) => {
                module.quota_pages = u64::try_from(value).map_err(|_| wrong())?;
            }
            ("storage_pages", &Value::Integer(value)) => {
                module.storage_pages = u64::try_from(value).map_err(|_| wrong())?;
            }
            ("clock", Value::String(which)) => {
                module.coarse_clock = choice(which, "coarse", "fine")?;
            }
            ("budget", Value::String(text)) => {
                (module.budget_ns, module.period_ns) =
                    budget(text).map_err(|why| format!("`{key} = {value}`: {why}"))?;
            }
            _ => return Err(wrong()),
        }
    }
    if module.device.is_some() && !module.boot {
        return Err(format!(
            "`{}`: only what starts with the system starts by what shows the screen",
            module.name
        ));
    }
    if module.restart && !module.boot {
        return Err(format!(
            "`{}`: only what starts with the system is restarted",
            module.name
        ));
    }
    Ok(module)
}

impl Module {
    /// The `Policy` of it.
    fn source(&self) -> String {
        let Self {
            name,
            needs,
            boot,
            restart,
            input,
            serves,
            device,
            priority,
            quota_pages,
            storage_pages,
            budget_ns,
            period_ns,
            coarse_clock,
            ..
        } = self;
        let device = device.map_or("None".to_owned(), |device| {
            format!("Some(Device::{device})")
        });
        let flags = u64::from(*coarse_clock) * process_flags::COARSE_CLOCK;
        format!(
            "Policy {{ name: {name:?}, needs: {needs:#x}, boot: {boot}, restart: {restart}, input: {input}, \
             serves: {serves:?}, priority: {priority}, quota_pages: {quota_pages}, \
             storage_pages: {storage_pages}, budget_ns: {budget_ns}, \
             period_ns: {period_ns}, device: {device}, flags: {flags} }}"
        )
    }
}

fn strings(value: &Value) -> Result<Vec<&str>, String> {
    let items = value.as_array().ok_or("a list of strings is needed")?;
    items
        .iter()
        .map(|item| item.as_str().ok_or_else(|| format!("{item} is no string")))
        .collect()
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

/// `"8ms/10ms"` → nanoseconds of CPU time, nanoseconds of the period.
fn budget(text: &str) -> Result<(u64, u64), String> {
    let (time, period) = text
        .split_once('/')
        .ok_or("a budget is TIME/PERIOD, as in 8ms/10ms")?;
    let (time_ns, period_ns) = (duration_ns(time)?, duration_ns(period)?);
    match () {
        () if time_ns == 0 => Err("no time at all: leave the budget out for no limit".to_owned()),
        () if time_ns > period_ns => Err("more time than the period has".to_owned()),
        () => Ok((time_ns, period_ns)),
    }
}

fn duration_ns(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ns: u64 = match unit.trim() {
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return Err(format!("`{text}` is no time: a number and us, ms or s")),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| format!("`{text}` is no time: a number and us, ms or s"))?;
    number
        .checked_mul(unit_ns)
        .ok_or_else(|| format!("`{text}` is too long"))
}

/// The modules so that each comes after those that it needs or names; otherwise as in the file.
fn in_order(mut modules: Vec<Module>) -> Result<Vec<Module>, String> {
    for (index, module) in modules.iter().enumerate() {
        let earlier = &modules[..index];
        if earlier.iter().any(|other| other.name == module.name) {
            return Err(format!("`{}` is listed twice", module.name));
        }
        if let Some(service) = &module.serves
            && let Some(other) = earlier.iter().find(|other| {
                let never_both = module.device.is_some()
                    && other.device.is_some()
                    && other.device != module.device;
                other.serves.as_ref() == Some(service) && !never_both
            })
        {
            return Err(format!(
                "`{}` and `{}` both serve `{service}`",
                other.name, module.name
            ));
        }
    }
    let mut waits_for: Vec<(String, Vec<String>)> = modules
        .iter()
        .map(|module| Ok((module.name.clone(), first_needed(module, &modules)?)))
        .collect::<Result<_, String>>()?;
    let mut ordered = Vec::new();
    while !modules.is_empty() {
        let ready = waits_for
            .iter()
            .position(|(_, names)| {
                !names
                    .iter()
                    .any(|name| modules.iter().any(|module| module.name == *name))
            })
            .ok_or_else(|| cycle(&waits_for))?;
        waits_for.remove(ready);
        ordered.push(modules.remove(ready));
    }
    Ok(ordered)
}

/// The modules that are started before this one.
fn first_needed(module: &Module, modules: &[Module]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for name in &module.after {
        match modules.iter().find(|other| other.name == *name) {
            None => {
                return Err(format!(
                    "`{}` is after `{name}`, which is not listed",
                    module.name
                ));
            }
            Some(other) if module.boot && !other.boot => {
                return Err(format!(
                    "`{}` is after `{name}`, which does not start with the system",
                    module.name
                ));
            }
            Some(_) => names.push(name.clone()),
        }
    }
    let needed = modules.iter().filter(|other| {
        let needs = other.serves.as_deref().map_or(0, services::needs_for);
        module.needs & needs != 0 && other.name != module.name
    });
    names.extend(needed.map(|other| other.name.clone()));
    Ok(names)
}

/// Says which modules wait for each other. Each of `waits_for` waits for another of them.
fn cycle(waits_for: &[(String, Vec<String>)]) -> String {
    let next = |name: &str| {
        let (_, names) = waits_for.iter().find(|(other, _)| other == name)?;
        names
            .iter()
            .find(|name| waits_for.iter().any(|(other, _)| other == *name))
    };
    let mut path: Vec<&str> = waits_for
        .iter()
        .take(1)
        .map(|(name, _)| name.as_str())
        .collect();
    while let Some(following) = path.last().and_then(|name| next(name)) {
        let again = path.iter().position(|name| name == following);
        path.push(following);
        if let Some(first) = again {
            path.drain(..first);
            break;
        }
    }
    format!("these wait for each other: {}", path.join(" → "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: &str = "\n[others]\nneeds = [\"console\"]\n";

    /// Names in the order of starts.
    fn order(modules: &str) -> Result<Vec<String>, String> {
        let source = compile(&format!("{modules}{OTHERS}"), "console")?;
        let names = source.lines().filter_map(|line| {
            let rest = line.trim().strip_prefix("Policy { name: \"")?;
            Some(rest.split_once('"')?.0.to_owned())
        });
        Ok(names.collect())
    }

    fn module(name: &str, more: &str) -> String {
        format!("[[module]]\nname = \"{name}\"\nstart = \"boot\"\n{more}\n")
    }

    #[track_caller]
    fn refused(text: &str, says: &str) {
        let error = compile(text, "console").unwrap_err();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn a_module_of_another_system_is_left_out() {
        let modules = module("a", "system = \"desktop\"")
            + &module("a", "system = \"console\"\nquota_pages = 3")
            + &module("b", "");
        assert_eq!(order(&modules).unwrap(), ["a", "b"]);
        let source = compile(&format!("{modules}{OTHERS}"), "console").unwrap();
        assert!(source.contains("quota_pages: 3"), "{source}");
        refused(
            &format!("{}{OTHERS}", module("a", "system = \"game\"")),
            "is not understood",
        );
    }

    #[test]
    fn a_module_starts_after_the_service_that_it_needs() {
        let modules = module("shell", "needs = [\"console\"]")
            + &module("console", "serves = \"console\"\nafter = [\"clock\"]")
            + &module("clock", "")
            + &module("last", "");
        assert_eq!(
            order(&modules).unwrap(),
            ["clock", "console", "shell", "last"]
        );
    }

    #[test]
    fn without_dependencies_the_order_is_that_of_the_file() {
        let modules = module("b", "") + &module("a", "") + &module("c", "");
        assert_eq!(order(&modules).unwrap(), ["b", "a", "c"]);
    }

    #[test]
    fn modules_that_wait_for_each_other_stop_the_build_and_are_named() {
        let modules = module("first", "after = [\"a\"]")
            + &module("a", "after = [\"b\"]")
            + &module("b", "needs = [\"console\"]")
            + &module("c", "serves = \"console\"\nafter = [\"a\"]");
        let error = order(&modules).unwrap_err();
        assert_eq!(error, "these wait for each other: a → b → c → a");
        let error = order(&module("a", "after = [\"a\"]")).unwrap_err();
        assert_eq!(error, "these wait for each other: a → a");
    }

    #[test]
    fn a_service_can_need_itself_without_waiting() {
        let modules = module("console", "serves = \"console\"\nneeds = [\"console\"]");
        assert_eq!(order(&modules).unwrap(), ["console"]);
    }

    #[test]
    fn budgets_are_read_in_their_units() {
        assert_eq!(budget("8ms/10ms"), Ok((8_000_000, 10_000_000)));
        assert_eq!(budget("500us / 1s"), Ok((500_000, 1_000_000_000)));
        for (text, says) in [
            ("8ms", "TIME/PERIOD"),
            ("8/10", "`8` is no time"),
            ("ms/10ms", "`ms` is no time"),
            ("0ms/10ms", "no time at all"),
            ("11ms/10ms", "more time than the period"),
            ("8ms/10h", "`10h` is no time"),
            ("1s/99999999999s", "too long"),
            ("-1ms/1ms", "is no time"),
        ] {
            let error = budget(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn the_policy_says_what_the_file_says() {
        let modules = module(
            "a",
            "budget = \"1ms/2ms\"\npriority = 5\nquota_pages = 9\nstorage_pages = 7\ninput = true\nneeds = [\"power\"]\nrestart = \"always\"\nclock = \"coarse\"",
        );
        let source = compile(&format!("{modules}{OTHERS}"), "console").unwrap();
        let policy = "Policy { name: \"a\", needs: 0x8, boot: true, restart: true, input: true, serves: None, \
                      priority: 5, quota_pages: 9, storage_pages: 7, budget_ns: 1000000, period_ns: 2000000, device: None, flags: 1 },";
        assert!(source.contains(policy), "{source}");
        assert!(
            source.contains(
                "pub static OTHERS: Policy = Policy { name: \"\", needs: 0x1, boot: false"
            )
        );
    }

    #[test]
    fn what_is_not_known_or_cannot_work_stops_the_build() {
        let good = module("a", "") + OTHERS;
        assert!(compile(&good, "console").is_ok());
        refused("[others]", "no [[module]]");
        refused(&module("a", ""), "no [others]");
        refused(&format!("{good}\n[more]"), "unknown key `more`");
        refused("[[module]", "TOML");
        refused(&format!("[[module]]\npriority = 1\n{OTHERS}"), "no `name`");
        for (line, says) in [
            ("colour = 1", "`colour = 1` is not understood"),
            ("priority = 32", "`priority = 32` is not understood"),
            ("priority = \"high\"", "is not understood"),
            ("quota_pages = -1", "is not understood"),
            ("needs = [\"everything\"]", "`everything` cannot be granted"),
            ("needs = \"power\"", "a list of strings"),
            ("needs = [1]", "1 is no string"),
            (
                "restart = \"often\"",
                "`often` is neither `always` nor `never`",
            ),
            ("clock = \"none\"", "`none` is neither `coarse` nor `fine`"),
            ("serves = \"a b\"", "is not understood"),
            ("device = \"printer\"", "is not understood"),
            ("budget = \"lots\"", "TIME/PERIOD"),
            ("budget = 5", "is not understood"),
            ("after = [\"nobody\"]", "`nobody`, which is not listed"),
        ] {
            refused(&(module("a", line) + OTHERS), says);
        }
        refused(&(module("a", "") + &good), "`a` is listed twice");
        let both = module("a", "serves = \"console\"") + &module("b", "serves = \"console\"");
        refused(&(both + OTHERS), "`a` and `b` both serve `console`");
        let screen =
            |name, device| module(name, &format!("serves = \"screen\"\ndevice = \"{device}\""));
        let never_both = screen("a", "framebuffer") + &screen("b", "virtio-gpu") + OTHERS;
        assert!(compile(&never_both, "console").is_ok());
        let both = screen("a", "virtio-gpu") + &screen("b", "virtio-gpu");
        refused(&(both + OTHERS), "`a` and `b` both serve `screen`");
        let one_always = module("a", "serves = \"screen\"") + &screen("b", "virtio-gpu");
        refused(&(one_always + OTHERS), "`a` and `b` both serve `screen`");
        let late = "[[module]]\nname = \"late\"\n";
        let waits = module("a", "after = [\"late\"]");
        refused(
            &format!("{waits}{late}{OTHERS}"),
            "does not start with the system",
        );
        refused(
            &format!("{late}restart = \"always\"\n{OTHERS}"),
            "only what starts with the system",
        );
        refused(
            &format!("{late}device = \"framebuffer\"\n{OTHERS}"),
            "only what starts with the system",
        );
        refused(
            &good.replace("[others]", "[others]\nstart = \"boot\""),
            "[others] can have no",
        );
    }
}
