use std::io::Write as _;

use clap::{Args as _, FromArgMatches as _};

use super::*;
use crate::api_types::{Reloaded, SettingChange};

/// The settings of these keys, and the defaults of all others.
pub(super) fn config(settings: &[(&str, &str)]) -> Result<Config, String> {
    let raw = settings.iter().fold(RawConfig::default(), |raw, (key, text)| raw.with(key, [(*text).to_owned()]));
    Config::load(raw, []).map_err(|error| error.to_string())
}

/// What an operator says: flags as on a command line, variables, a file.
#[derive(Default)]
struct Operator<'a> {
    flags: &'a [&'a str],
    variables: &'a [(&'a str, &'a str)],
    file: &'a str,
}

impl Operator<'_> {
    fn config(&self) -> Result<Config, String> {
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a temporary file");
        file.write_all(self.file.as_bytes()).expect("written");
        let command = RawConfig::augment_args(clap::Command::new("test"));
        let matches = command.get_matches_from([&["test"], self.flags].concat());
        let mut flags = RawConfig::from_arg_matches(&matches).expect("flags");
        flags.config = Some(file.path().to_owned());
        let variables = self.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(flags, variables)
            .map_err(|error| error.to_string().replace(&*file.path().to_string_lossy(), "FILE"))
    }
}

fn flags(flags: &[&str]) -> Result<Config, String> {
    Operator { flags, ..Default::default() }.config()
}

fn file(file: &str) -> Result<Config, String> {
    Operator { file, ..Default::default() }.config()
}

#[test]
fn defaults_are_loopback_and_one_browser() {
    let config = Config::default();
    assert_eq!(config.listen.to_string(), "127.0.0.1:9222");
    assert!(!config.is_exposed());
    assert!(matches!(config.browser_sources(), BrowserSources { local: Some(local), .. } if !local.no_sandbox));
    let pool = config.pool();
    assert_eq!((pool.min_browsers, pool.max_browsers, pool.sessions_per_browser), (1, None, 20));
    assert_eq!((config.warm, config.max_sessions), (2, None));
    assert_eq!(config.max_client_frame, 100 << 20);
    assert_eq!(config.local_capabilities(), Capabilities::local());
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let mut operator = Operator { file: "warm = 3", ..Default::default() };
    assert_eq!(operator.config().map(|config| config.warm), Ok(3));
    operator.variables = &[("GHOSTMUX_WARM", "4")];
    assert_eq!(operator.config().map(|config| config.warm), Ok(4));
    operator.flags = &["--warm", "5"];
    assert_eq!(operator.config().map(|config| config.warm), Ok(5));
}

#[test]
fn empty_variables_are_ignored() {
    let operator = Operator { variables: &[("GHOSTMUX_WARM", "")], file: "warm = 3", ..Default::default() };
    assert_eq!(operator.config().map(|config| config.warm), Ok(3));
}

#[test]
fn invalid_values_name_their_source() {
    let wrong = "must be a whole number from 1 to 64";
    assert_eq!(flags(&["--browsers", "0"]).unwrap_err(), format!("--browsers \"0\": {wrong}"));
    let wrong_clients = "--max-clients-per-session \"0\": must be a whole number from 1 to 256";
    assert_eq!(flags(&["--max-clients-per-session", "0"]).unwrap_err(), wrong_clients);
    assert_eq!(flags(&["--max-clients-per-session", "3"]).map(|config| config.max_clients_per_session), Ok(3));
    assert_eq!(file("browsers = 65").unwrap_err(), format!("browsers in FILE:1 \"65\": {wrong}"));
    let variable = Operator { variables: &[("GHOSTMUX_BROWSERS", "two")], ..Default::default() };
    assert_eq!(variable.config().unwrap_err(), format!("GHOSTMUX_BROWSERS \"two\": {wrong}"));
}

#[test]
fn unknown_file_keys_are_errors_with_their_line() {
    let error = file("warm = 1\nbrowsrs = 2\n").unwrap_err();
    assert!(error.starts_with("FILE:2: unknown setting `browsrs`, expected one of `listen`"), "{error}");
    let error = file("config = \"other.toml\"").unwrap_err();
    assert!(error.starts_with("FILE:1: unknown setting `config`"), "{error}");
    assert!(!file("warm = ").unwrap_err().contains('\n'));
}

