//! `ghostmux`: parses arguments, starts logs, runs, and turns the outcome into an exit code.

use std::{
    io::{IsTerminal as _, Write as _, stderr, stdout},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use ghostmux::{
    api_types,
    app::{self, SetLog},
    cli::{
        doctor, mcp, namespace,
        server::{self, ServerCommandError},
        snapshot::{self, SnapshotCommandError},
        token::{self, TokenCommandError},
    },
    config::{self, Config, ConfigError, ConfigSource, LogFormat, RawConfig},
};
use tokio::runtime::{self, Runtime};
use tracing_subscriber::{EnvFilter, reload};

/// 2 is also what clap ends with when it cannot read the arguments.
const USAGE: u8 = 2;

const EXIT_CODES: &str = "\
Every setting of `serve` can also be a variable (GHOSTMUX_LISTEN) or a line of a TOML file (--config).

Exit codes:
  0  done
  1  failed while running
  2  wrong arguments or settings
  3  no usable browser; `ghostmux doctor` says why
  4  the address to listen on is taken";

/// A connection pooler for headless Chrome: many unmodified Puppeteer, Playwright and CDP clients share warm browsers,
/// each as if it had its own.
#[derive(Debug, Parser)]
#[command(name = "ghostmux", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    program: Program,
}

#[derive(Debug, Subcommand)]
enum Program {
    #[command(flatten)]
    Command(Command),
    /// What ghostmux runs for the network namespace of a browser.
    #[command(hide = true, subcommand)]
    Namespace(namespace::Arguments),
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve clients until SIGTERM or SIGINT.
    #[command(after_help = EXIT_CODES)]
    Serve(RawConfig),
    /// Check whether this machine can serve, and say how to repair what is wrong.
    #[command(after_help = EXIT_CODES)]
    Doctor {
        /// Print one JSON document instead of text.
        #[arg(long)]
        json: bool,
        /// Read the variables of this other server in place of checking, and print the settings that mean the same here.
        #[arg(long, value_name = "SERVER")]
        from: Option<OtherServer>,
        #[command(flatten)]
        settings: RawConfig,
    },
    /// List, export, import, delete and re-encrypt stored snapshots, while no server uses the store's file.
    #[command(after_help = EXIT_CODES)]
    Snapshot(snapshot::Arguments),
    /// Make, list and revoke the tokens of tenants.
    #[command(after_help = EXIT_CODES)]
    Token(token::Arguments),
    /// List the sessions of a running server.
    Ls(server::Arguments),
    /// List the browsers of a running server, with their memory and processor time.
    Browsers(server::Arguments),
    /// Show the sessions, browsers and queue of a running server.
    Status(server::StatusArguments),
    /// Let an agent that speaks MCP over standard input and output use a running server.
    Mcp(mcp::Arguments),
    /// Make a running server load its configuration again, and print what has changed.
    Reload(server::Arguments),
    /// Print docs/configuration.md.
    #[command(hide = true)]
    ConfigDocs,
    /// Print a document of the API, made from the Rust types.
    #[command(hide = true)]
    ApiDocument {
        /// The document to print.
        document: ApiDocument,
    },
}

/// A server whose variables are understood.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OtherServer {
    /// browserless 1 or 2.
    Browserless,
}

