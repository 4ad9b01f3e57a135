//! Writes `docs/configuration.md` from the declarations in `settings.rs`.

use std::fmt::Write as _;

use super::{
    declare::{DefaultValue, Kind},
    raw::CONFIG_DOC,
    said::{flag, variable},
    settings::declared,
};

const HEAD: &str = "\
# Configuration

<!-- Written by `ghostmux config-docs > docs/configuration.md`; change src/config/settings.rs instead. -->

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
max_browsers = 4
warm = 4
max_sessions = 100
browser_args = [\"--site-per-process\"]
log = \"ghostmux=debug,info\"
```
";

const TABLE: &str = "| setting | variable | default | |\n|---|---|---|---|\n";

/// The whole page.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    let config = variable("config");
    let _ = write!(page, "\n## The file\n\n{TABLE}| `--config FILE` | `{config}` |  | {CONFIG_DOC}. |\n");
    let mut group = "";
    for setting in declared() {
        if setting.group != group {
            group = setting.group;
            let _ = write!(page, "\n## {group}\n\n{TABLE}");
        }
        let value = if setting.kind == Kind::Switch { String::new() } else { format!(" {}", setting.value_name) };
        let flag = format!("`--{}{value}`", flag(setting.key)).replace('|', "\\|");
        let default = match setting.default {
            DefaultValue::Absent => String::new(),
            DefaultValue::Text(text) => format!("`{text}`"),
            DefaultValue::Computed(how) => how.to_owned(),
        };
        let _ = writeln!(page, "| {flag} | `{}` | {default} | {}. |", variable(setting.key), setting.doc);
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