#[test]
fn a_missing_file_is_an_error() {
    let flags = RawConfig::default().with_file(Some("/nonexistent/ghostmux.toml".into()));
    let error = Config::load(flags, []).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/ghostmux.toml: cannot read"), "{error}");
    let named = [("GHOSTMUX_CONFIG".to_owned(), "/nonexistent/other.toml".to_owned())];
    let error = Config::load(RawConfig::default(), named).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/other.toml: cannot read"), "{error}");
}

#[test]
fn listening_on_other_interfaces_needs_a_flag() {
    for address in ["0.0.0.0:9222", "[::]:9222", "192.0.2.1:80"] {
        let error = flags(&["--listen", address]).unwrap_err();
        assert!(error.contains("--insecure"), "{error}");
        let config = flags(&["--listen", address, "--insecure"]).expect("allowed");
        assert!(config.is_exposed());
    }
    assert!(flags(&["--listen", "0.0.0.0:1", "--insecure=false"]).is_err());
    assert!(!flags(&["--listen", "[::1]:1"]).expect("allowed").is_exposed());
}

#[test]
fn lists_can_be_repeated_separated_or_toml() {
    let args = |config: Result<Config, String>| config.expect("valid").browser_sources().local.expect("local").args;
    let three = ["--a", "--b=1,2", "--c"];
    assert_eq!(args(flags(&["--browser-args", "--a --b=1,2", "--browser-args", "--c"])), three);
    let variables = [("GHOSTMUX_BROWSER_ARGS", "--a --b=1,2 --c")];
    assert_eq!(args(Operator { variables: &variables, ..Default::default() }.config()), three);
    assert_eq!(args(file("browser_args = '--a --b=1,2 --c'")), three);
    assert_eq!(args(file("browser_args = ['--ua=x y']")), ["--ua=x y"]);
}

#[test]
fn required_chrome_flags_cannot_be_removed() {
    for arg in ["--remote-debugging-port=9222", "--user-data-dir=/x", "--no-sandbox", "about:blank"] {
        let error = flags(&["--browser-args", arg]).unwrap_err();
        assert!(error.starts_with("--browser-args"), "{error}");
    }
}

