//! Compiles the policy table, `src/virtual_browser/policy.tsv`, into perfect hashes; a row that cannot be meant fails
//! the build.

use std::{collections::BTreeMap, env, error::Error, fmt::Write as _, fs, path::Path};

const TABLE: &str = "src/virtual_browser/policy.tsv";
const COLUMNS: &str = "method\tscope\tpage\tbrowser\talso\twhy";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={TABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let table = fs::read_to_string(TABLE).map_err(|error| format!("{TABLE}: {error}"))?;
    let code = compile(&table).map_err(|(line, what)| format!("{TABLE}:{line}: {what}"))?;
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    fs::write(Path::new(&out).join("policy.rs"), code)?;
    Ok(())
}

/// The Rust code of the table, or the number of a bad line and what is wrong with it.
fn compile(table: &str) -> Result<String, (usize, String)> {
    let mut lines = table.lines().enumerate().map(|(index, line)| (index + 1, line));
    if lines.next().is_none_or(|(_, header)| header != COLUMNS) {
        return Err((1, format!("the header must be {COLUMNS:?}")));
    }
    let mut rules = BTreeMap::new();
    // Whether all rows of a domain are target-scoped `pass`.
    let mut domains = BTreeMap::new();
    for (number, line) in lines {
        let bad = |what: String| (number, what);
        let columns: Vec<_> = line.split('\t').collect();
        let &[method, scope, page, browser, also, why] = columns.as_slice() else {
            return Err(bad(format!("{} columns instead of 6", columns.len())));
        };
        let name = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let Some((domain, _)) = method.split_once('.').filter(|(domain, method)| name(domain) && name(method)) else {
            return Err(bad(format!("{method:?} is no method")));
        };
        if !["target", "context", "browser", "host"].contains(&scope) {
            return Err(bad(format!("{scope:?} is no scope: target, context, browser or host")));
        }
        let known = ["tab", "iframe", "worker", "shared_worker", "service_worker"];
        if let Some(kind) = also.split(',').find(|kind| !kind.is_empty() && !known.contains(kind)) {
            return Err(bad(format!("{kind:?} is no kind of target")));
        }
        if why.trim().is_empty() {
            return Err(bad(format!("{method} does not say why")));
        }
        let rule = format!("({}, {})", verdict(page).map_err(bad)?, verdict(browser).map_err(bad)?);
        if rules.insert(method, rule).is_some() {
            return Err(bad(format!("{method} stands twice")));
        }
        *domains.entry(domain).or_insert(true) &= scope == "target" && page == "pass";
    }

    let mut map = phf_codegen::Map::new();
    for (method, rule) in &rules {
        map.entry(*method, rule.as_str());
    }
    let mut open = phf_codegen::Set::new();
    for (domain, _) in domains.iter().filter(|(_, open)| **open) {
        open.entry(*domain);
    }
    let mut code = String::new();
    let _ = writeln!(code, "/// Rule on a page-level CDP session, rule on a browser-level one.");
    let _ = writeln!(
        code,
        "#[allow(clippy::unreadable_literal)]\nstatic RULES: phf::Map<&str, (Verdict, Verdict)> = {};",
        map.build()
    );
    let _ = writeln!(code, "/// Domains that concern their own target only.");
    let _ =
        writeln!(code, "#[allow(clippy::unreadable_literal)]\nstatic OPEN_DOMAINS: phf::Set<&str> = {};", open.build());
    Ok(code)
}

fn verdict(text: &str) -> Result<&'static str, String> {
    Ok(match text {
        "pass" => "Verdict::Pass",
        "inject-context" => "Verdict::InjectContext",
        "own-only" => "Verdict::OwnOnly",
        "virtualise" => "Verdict::Virtualise",
        "sanitise" => "Verdict::Sanitise",
        "answer-locally" => "Verdict::AnswerLocally",
        "not-found" => "Verdict::NotFound",
        "refuse" => "Verdict::Refuse(Refusal { needs: None })",
        "refuse dedicated" => "Verdict::Refuse(Refusal { needs: Some(Capability::Dedicated) })",
        "refuse tracing" => "Verdict::Refuse(Refusal { needs: Some(Capability::Tracing) })",
        _ => {
            return Err(format!(
                "{text:?} is no rule: pass, inject-context, own-only, virtualise, sanitise, answer-locally, not-found, \
                 refuse, refuse dedicated or refuse tracing"
            ));
        }
    })
}
