//! `types/ghost.d.ts`, written from the definition.

use std::fmt::Write as _;

use super::{
    capital,
    definition::{Domain, Items, Member, Type},
};

const HEAD: &str = "\
// Written by `make types` from the Rust types in src/api_types/, which are what to change.
//
// The shapes alone. Puppeteer's `CDPSession` learns of them from ghost-puppeteer.d.ts, Playwright's from
// ghost-playwright.d.ts.
";

/// The whole file.
pub(super) fn of_domain(domain: &Domain) -> String {
    let mut file = HEAD.to_owned();
    let mut commands = String::new();
    let mut events = String::new();
    file.push('\n');
    comment(&mut file, "", Some(&domain.description));
    file.push_str("export namespace Ghost {\n");
    for kind in &domain.types {
        type_of(&mut file, kind);
    }
    for command in &domain.commands {
        let method = format!("{}.{}", domain.domain, command.name);
        let name = capital(&command.name);
        let mut shape = |suffix: &str, members: &[Member], none: &str| {
            if members.is_empty() {
                return none.to_owned();
            }
            let _ = writeln!(file, "\n  /** Of `{method}`. */");
            object(&mut file, &format!("{name}{suffix}"), members);
            format!("{name}{suffix}")
        };
        let params = shape("Params", &command.parameters, "undefined");
        let result = shape("Result", &command.returns, "{}");
        comment(&mut commands, "    ", Some(&command.description));
        let _ = writeln!(commands, "    '{method}': {{ params: {params}; result: {result} }};");
    }
    for event in &domain.events {
        let method = format!("{}.{}", domain.domain, event.name);
        let name = format!("{}Event", capital(&event.name));
        let _ = writeln!(file, "\n  /** Of `{method}`. */");
        object(&mut file, &name, &event.parameters);
        comment(&mut events, "    ", Some(&event.description));
        let _ = writeln!(events, "    '{method}': {name};");
    }
    let _ = write!(
        file,
        "\n  /** Every command: what it takes and what it answers. */\n  interface Commands {{\n{commands}  }}\n"
    );
    let _ = write!(file, "\n  /** Every event: what it tells. */\n  interface Events {{\n{events}  }}\n}}\n");
    file
}

fn type_of(file: &mut String, kind: &Type) {
    file.push('\n');
    comment(file, "  ", Some(&kind.description));
    let id = &kind.id;
    if !kind.properties.is_empty() {
        return object(file, id, &kind.properties);
    }
    let meaning = if kind.variants.is_empty() {
        plain(&kind.kind).to_owned()
    } else {
        kind.variants.iter().map(|variant| format!("'{variant}'")).collect::<Vec<_>>().join(" | ")
    };
    let _ = writeln!(file, "  type {id} = {meaning};");
}

fn object(file: &mut String, name: &str, members: &[Member]) {
    let _ = writeln!(file, "  interface {name} {{");
    for member in members {
        comment(file, "    ", member.description.as_deref());
        let may = if member.optional { "?" } else { "" };
        let kind = named(member.reference.as_deref(), member.kind.as_deref(), member.items.as_ref());
        let _ = writeln!(file, "    {}{may}: {kind};", member.name);
    }
    file.push_str("  }\n");
}

fn named(reference: Option<&str>, kind: Option<&str>, items: Option<&Items>) -> String {
    match (reference, items) {
        (Some(id), _) => id.to_owned(),
        (None, Some(items)) => format!("{}[]", named(items.reference.as_deref(), items.kind.as_deref(), None)),
        (None, None) => plain(kind.unwrap_or_default()).to_owned(),
    }
}

fn plain(kind: &str) -> &'static str {
    match kind {
        "integer" | "number" => "number",
        "boolean" => "boolean",
        "string" => "string",
        // What the protocol means by an object without members.
        "object" => "Record<string, string>",
        _ => "unknown",
    }
}

fn comment(file: &mut String, indent: &str, text: Option<&str>) {
    if let Some(text) = text {
        let _ = writeln!(file, "{indent}/** {} */", text.replace("*/", "* /"));
    }
}
