//! What may be written behind `skynet`.

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// The first lines of every help.
pub const USAGE: &str = "usage: skynet configfilename
       skynet COMMAND [ARGUMENTS]
       skynet --help";

const TEMPLATE: &str = "\
usage: skynet configfilename
       skynet COMMAND [ARGUMENTS]

{about}

Commands (`skynet COMMAND --help` says more; where there is a file of that name, `skynet COMMAND` alone runs it as a config):
{subcommands}

  configfilename   a Lua file; its globals are the settings
  -h, --help       this text
  -V, --version    the version
{after-help}";

/// The end of the help: settings of a config file.
pub const SETTINGS: &str = "\
Settings of the core (default):
  thread (8)                      number of workers, or \"auto\": one for each processor
  harbor (1)                      id of this node among connected nodes; 0: on its own
  bootstrap (snlua bootstrap)     first service and its arguments
  logger (standard output)        file of the log
  logservice (logger)             service that writes the log
  log_error_rate (100)            errors of a service at one place that are logged in a second
  logpath                         folder of message logs
  cpath (./cservice/?.so)         where C services are
  daemon                          pid file: run in the background
  profile (true)                  CPU time by service
  api_version (newest)            release that compiled services expect: \"1.4.0\"
  crash_report (true)             on a crash, say which service and message did it
  gc_when_quiet (true)            collect the garbage of Lua services that have become quiet
  shutdown_grace (10)             seconds that services have to finish when the node ends

$NAME in a config file is a variable of the environment, and include \"file\" reads another file.";

/// The command line; a config file is none of its commands.
#[derive(Debug, Parser)]
#[command(
    name = "skynet",
    version,
    about = "Runs a skynet node as a config file says, or a script without one, and does what a project needs beside it.",
    help_template = TEMPLATE,
    after_help = SETTINGS,
    disable_help_subcommand = false,
    arg_required_else_help = true,
    max_term_width = 120
)]
pub struct Line {
    #[command(subcommand)]
    pub command: Command,
}

/// What a node runs with, beside its script.
#[derive(Debug, Args)]
pub struct NodeOptions {
    /// A setting of the node, as a config file would have it (may be given more than once)
    #[arg(short, long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, String)>,
    /// The clock jumps to the next timer when nothing else is left to do
    #[arg(long)]
    pub virtual_time: bool,
    /// One worker, which takes services in an order that the seed decides, and virtual time
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().into(), value.into())),
        _ => Err("a setting is KEY=VALUE".into()),
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script, or the `main.lua` of a folder, without a config file
    ///
    /// The script is the first service of a node. Other services are looked for beside it and in service/, modules in lualib/ and
    /// beside it. The status is 0 when the node ends by itself, and 1 when the script cannot start.
    Run(Run),
    /// Make a project that starts and passes its tests
    ///
    /// Its README.md says what is where.
    New(New),
    /// Run the tests of a project
    ///
    /// Every *_test.lua below a folder is run in a node of its own; docs/testing.md says how tests are written. The status is 0 when
    /// all pass, 1 when one fails or none is left to run, and 2 when the arguments cannot be used or no file has tests.
    Test(Test),
    /// Talk to the debug console of a running node
    ///
    /// On a terminal with history, completion and tables; in a script each line of the input is a command. SKYNET_CONSOLE_PASSWORD is the
    /// password, if the node wants one. The status is 1 when the node refuses a command, and 2 when it cannot be asked.
    Console(Console),
    /// Run a node for an editor that debugs it
    ///
    /// A debug adapter on standard input and output: the editor starts this command, and speaks the Debug Adapter Protocol with
    /// it. What the node writes becomes output of the debugger. docs/debugging.md says how editors are set up, and how a node
    /// that runs already is debugged.
    Debug(Debug),
    /// See what the services of a running node do
    ///
    /// By the debug console of the node. On a terminal with sorting, a filter and the tasks of each service (`?` lists the keys); --once and
    /// --json print it. SKYNET_CONSOLE_PASSWORD is the password, if the node wants one. The status is 2 when the node cannot be asked.
    Top(Top),
    /// Look at a project of the C core without running it, and say what a swap of the core takes
    #[command(disable_help_flag = true)]
    Check {
        /// `skynet check --help` says which
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "ARGUMENTS"
        )]
        arguments: Vec<OsString>,
    },
    /// Write what editors complete from: the Lua layer with its annotations, and .luarc.json
    Types {
        /// Where to; it is made if need be
        folder: PathBuf,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages
    Man {
        /// Where to; it is made if need be
        folder: PathBuf,
    },
    /// The node that `skynet debug` starts
    #[command(hide = true)]
    DebugNode(DebugNode),
    /// One file of tests, as `skynet test` starts it
    #[command(hide = true)]
    TestNode(TestNode),
}

