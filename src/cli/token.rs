//! `ghostmux token …`: makes, lists and revokes tokens in the file or the Redis of the tenants. A running server notices the
//! change.

use std::{
    io::{self, BufRead as _, Read as _, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use crate::{
    api_types::{BadOwner, Owner},
    config::{self, Config, ConfigError, RawConfig},
    tenant::{
        ChangeError, Document, NewToken, TenantsError, add_token, moment, network, remove_token,
        token::{self, Form, Scope, TokenHash, TokenSettings},
    },
};

/// `ghostmux token …`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// TOML file with the settings of `serve`.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// File or Redis of the tenants [default: that of `serve`].
    #[arg(long, value_name = "FILE|URL", global = true)]
    tenants: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token, and print it: it is shown only now. The file or the Redis gets its SHA-256.
    New {
        /// The tenant; it is added if there is none of this name.
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// Name of the token [default: the begin of its SHA-256].
        #[arg(long)]
        name: Option<String>,
        /// When it expires: a duration such as 90d, or a date such as 2027-01-31 [default: never].
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// What it is for: all, read-only, or session:ID.
        #[arg(long, default_value = "all")]
        scope: String,
        /// Network or address from which it is accepted; may be repeated [default: all].
        #[arg(long, value_name = "CIDR")]
        from: Vec<String>,
    },
    /// List the tokens, without their texts.
    Ls {
        /// List only those of this tenant.
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Print one JSON document per line instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token: its connections end within a second.
    Revoke {
        /// The tenant of the token; not needed with `-`.
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// The token, by its name or number; `-` reads its text from standard input.
        token: String,
    },
}

/// Why `ghostmux token` failed.
#[derive(Debug, thiserror::Error)]
pub enum TokenCommandError {
    /// A setting is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Neither a file nor a Redis is named.
    #[error("no file or Redis of tenants is named; give --tenants FILE|URL, or set GHOSTMUX_TENANTS as for `serve`")]
    NoFile,
    /// The name of the tenant cannot be one.
    #[error(transparent)]
    Owner(#[from] BadOwner),
    /// A flag has a value that cannot be used.
    #[error("{0}: {1}")]
    Flag(&'static str, String),
    /// The file or the Redis, or standard output, cannot be used.
    #[error(transparent)]
    File(#[from] ChangeError),
    /// The file or the Redis cannot be read.
    #[error(transparent)]
    Tenants(#[from] TenantsError),
}

impl TokenCommandError {
    /// Whether the arguments or settings are wrong.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Config(_) | Self::NoFile | Self::Owner(_) | Self::Flag(..))
    }
}

/// Runs the subcommand and writes its result to `out`, and notes for the person to `notes`.
pub fn run(
    arguments: Arguments,
    variables: impl IntoIterator<Item = (String, String)>,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<(), TokenCommandError> {
    let Arguments { verb, config, tenants } = arguments;
    let settings = RawConfig::default().with_file(config).with("tenants", tenants);
    let config = Config::load(settings, variables)?;
    let document = Document::new(&config.tenants.ok_or(TokenCommandError::NoFile)?, config.tenant_tokens);
    let written = |done: io::Result<()>| done.map_err(|error| cannot("standard output", error));
    match verb {
        Verb::New { tenant, name, expires, scope, from } => {
            let text = token::generate();
            let hash = TokenHash::of(text.reveal());
            let now = Timestamp::now();
            let from = from.iter().map(|from| network(from)).collect::<Result<_, _>>();
            let settings = TokenSettings {
                name: name.unwrap_or_else(|| hash.to_hex()[..8].to_owned()),
                scope: Scope::read(&scope).map_err(|why| TokenCommandError::Flag("--scope", why))?,
                expires: expires.map(|text| until(&text, now)).transpose()?,
                from: from.map_err(|why| TokenCommandError::Flag("--from", why))?,
                created: Some(Timestamp::from_second(now.as_second()).unwrap_or(now)),
            };
            let new = NewToken { owner: tenant.parse()?, hash, settings };
            document.change(true, |file| add_token(file, &new).map(|text| (text, ())))?;
            written(writeln!(out, "{}", text.reveal()))?;
            let (name, owner) = (&new.settings.name, &new.owner);
            written(writeln!(notes, "this token ({name} of {owner}) is shown only now; {document} has its SHA-256"))
        }
        Verb::Ls { tenant, json } => {
            let only: Option<Owner> = tenant.map(|tenant| tenant.parse()).transpose()?;
            let tenants = document.tenants()?;
            let row = |cells: [&str; 6]| {
                let [tenant, name, number, scope, expires, from] = cells;
                format!("{tenant:<16}  {name:<16}  {number:<16}  {scope:<12}  {expires:<20}  {from}")
                    .trim_end()
                    .to_owned()
            };
            if !json {
                written(writeln!(out, "{}", row(["TENANT", "NAME", "NUMBER", "SCOPE", "EXPIRES", "FROM"])))?;
            }
            for (owner, definition) in
                tenants.iter().filter(|(owner, _)| only.as_ref().is_none_or(|only| only == *owner))
            {
                for (hash, token) in &definition.tokens {
                    let (number, scope) = (hash.number().to_string(), token.scope.to_string());
                    let expires = token.expires.map(|at| at.to_string());
                    let from: Vec<_> = token.from.iter().map(ToString::to_string).collect();
                    let line = if json {
                        serde_json::json!({
                            "tenant": owner, "name": token.name, "number": number, "scope": scope, "expires": expires,
                            "from": from, "created": token.created.map(|at| at.to_string()),
                        })
                        .to_string()
                    } else {
                        let (expires, from) = (expires.as_deref().unwrap_or("never"), from.join(" "));
                        row([owner.as_str(), &token.name, &number, &scope, expires, &from])
                    };
                    written(writeln!(out, "{line}"))?;
                }
            }
            Ok(())
        }
        Verb::Revoke { tenant, token } => {
            let owner: Option<Owner> = tenant.map(|tenant| tenant.parse()).transpose()?;
            let (owner, token) = match (owner, token.as_str()) {
                (_, "-") => of_text(&document, &mut io::stdin().lock())?,
                _ if token::form(&token) != Form::Other => {
                    let why = "other users can see this text; give the name or the number of the token, or - and its text \
                               on standard input";
                    return Err(TokenCommandError::Flag("TOKEN", why.to_owned()));
                }
                (Some(owner), _) => (owner, token),
                (None, _) => return Err(TokenCommandError::Flag("--tenant", "is missing".to_owned())),
            };
            document.change(false, |file| remove_token(file, &owner, &token).map(|text| (text, ())))?;
            written(writeln!(notes, "revoked the token {token} of {owner}"))
        }
    }
}

/// The tenant and the number of a token whose text is read.
fn of_text(document: &Document, from: &mut impl io::BufRead) -> Result<(Owner, String), TokenCommandError> {
    let mut line = String::new();
    // A token has 43 characters.
    from.take(200).read_line(&mut line).map_err(|error| cannot("standard input", error))?;
    let hash = TokenHash::of(line.trim());
    let tenants = document.tenants()?;
    let found = tenants.iter().find(|(_, definition)| definition.tokens.iter().any(|(has, _)| *has == hash));
    let (owner, _) =
        found.ok_or_else(|| TokenCommandError::Flag("standard input", "is not a token of a tenant".to_owned()))?;
    Ok((owner.clone(), hash.number().to_string()))
}

/// When a token expires: after a duration, or at a date.
fn until(text: &str, now: Timestamp) -> Result<Timestamp, TokenCommandError> {
    let after = config::time(text).ok().and_then(|span| now.checked_add(SignedDuration::try_from(span).ok()?).ok());
    let whole = after.and_then(|at| Timestamp::from_second(at.as_second()).ok());
    whole.map_or_else(|| moment(text), Ok).map_err(|_| {
        let why = format!("{text:?} is not a time; write a duration such as 90d, or a date such as 2027-01-31");
        TokenCommandError::Flag("--expires", why)
    })
}

fn cannot(place: &str, error: io::Error) -> TokenCommandError {
    ChangeError::file(place, error).into()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
        path::Path,
    };

    use super::*;

    fn token(path: &Path, verb: Verb) -> Result<String, TokenCommandError> {
        let arguments = Arguments { verb, config: None, tenants: Some(path.display().to_string()) };
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        run(arguments, [], &mut out, &mut notes)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    fn new(name: &str) -> Verb {
        Verb::New {
            tenant: "acme".into(),
            name: Some(name.into()),
            expires: Some("90d".into()),
            scope: "read-only".into(),
            from: vec!["10.0.0.0/8".into()],
        }
    }

    #[test]
    fn tokens_are_made_listed_and_revoked() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tenants.toml");
        let made = token(&path, new("ci")).expect("made");
        assert_eq!(token::form(made.trim()), Form::Token);
        let text = fs::read_to_string(&path).expect("written");
        assert!(!text.contains(made.trim()) && text.contains(&TokenHash::of(made.trim()).to_hex()), "{text}");
        assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o777, 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("its own file");
        token(&path, new("second")).expect("made");
        assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o777, 0o640, "what the operator chose stays");
        let listed = token(&path, Verb::Ls { tenant: None, json: false }).expect("listed");
        assert!(
            listed.lines().count() == 3 && listed.contains("10.0.0.0/8") && listed.contains("read-only"),
            "{listed}"
        );
        assert!(!listed.contains(made.trim()));

        let revoke = |name: &str| Verb::Revoke { tenant: Some("acme".into()), token: name.into() };
        token(&path, revoke("ci")).expect("revoked");
        let missing = token(&path, revoke("ci")).expect_err("it is gone").to_string();
        assert!(missing.contains("has no token \"ci\""), "{missing}");
        let shown = token(&path, revoke(made.trim())).expect_err("it is a secret").to_string();
        assert!(shown.contains("standard input") && !shown.contains(made.trim()), "{shown}");
        let left: Vec<_> = fs::read_dir(directory.path()).expect("it is there").flatten().collect();
        assert_eq!(left.len(), 1, "no other file is left: {left:?}");
    }

    #[test]
    fn wrong_flags_and_files_change_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tenants.toml");
        fs::write(&path, "[tenants.acme]\ncolour = 1\n").expect("written");
        let error = token(&path, new("ci")).expect_err("the file is wrong").to_string();
        assert!(error.contains("line 2") && error.contains("colour"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "[tenants.acme]\ncolour = 1\n");
        for (flag, verb) in [
            (
                "--expires",
                Verb::New {
                    tenant: "a".into(),
                    name: None,
                    expires: Some("soon".into()),
                    scope: "all".into(),
                    from: vec![],
                },
            ),
            ("--scope", Verb::New { tenant: "a".into(), name: None, expires: None, scope: "x".into(), from: vec![] }),
            (
                "--from",
                Verb::New {
                    tenant: "a".into(),
                    name: None,
                    expires: None,
                    scope: "all".into(),
                    from: vec!["x".into()],
                },
            ),
        ] {
            let error = token(&path, verb).expect_err(flag);
            assert!(error.is_usage() && error.to_string().starts_with(flag), "{error}");
        }
    }

    #[test]
    fn changes_at_once_lose_no_token() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tenants.toml");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || token(path, new(&format!("t{number}"))).expect("made"));
            }
        });
        let listed = token(&path, Verb::Ls { tenant: None, json: true }).expect("listed");
        assert_eq!(listed.lines().count(), 8, "{listed}");
    }
}