#[test]
fn remote_browser_excludes_local_browser_settings() {
    let url = "ws://chrome:9222/devtools/browser/1?token=s3cret";
    let config = flags(&["--browser-url", url, "--browser-url", "ws://b/"]).expect("valid");
    let sources = config.browser_sources();
    assert!(sources.remote.len() == 2 && sources.local.is_none());
    assert!(!format!("{config:?}").contains("s3cret"));
    for other in [["--browser-path", "/x"], ["--browser-args", "--x"], ["--min-browsers", "1"], ["--no-sandbox", ""]] {
        let other = if other[1].is_empty() { &other[..1] } else { &other[..] };
        let error = flags(&[&["--browser-url", url][..], other].concat()).unwrap_err();
        assert!(
            error.starts_with(other[0]) && error.contains("--browser-url") && error.contains("max_browsers"),
            "{error}"
        );
    }
    let codec = |codec| flags(&["--browser-url", "ws://b/", "--codec", codec]);
    assert!(codec("auto").is_ok() && codec("json").is_ok());
    assert_eq!(
        codec("cbor").unwrap_err(),
        "--codec: cbor is for the pipe of a Chrome started here, but --browser-url names one that runs elsewhere; use json"
    );
    for wrong in ["ftp://chrome:9222/?token=s3cret", "wss://u:s3cret@chrome:9222", "http://chrome/x?token=s3cret"] {
        let error = flags(&["--browser-url", wrong]).unwrap_err();
        assert!(error.starts_with("--browser-url") && error.contains("chrome") && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn local_browsers_run_beside_remote_ones_if_a_setting_says_how_many() {
    let both = "[[browser]]\nurl = 'ws://a/x'\n\n[[browser]]\nurl = 'http://b:9222'\n";
    let sources = |file_text: &str| file(file_text).map(|config| (config.browser_sources(), config.pool()));
    let (only_remote, pool) = sources(both).expect("valid");
    let shown: Vec<_> = only_remote.remote.iter().map(ToString::to_string).collect();
    assert_eq!((shown, only_remote.local), (vec!["ws://a/x".to_owned(), "http://b:9222".to_owned()], None));
    assert_eq!((pool.min_browsers, pool.max_browsers), (0, Some(0)));
    for (number, limits) in [("browsers = 2", (2, Some(2))), ("max_browsers = 3", (1, Some(3)))] {
        let (sources, pool) = sources(&format!("{number}\nbrowser_args = '--x'\n{both}")).expect("valid");
        assert!(sources.local.is_some() && sources.remote.len() == 2);
        assert_eq!((pool.min_browsers, pool.max_browsers), limits);
    }
    let (all, _) = sources(&format!("browser_url = 'ws://c/'\n{both}")).expect("valid");
    assert_eq!(all.remote.len(), 3, "both forms");
}

#[test]
fn block_lists_are_read_and_errors_name_their_line() {
    let list = tempfile::NamedTempFile::new().expect("a file");
    let path = list.path().to_str().expect("a path");
    let read = |content: &[u8]| {
        std::fs::write(path, content).expect("it is written");
        flags(&["--block-list", path]).map(|config| config.block_list)
    };
    let hosts = read(b"# ads\nads.example\n").expect("a list").expect("one");
    assert!(hosts.has("https://a.ads.example/") && !hosts.has("https://example/"));
    for (content, error) in [
        (
            &b"ads.example\nhttps://x/\n"[..],
            format!("--block-list: {path}:2: \"https://x/\" is no name of a host; write "),
        ),
        (b"a.example\n\xff", format!("--block-list: {path}:2: is not UTF-8")),
    ] {
        let given = read(content).expect_err("a wrong list");
        assert!(given.starts_with(&error), "{given}");
    }
    let long = read(&b"a.example\n".repeat(1_700_000)).expect_err("a large file");
    assert!(long.contains("more than 16 MiB"), "{long}");
    assert!(flags(&["--block-list", "/nowhere"]).is_err_and(|why| why.contains("cannot read /nowhere: ")));
}

#[test]
fn wrong_remote_browsers_are_named_with_their_line() {
    let of = |tables: &str| file(tables).unwrap_err();
    assert_eq!(
        of("browser_url = 'ws://c/'\n[[browser]]\nurl = 'ws://u:s3cret@c/'"),
        "browser_url in FILE:3 \"ws://c/\": is named twice; there is one browser at a URL"
    );
    assert!(
        of("[[browser]]\nurl = 'ws://a/'\n[[browser]]\nurl = 'tcp://b'")
            .starts_with("browser_url in FILE:4 \"tcp://b\": is no URL")
    );
    assert!(
        of("[[browser]]\nurl = 'ws://a/'\n[[browser]]\nurls = 'ws://b/'")
            .starts_with("FILE:4: unknown setting `urls`, expected `url`")
    );
    assert!(of("[[browser]]\n").contains("missing setting `url`"));
    assert!(of("[browser]\nurl = 'ws://a/'").starts_with("FILE:1"));
}

#[test]
fn limits_that_contradict_each_other_are_refused_or_lowered() {
    let error = flags(&["--client-queue-hard", "1MiB"]).unwrap_err();
    assert_eq!(error, "--client-queue-hard \"1MiB\": is below default of client_queue 64MiB; raise it");
    assert_eq!(flags(&["--warm", "8", "--max-sessions", "3"]).map(|config| config.warm), Ok(3));
    for (lines, problem) in [
        ("snapshot_line = '200MiB'", "snapshot_line in FILE:1 \"200MiB\": needs 12 times as much of snapshot_memory"),
        ("timeout_max = '1s'\ntimeout = '2s'", "timeout in FILE:2 \"2s\": 2000 ms is above the maximum of 1000 ms"),
        ("idle_timeout_max = '1s'\nidle_timeout = '0s'", "idle_timeout in FILE:2 \"0s\": 0 means without limit"),
        ("keep_alive = '25h'", "keep_alive in FILE:1 \"25h\": 90000000 ms is above the maximum"),
        ("park_keep_alive = '0s'", "park_keep_alive in FILE:1 \"0s\": would end a session before"),
        ("autosave = '1ms'", "autosave in FILE:1 \"1ms\": 1 ms is too often; at least 1000 ms"),
    ] {
        let error = file(lines).expect_err(lines);
        assert!(error.starts_with(problem), "{error}");
    }
    let lowered = file("timeout_max = '1s'\nkeep_alive_max = '1m'").expect("valid");
    assert_eq!((lowered.timeout, lowered.park_keep_alive), (Duration::from_secs(1), Duration::from_secs(60)));
    assert!(flags(&["--max-client-frame", "101MiB"]).is_err());
    assert!(flags(&["--stall", "0s"]).is_err());
    assert!(flags(&["--drain", "0s"]).is_ok());
}

#[test]
fn the_number_of_browsers_is_one_number_or_two() {
    let number = |args: &[&str]| flags(args).map(|config| (config.pool().min_browsers, config.pool().max_browsers));
    assert_eq!(number(&["--browsers", "3"]), Ok((3, Some(3))));
    assert_eq!(number(&["--min-browsers", "2"]), Ok((2, None)));
    assert_eq!(number(&["--min-browsers", "2", "--max-browsers", "5"]), Ok((2, Some(5))));
    assert_eq!(number(&["--browser-url", "ws://a/", "--browsers", "2"]), Ok((2, Some(2))));
    assert_eq!(
        number(&["--browsers", "3", "--max-browsers", "5"]).unwrap_err(),
        "--max-browsers: --browsers sets both the least and the most; remove one of the two"
    );
    assert_eq!(
        number(&["--min-browsers", "3", "--max-browsers", "2"]).unwrap_err(),
        "--max-browsers \"2\": is below --min-browsers 3; raise it"
    );
    assert_eq!(
        flags(&["--memory-limit", "101"]).unwrap_err(),
        "--memory-limit \"101\": must be a whole number from 0 to 100"
    );
    assert_eq!(
        file("warm = 9\nsessions_per_browser = 8").unwrap_err(),
        "warm in FILE:1 \"9\": is above sessions_per_browser in FILE:2 8; lower it, or raise that"
    );
    assert_eq!(flags(&["--sessions-per-browser", "1"]).map(|config| config.warm), Ok(1), "a default is lowered");
    assert_eq!(
        flags(&["--recycle-growth", "3GiB", "--browser-memory", "2GiB"]).unwrap_err(),
        "--recycle-growth \"3GiB\": is not below --browser-memory 2GiB, so a browser would be ended with its sessions \
         before it is recycled; lower it, or raise that"
    );
    let error = flags(&["--recycle-disk", "8GiB"]).unwrap_err();
    assert!(error.starts_with("--recycle-disk \"8GiB\": is not below default of browser_disk 8GiB"), "{error}");
    assert!(flags(&["--recycle-disk", "8GiB", "--browser-disk", "0"]).is_ok());
    assert!(flags(&["--browser-memory", "500MiB"]).is_ok(), "the default of recycle_growth has no effect then");
    let pool = flags(&["--cpu-limit", "0", "--recycle-age", "0s", "--browser-memory", "2GiB"]).expect("valid").pool();
    assert_eq!((pool.cpu_limit, pool.recycle.age, pool.recycle.memory), (None, None, Some(2 << 30)));
}

#[test]
fn limits_of_control_groups_need_control_groups() {
    for (flag, value) in [("--browser-cpu-weight", "50"), ("--browser-memory-max", "2GiB")] {
        let error = flags(&[flag, value]).unwrap_err();
        assert!(error.starts_with(flag) && error.contains("--browser-cgroups"), "{error}");
        let limits = flags(&["--browser-cgroups", flag, value]).expect("valid").pool().browser;
        assert_eq!((limits.cpu_weight.is_some(), limits.memory.is_some()), (value == "50", value != "50"));
    }
    assert!(flags(&["--browser-cgroups", "--browser-cpu-weight", "10001"]).is_err());
}

#[test]
fn tenants_are_in_a_file_or_in_a_redis() {
    let tenants = |place: &str| flags(&["--tenants", place]).map(|config| config.tenants.expect("one"));
    assert_eq!(tenants("tenants.toml"), Ok(TenantsPlace::File("tenants.toml".into())));
    assert!(matches!(tenants("unix:///run/redis.sock"), Ok(TenantsPlace::Redis(_))));
    let redis = tenants("redis://user:s3cret@10.0.0.1/2").expect("an address");
    assert!(matches!(&redis, TenantsPlace::Redis(url) if url.to_string() == "redis://10.0.0.1/2"), "{redis:?}");
    assert!(!format!("{redis:?}").contains("s3cret"), "{redis:?}");
    for wrong in ["", "rediss://user:s3cret@a/", "redis://user:s3cret@", "http://user:s3cret@a/"] {
        let error = tenants(wrong).unwrap_err();
        assert!(error.starts_with("--tenants") && !error.contains("s3cret"), "{error}");
    }
    // One place at a time: the two cannot contradict each other.
    let command = RawConfig::augment_args(clap::Command::new("test"));
    let twice = command.try_get_matches_from(["test", "--tenants", "tenants.toml", "--tenants", "redis://a"]);
    assert!(
        twice.expect_err("there are two").to_string().contains("'--tenants <FILE|URL>' cannot be used multiple times")
    );

    let stale = ["--tenants-max-stale", "1m"];
    let with = |place: &str| flags(&[&["--tenants", place], &stale[..]].concat());
    assert_eq!(with("redis://a").map(|config| config.tenants_max_stale), Ok(Duration::from_secs(60)));
    for error in [flags(&stale).unwrap_err(), with("tenants.toml").unwrap_err()] {
        assert!(error.starts_with("--tenants-max-stale: is for tenants in a Redis"), "{error}");
    }
}

#[test]
fn default_store_is_in_the_users_data_directory() {
    let place =
        |variables: &[(&str, &str)]| Operator { variables, ..Default::default() }.config().expect("valid").store;
    let home = [("HOME", "/home/a"), ("XDG_STATE_HOME", "")];
    let expected = if nix::unistd::Uid::effective().is_root() { "/var/lib" } else { "/home/a/.local/state" };
    assert_eq!(place(&home), StorePlace::File(format!("{expected}/ghostmux/ghostmux.redb").into()));
    assert_eq!(place(&[("GHOSTMUX_STORE", "a.redb")]), StorePlace::File("a.redb".into()));
    assert!(
        matches!(place(&[("GHOSTMUX_STORE", "redis://u:p@h/1")]), StorePlace::Redis(url) if url.to_string() == "redis://h/1")
    );
    assert!(matches!(place(&[("GHOSTMUX_STORE", "unix:///run/r.sock")]), StorePlace::Redis(_)));
    for wrong in ["rediss://h", "http://u:s3cret@h", "redis://", "dir/"] {
        let error = flags(&["--store", wrong]).unwrap_err();
        assert!(error.starts_with("--store") && !error.contains("s3cret"), "{error}");
    }
    let kept = |said: &str| flags(&["--snapshot-ttl", said]).map(|config| config.snapshot_ttl);
    assert_eq!(kept("30d"), Ok(Some(Duration::from_secs(30 * 86_400))));
    assert_eq!((kept("0"), kept("0s")), (Ok(None), Ok(None)));
    assert!(kept("30").is_err());
}

#[test]
fn keys_are_read_from_file_or_variable_and_never_printed() {
    let (one, two) = (format!("k1:{}", "1a".repeat(32)), format!("k2:{}", "2b".repeat(32)));
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "# the first seals\n{two}\n\n{one}\n").expect("written");
    let path = file.path().to_str().expect("text");
    let from_file = flags(&["--store-key", path]).expect("valid");
    assert_eq!(from_file.store_settings().keys.sealing().map(|key| key.id.as_str()), Some("k2"));
    assert_eq!(from_file.store_settings().keys.named("k1").map(|key| key.secret), Some([0x1a; 32]));
    let lines = format!("{two}\n{one}");
    let from_variable = Operator { variables: &[("GHOSTMUX_STORE_KEY", &lines)], ..Default::default() }.config();
    let from_variable = from_variable.expect("valid");
    assert_eq!(from_variable.store_key, from_file.store_key);
    let shown = format!("{from_variable:?}");
    assert!(shown.contains("k2 ***") && !shown.contains("2b2b") && !shown.contains("43, 43"), "{shown}");

    // On a command line everybody can see it.
    let error = flags(&["--store-key", &one]).unwrap_err();
    assert!(error.contains("name a file") && !error.contains("1a1a"), "{error}");
    for wrong in [&one[..60], &format!("{one}0"), &format!("{}:{}", "x".repeat(33), "1a".repeat(32)), "nowhere"] {
        let error =
            Operator { variables: &[("GHOSTMUX_STORE_KEY", wrong)], ..Default::default() }.config().unwrap_err();
        assert!(error.starts_with("GHOSTMUX_STORE_KEY") && !error.contains("1a1a"), "{error}");
    }
    let twice = format!("{one}\n{one}");
    let error = Operator { variables: &[("GHOSTMUX_STORE_KEY", &twice)], ..Default::default() }.config().unwrap_err();
    assert!(error.contains("k1 twice"), "{error}");
}

#[test]
fn toml_accepts_numbers_and_booleans() {
    let config =
        file("strict = true\nmax_sessions = 7\nmax_client_frame = 65536\nhttp_session = \"shared\"").expect("valid");
    assert_eq!(config.local_capabilities(), Capabilities { admin: true, ..Capabilities::strict() });
    assert_eq!(config.max_sessions.map(NonZeroU32::get), Some(7));
    assert_eq!(config.max_client_frame, 65_536);
    assert_eq!(config.http_session, HttpSession::Shared);
    assert!(file("strict = [true]").unwrap_err().contains("expected text"));
}

#[test]
fn mistyped_variables_are_reported_except_those_of_kubernetes() {
    let names = [
        "GHOSTMUX_BROWSRS",
        "GHOSTMUX_WARM",
        "GHOSTMUX_CONFIG",
        "GHOSTMUX_PORT_9222_TCP",
        "GHOSTMUX_SERVICE_HOST",
        "PATH",
    ];
    assert_eq!(unknown_variables(names.map(str::to_owned)), ["GHOSTMUX_BROWSRS"]);
    // Guards the above: no setting may look like a variable of Kubernetes.
    let is_kubernetes = |key: &str| key.ends_with("port") || key.contains("port_") || key.contains("service");
    assert!(!super::settings::KEYS.iter().any(|key| is_kubernetes(key)));
}

#[test]
fn help_shows_every_setting_with_its_default() {
    let mut command = RawConfig::augment_args(clap::Command::new("test"));
    let help = command.render_long_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in super::settings::declared() {
        assert!(help.contains(&format!("--{}", super::said::flag(setting.key))), "{}: {help}", setting.key);
        assert!(
            setting.default_text().is_none_or(|text| help.contains(&format!("[default: {text}]"))),
            "{}",
            setting.key
        );
    }
}

/// What a server that was started with the first file has in force and says after it has read the second one, and what is
/// in that.
fn reloaded(before: &str, after: &str) -> (LoadedConfig, Reloaded, LoadedConfig) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "{before}").expect("written");
    let source = ConfigSource::new(RawConfig::default().with_file(Some(file.path().to_owned())), []);
    let first = source.load().expect("good");
    std::fs::write(file.path(), after).expect("written");
    let second = source.load().expect("good");
    let (in_force, report) = first.reloaded(&second);
    (in_force, report, second)
}

