//! Writes `docs/configuration.md` from the doc comments on [`RawConfig`](super::RawConfig).

use std::fmt::Write as _;

use super::{
    layers::variable,
    raw::{arguments, default_of},
};

const HEAD: &str = "\
# Configuration

<!-- Written by `ghostmux config-docs > docs/configuration.md`; change the comments in src/config/raw.rs instead. -->

Every setting can be given in three ways. A flag wins over a variable, a variable over the file, the
file over the default.

```sh
ghostmux serve --max-client-frame 16MiB
GHOSTMUX_MAX_CLIENT_FRAME=16MiB ghostmux serve
ghostmux serve --config ghostmux.toml       # or GHOSTMUX_CONFIG; max_client_frame = \"16MiB\"
```

- Sizes are bytes or have a unit: `65536`, `64KiB`, `16MiB`, `1GB`. Times always have a unit:
  `250ms`, `30s`, `5m`, `2h`, `30d`.
- The items of a list are separated by spaces, or the flag is repeated. In TOML it can also be a
  TOML list:
  `browser_args = [\"--lang=de\", \"--user-agent=With Spaces\"]`.
- A switch is on when its flag is given. In variables and TOML it is `true` or `false`;
  `--strict=false` overrides them.
- An unknown key in the file is an error. An unknown `GHOSTMUX_…` variable is a warning. An empty
  variable counts as unset.
- `ghostmux doctor` takes the same settings, and checks whether this machine can serve with them.
";

const FILE_EXAMPLE: &str = "
## Example

```toml
# ghostmux.toml
listen = \"127.0.0.1:9222\"
browsers = 2
warm = 4
max_sessions = 50
browser_args = [\"--site-per-process\"]
log = \"ghostmux=debug,info\"
```
";

/// The whole page.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    let mut heading = "";
    let command = arguments();
    for arg in command.get_arguments() {
        let group = arg.get_help_heading().unwrap_or("The file");
        if group != heading {
            let _ = write!(page, "\n## {group}\n\n| setting | variable | default | |\n|---|---|---|---|\n");
            heading = group;
        }
        let key = arg.get_id().as_str();
        let value =
            arg.get_value_names().and_then(|names| names.first()).map_or(String::new(), |name| format!(" {name}"));
        let value = if value == " BOOL" { "" } else { &value };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let (help, own_default) = match help.split_once(" [default: ") {
            Some((help, default)) => (help.to_owned(), Some(default.trim_end_matches(['.', ']']).to_owned())),
            None => (help, None),
        };
        let default = default_of(key).map(|default| format!("`{default}`")).or(own_default).unwrap_or_default();
        let row = format!("`--{}{value}`", key.replace('_', "-")).replace('|', "\\|");
        let _ = writeln!(page, "| {row} | `{}` | {default} | {}. |", variable(key), help.trim_end_matches('.'));
    }
    page + FILE_EXAMPLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == markdown(), "docs/configuration.md is stale: ghostmux config-docs > docs/configuration.md");
    }
}
