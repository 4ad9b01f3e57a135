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

## Changing settings while the server runs

SIGHUP, `ghostmux reload` and `POST /v1/reload` make a server read its file again, with the flags
and variables that it was started with. The settings that are *live* in the tables below change;
the log and the answer list them, and those that need a restart because they are not. If anything
in the file is wrong, nothing changes: the error names the file, the line and the setting.

- The limits of sessions and of the queue, the rules of the pool, the hosts and origins, `log` and
  `drain` hold at once. No session is ended: when there are more than a new limit allows, they go
  on, and new ones wait. Browsers above a new `max_browsers` take no new sessions and are closed
  when their last one has ended.
- The other limits of a session and its deadlines are those of its begin: new values
  hold for sessions that begin later. `http_stall` holds for new connections.
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

# Chromes that run elsewhere, beside those that are started here.
[[browser]]
url = \"ws://127.0.0.1:9224/devtools/browser/0a1b2c3d-1111-4222-8333-444455556666\"

[[browser]]
url = \"http://127.0.0.1:9223\"
```
";

const TABLE: &str = "| setting | variable | default | live | |\n|---|---|---|---|---|\n";

/// The whole page.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    let config = variable("config");
    let _ = write!(page, "\n## The file\n\n{TABLE}| `--config FILE` | `{config}` |  |  | {CONFIG_DOC}. |\n");
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
        let (variable, live) = (variable(setting.key), if setting.is_live { "yes" } else { "" });
        let _ = writeln!(page, "| {flag} | `{variable}` | {default} | {live} | {}. |", setting.doc);
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