/// See [`Command::Run`].
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub node: NodeOptions,
    /// A Lua file, or a folder with a `main.lua`
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// What the script gets as `...`: words without blanks
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
}

/// What a new project is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// Two services that talk to each other
    #[default]
    Minimal,
    /// A TCP game: a gate, an agent for each player, a sproto protocol
    Game,
    /// A websocket game with its page
    Websocket,
    /// A web API with JSON
    Web,
    /// Two nodes that call each other
    Cluster,
    /// A service in Rust that Lua calls
    Rust,
}

impl Template {
    /// The folder below `templates/`.
    pub fn folder(self) -> &'static str {
        match self {
            Template::Minimal => "minimal",
            Template::Game => "game",
            Template::Websocket => "websocket",
            Template::Web => "web",
            Template::Cluster => "cluster",
            Template::Rust => "rust",
        }
    }
}

/// See [`Command::New`].
#[derive(Debug, Args)]
pub struct New {
    /// The folder to make; its last part is the project's name
    pub path: PathBuf,
    /// What to begin with
    #[arg(short, long, value_enum, default_value_t)]
    pub template: Template,
    /// The same as `--template rust`
    #[arg(long, conflicts_with = "template")]
    pub rust: bool,
}

impl New {
    /// The template that was asked for.
    pub fn template(&self) -> Template {
        if self.rust {
            Template::Rust
        } else {
            self.template
        }
    }
}

/// See [`Command::Test`].
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    pub node: NodeOptions,
    /// Folders, or files of tests [default: this folder]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Files that run at the same time [default: one for each processor]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// Only tests with this text in their names
    #[arg(short, long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Seconds that a test without a limit of its own may take, by the node's clock. A file that says nothing for twice that
    /// and 10 s, by the clock on the wall, is ended
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub limit: f64,
    /// The settings of this config file first
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Run each file with so many seeds (from `--seed` on, or from 1), up to the first that fails
    #[arg(long, value_name = "COUNT")]
    pub seeds: Option<std::num::NonZeroU64>,
    /// Print results as the Test Anything Protocol
    #[arg(long)]
    pub tap: bool,
    /// Write results as JUnit's XML, too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Show the log of files that pass, too
    #[arg(short, long)]
    pub verbose: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e7 => Ok(number),
        _ => Err("a number of seconds above 0".into()),
    }
}

/// See [`Command::Console`].
#[derive(Debug, Args)]
pub struct Console {
    /// HOST:PORT, a port of this machine, a process id, or unix:PATH
    pub node: String,
    /// One command, in the place of the input
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
    /// Tables, also where the output is no terminal
    #[arg(short, long)]
    pub table: bool,
}

/// See [`Command::Top`].
#[derive(Debug, Args)]
pub struct Top {
    /// HOST:PORT, a port of this machine, a process id, or unix:PATH
    pub node: String,
    /// Seconds between two looks
    #[arg(short, long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub interval: f64,
    /// Print a table of what happened between two looks, and end
    #[arg(long)]
    pub once: bool,
    /// Print the same as JSON, sockets and nodes of the cluster included
    #[arg(long)]
    pub json: bool,
    /// Print sockets in the place of services
    #[arg(long, requires = "once")]
    pub sockets: bool,
    /// Begin with this column: cpu%, time, msg/s, mail, memory, ...
    #[arg(long, value_name = "COLUMN")]
    pub sort: Option<String>,
    /// Only rows with this text in them
    #[arg(short, long, value_name = "TEXT")]
    pub filter: Option<String>,
}

/// See [`Command::Debug`].
#[derive(Debug, Args)]
pub struct Debug {
    #[command(flatten)]
    pub run: Debugged,
}

/// What is debugged.
#[derive(Debug, Args)]
pub struct Debugged {
    /// A setting of the node, as a config file would have it (may be given more than once)
    #[arg(short, long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, String)>,
    /// A config file, or, as for `skynet run`, a Lua file or a folder with a `main.lua`
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// What the script gets as `...`: words without blanks
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
}

/// What `skynet debug` gives to its node.
#[derive(Debug, Args)]
pub struct DebugNode {
    #[arg(long)]
    pub socket: PathBuf,
    #[command(flatten)]
    pub run: Debugged,
}

/// What `skynet test` gives to each node.
#[derive(Debug, Args)]
pub struct TestNode {
    #[command(flatten)]
    pub node: NodeOptions,
    #[arg(long)]
    pub config: Option<PathBuf>,
    #[arg(long)]
    pub root: PathBuf,
    #[arg(long)]
    pub report: PathBuf,
    #[arg(long)]
    pub filter: Option<String>,
    #[arg(long)]
    pub limit: f64,
    pub file: PathBuf,
}