#[test]
fn a_reload_takes_live_settings_and_names_those_that_need_a_restart() {
    let (loaded, report, file) = reloaded(
        "max_sessions = 3\nlisten = '127.0.0.1:1'\nwarm = 1",
        "max_sessions = 5\nlisten = '127.0.0.1:2'\nwarm = 1\nallow_host = ['a', 'b']",
    );
    let shown = |changes: &[SettingChange]| -> Vec<String> {
        changes.iter().map(|change| format!("{} {:?} {:?}", change.setting, change.old, change.new)).collect()
    };
    assert_eq!(shown(&report.changed), [r#"allow_host None Some("a b")"#, r#"max_sessions Some("3") Some("5")"#]);
    assert_eq!(shown(&report.needs_restart), [r#"listen Some("127.0.0.1:1") Some("127.0.0.1:2")"#]);
    let config = loaded.config();
    assert_eq!((config.max_sessions.map(NonZeroU32::get), config.allow_host.len()), (Some(5), 2));
    assert_eq!(config.listen.to_string(), "127.0.0.1:1", "it is in force until a restart");
    let (_, again) = loaded.reloaded(&file);
    assert_eq!((again.changed, again.needs_restart), (Vec::new(), report.needs_restart), "the same file again");
}

#[test]
fn whether_browsers_run_here_is_decided_at_the_start() {
    let table = "[[browser]]\nurl = 'http://a:9222'\n";
    let of = |before: &str, after: &str| {
        let (loaded, report, _) = reloaded(before, after);
        let named = |changes: Vec<SettingChange>| changes.into_iter().map(|change| change.setting).collect::<Vec<_>>();
        let limits = (loaded.config().pool().min_browsers, loaded.config().pool().max_browsers);
        (named(report.changed), named(report.needs_restart), limits)
    };
    let with = |number: &str| format!("{number}\n{table}");
    let none = Vec::<String>::new();
    let number = vec!["max_browsers".to_owned()];
    assert_eq!(of(table, &with("max_browsers = 2")), (none.clone(), number.clone(), (0, Some(0))));
    assert_eq!(of(&with("max_browsers = 2"), table), (none.clone(), number.clone(), (1, Some(2))));
    assert_eq!(of(&with("max_browsers = 2"), &with("max_browsers = 3")), (number, none.clone(), (1, Some(3))));
    assert_eq!(of("", table), (none, vec!["browser_url".to_owned()], (1, None)));
}

#[test]
fn a_default_that_follows_another_setting_is_in_force_and_not_reported() {
    let (loaded, report, _) = reloaded("", "timeout_max = '1m'\nmax_sessions = 1");
    let named: Vec<_> = report.changed.iter().map(|change| change.setting.as_str()).collect();
    assert_eq!(named, ["timeout_max", "max_sessions"]);
    assert_eq!((loaded.config().timeout, loaded.config().warm), (Duration::from_secs(60), 1));
}

#[test]
fn a_reload_shows_no_secret() {
    let key = |digit: &str| format!("k1:{}", digit.repeat(64));
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "{}", key("1")).expect("written");
    let path = file.path().display().to_string();
    let settings = |store: &str, url: &str| format!("store = '{store}'\nbrowser_url = '{url}'\nstore_key = '{path}'");
    let mut config = tempfile::NamedTempFile::new().expect("a file");
    write!(config, "{}", settings("redis://u:s3cret@a", "ws://u:s3cret@a/x?token=s3cret")).expect("written");
    let source = ConfigSource::new(RawConfig::default().with_file(Some(config.path().to_owned())), []);
    let first = source.load().expect("good");
    std::fs::write(config.path(), settings("redis://u:s3cret@b", "ws://u:s3cret@b/x")).expect("written");
    std::fs::write(file.path(), key("2")).expect("written");
    let (_, report) = first.reloaded(&source.load().expect("good"));
    let report = serde_json::to_value(&report).expect("JSON");
    let change =
        |setting: &str, old: &str, new: &str| serde_json::json!({ "setting": setting, "old": old, "new": new });
    assert_eq!(
        report["needsRestart"],
        serde_json::json!([
            change("browser_url", "ws://a/x", "ws://b/x"),
            change("store", "redis://a", "redis://b"),
            change("store_key", "***", "***"),
        ]),
        "{report}"
    );
}

/// A reload takes some settings and leaves others: a mixture that was never checked must not be possible.
#[test]
fn settings_that_are_checked_together_are_all_live_or_none() {
    let live: Vec<&str> =
        settings::declared().iter().filter(|setting| setting.is_live).map(|setting| setting.key).collect();
    for group in [
        &["listen", "insecure"][..],
        &["browsers", "min_browsers", "max_browsers"],
        &["warm", "max_sessions", "sessions_per_browser"],
        &["recycle_growth", "browser_memory", "recycle_disk", "browser_disk"],
        &["client_queue", "client_queue_hard", "client_queue_total"],
        &["snapshot_line", "snapshot_memory", "snapshot_max"],
        &["timeout", "timeout_max"],
        &["idle_timeout", "idle_timeout_max"],
        &["keep_alive", "park_keep_alive", "keep_alive_max"],
        &["keep_files", "keep_files_max"],
    ] {
        let number = group.iter().filter(|key| live.contains(key)).count();
        assert!(number == 0 || number == group.len(), "{group:?}");
    }
}