/// A document of the API.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ApiDocument {
    /// The `ghost` domain in the protocol's format: fixtures/ghost.json.
    Protocol,
    /// The same for TypeScript: types/ghost.d.ts.
    Declarations,
    /// The REST interface: fixtures/openapi.json.
    Openapi,
    /// All operations and events: docs/operations.md.
    Reference,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().program {
        // Only a process without another thread may enter a user namespace.
        Program::Namespace(arguments) => namespace::run(&arguments).map(|()| 0).context("a network namespace"),
        Program::Command(command) => runtime().and_then(|runtime| runtime.block_on(run(command))),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // One line: the error, then its causes.
            let _ = writeln!(stderr(), "ghostmux: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

async fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Serve(flags) => {
            let source = ConfigSource::new(flags, variables());
            let loaded = source.load()?;
            let set_log = start_logs(&loaded.config().log, loaded.config().log_format);
            for name in config::unknown_variables(variables().map(|(name, _)| name)) {
                tracing::warn!(variable = name, "no setting has this name; see `ghostmux serve --help`");
            }
            app::run(source, loaded, set_log).await?;
            Ok(0)
        }
        Command::Doctor { from: Some(OtherServer::Browserless), .. } => {
            doctor::translate(variables(), stdout()).context("cannot write the settings")?;
            Ok(0)
        }
        Command::Doctor { json, from: None, settings } => {
            let config = Config::load(settings, variables())?;
            let report = doctor::examine(&config).await;
            let written = if json { report.write_json(stdout()) } else { report.write_text(stdout()) };
            written.context("cannot write the report")?;
            Ok(if report.can_serve() { 0 } else { 3 })
        }
        Command::Snapshot(arguments) => {
            snapshot::run(arguments, variables(), stdout()).await?;
            Ok(0)
        }
        Command::Token(arguments) => {
            token::run(arguments, variables(), &mut stdout(), &mut stderr())?;
            Ok(0)
        }
        Command::Ls(arguments) => printed(server::sessions(&arguments, &mut stdout()).await),
        Command::Browsers(arguments) => printed(server::browsers(&arguments, &mut stdout()).await),
        Command::Status(arguments) => printed(server::status(&arguments, &mut stdout()).await),
        Command::Mcp(arguments) => {
            mcp::run(&arguments, tokio::io::stdin(), tokio::io::stdout()).await?;
            Ok(0)
        }
        Command::Reload(arguments) => printed(server::reload(&arguments, &mut stdout()).await),
        Command::ConfigDocs => {
            stdout().write_all(config::docs::markdown().as_bytes()).context("cannot write the page")?;
            Ok(0)
        }
        Command::ApiDocument { document } => {
            let text = match document {
                ApiDocument::Protocol => api_types::definition().map_err(anyhow::Error::msg)?,
                ApiDocument::Declarations => api_types::declarations().map_err(anyhow::Error::msg)?,
                ApiDocument::Openapi => app::openapi()?,
                ApiDocument::Reference => api_types::reference(),
            };
            stdout().write_all(text.as_bytes()).context("cannot write the document")?;
            Ok(0)
        }
    }
}

/// The exit code of a subcommand that prints the answer of a server.
fn printed(outcome: Result<(), ServerCommandError>) -> anyhow::Result<u8> {
    match outcome {
        Err(error) if !error.is_closed_pipe() => Err(error.into()),
        _ => Ok(0),
    }
}

/// The variables of the process. Bytes that are not Unicode are replaced: such a value is invalid for every setting.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

/// Starts the log. Returns what changes its filter.
fn start_logs(filter: &str, format: LogFormat) -> SetLog {
    // Logs go to standard error: standard output has the results of commands.
    let to = tracing_subscriber::fmt().with_env_filter(filter_of(filter)).with_writer(stderr);
    match format {
        LogFormat::Text => {
            let is_coloured = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let to = to.with_ansi(is_coloured).with_filter_reloading();
            let filter = to.reload_handle();
            to.init();
            Box::new(move |text| set_filter(&filter, text))
        }
        LogFormat::Json => {
            let to = to.json().with_filter_reloading();
            let filter = to.reload_handle();
            to.init();
            Box::new(move |text| set_filter(&filter, text))
        }
    }
}

/// The filter of the log. The crate for MCP logs every request as information; what names `rmcp` in the setting counts.
fn filter_of(text: &str) -> EnvFilter {
    EnvFilter::new(format!("rmcp=warn,{text}"))
}

fn set_filter<S>(filter: &reload::Handle<EnvFilter, S>, text: &str) {
    if let Err(error) = filter.reload(filter_of(text)) {
        tracing::error!(%error, "the filter of the log cannot be changed");
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(error) = error.downcast_ref::<ghostmux::app::StartError>() {
        return error.exit_code();
    }
    let is_config = error.is::<ConfigError>()
        || matches!(error.downcast_ref(), Some(SnapshotCommandError::Config(_)))
        || error.downcast_ref::<TokenCommandError>().is_some_and(TokenCommandError::is_usage)
        || error.downcast_ref::<ServerCommandError>().is_some_and(ServerCommandError::is_usage)
        || error.downcast_ref::<mcp::McpCommandError>().is_some_and(mcp::McpCommandError::is_usage);
    if is_config { USAGE } else { 1 }
}
