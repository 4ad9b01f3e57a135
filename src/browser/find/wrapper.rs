//! Finds the program behind the shell scripts that packages install for Chrome.
//!
//! Debian's `chromium-headless-shell` is a script that runs the program and waits for it. Killing
//! that script kills the shell and leaves the browser running.

use std::{
    collections::HashMap,
    fs::File,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// The largest size of a wrapper script, in bytes.
const LARGEST_SCRIPT: u64 = 64 << 10;
/// The number of scripts that may start each other.
const DEEPEST: usize = 4;

/// An executable file.
pub(super) fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The program that the script at `path` finally starts; `None` if it is not a script, or one with
/// unknown syntax.
pub(super) fn started_by(path: &Path) -> Option<PathBuf> {
    let mut program = None;
    for _ in 0..DEEPEST {
        // Links are resolved to find the script's own directory; a program keeps the name it was
        // called by, which may decide what it does (`/snap/bin/chromium` is a link to `snap`).
        let script = program.as_deref().unwrap_or(path).canonicalize().ok()?;
        match read_script(&script) {
            Some(text) => program = Some(last_command(&text, script.parent()?)?),
            None => break,
        }
    }
    program
}

fn read_script(path: &Path) -> Option<String> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(LARGEST_SCRIPT).read_to_end(&mut text).ok()?;
    text.starts_with(b"#!").then(|| String::from_utf8_lossy(&text).into_owned())
}

/// The last program in `script` that gets the script's own arguments.
fn last_command(script: &str, dir: &Path) -> Option<PathBuf> {
    let mut variables = HashMap::new();
    let mut program = None;
    for line in script.lines().map(str::trim) {
        if let Some((name, value)) = assignment(line) {
            variables.insert(name, expand(value, &variables, dir));
            continue;
        }
        if !line.contains("$@") {
            continue;
        }
        let mut words = line.split_whitespace().skip_while(|word| *word == "exec").peekable();
        if words.next_if_eq(&"-a").is_some() {
            words.next();
        }
        let candidate = words.next().map(|word| PathBuf::from(expand(unquote(word), &variables, dir)));
        program = candidate.filter(|path| path.is_absolute() && is_program(path)).or(program);
    }
    program
}

/// `NAME=value` whose value is plain text and variables.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_plain = !value.contains(['`', '(', ';', '&', '|']) && !value.contains(char::is_whitespace);
    (is_name && is_plain).then(|| (name, unquote(value)))
}

fn unquote(word: &str) -> &str {
    word.trim_matches(['"', '\''])
}

/// Replaces variables by their values. A computed value is taken to be the script's directory,
/// which is what such scripts compute (`HERE="$(dirname …)"`); a wrong guess leads to no program.
fn expand(word: &str, variables: &HashMap<&str, String>, dir: &Path) -> String {
    let mut parts = word.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some(braced) => braced,
            None => part.split_at(part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len())),
        };
        text += &variables.get(name).cloned().unwrap_or_else(|| dir.to_string_lossy().into_owned());
        text += rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts `script` beside a program called `chrome-bin`; returns the program that the script is
    /// found to start.
    fn started(script: &str) -> Option<String> {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().canonicalize().expect("it is there");
        let program = root.join("chrome-bin");
        let wrapper = root.join("wrapper");
        std::fs::write(&program, "\x7fELF").expect("written");
        std::fs::write(&wrapper, script.replace("ROOT", &root.to_string_lossy())).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
        started_by(&wrapper).map(|path| path.strip_prefix(&root).expect("in it").to_string_lossy().into_owned())
    }

    #[test]
    fn wrapper_scripts_are_resolved_to_their_program() {
        for script in [
            "#!/bin/sh -e\n\nROOT/chrome-bin \"$@\"\n",
            "#!/bin/sh\nexec ROOT/chrome-bin --flag \"$@\"\n",
            "#!/bin/sh\nAPP=chrome-bin\nexport DIR=\"ROOT\"\nif true; then\n  exec $DIR/${APP} $FLAGS \"$@\"\nfi\n",
            "#!/bin/bash\nHERE=\"`dirname \"$0\"`\"\nexec -a \"$0\" \"$HERE/chrome-bin\" \"$@\"\n",
            "#!/bin/sh\nset -- \"$@\" more\necho \"$@\"\nROOT/chrome-bin \"$@\"\nrm -rf $TMP\n",
        ] {
            assert_eq!(started(script).as_deref(), Some("chrome-bin"), "{script}");
        }
    }

    #[test]
    fn unknown_scripts_are_left_unchanged() {
        for script in [
            "\x7fELF",
            "#!/bin/sh\nexec snap run chromium \"$@\"\n",
            "#!/bin/sh\nROOT/absent \"$@\"\n",
            "#!/bin/sh\n",
            "",
        ] {
            assert_eq!(started(script), None, "{script}");
        }
    }
}
