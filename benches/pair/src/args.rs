//! The command line.

use std::path::PathBuf;

pub const USAGE: &str = "usage: pair [--peer EXE] [--ours EXE] [--only NAME,...] [--rounds N] [--out FILE.tsv]
            [--include DIR] [--tree DIR] [--own-tree DIR] [--keep DIR] [--quick] [--list]

  --peer EXE      the executable to compare with; without it ours is measured alone
  --ours EXE      default: target/release/skynet of this workspace
  --only NAMES    rows whose name contains one of these words, separated by commas
  --rounds N      runs of each side (5)
  --out FILE      write all values, tab separated
  --include DIR   the headers that the C services are compiled against (include/)
  --tree DIR      a built skynet tree (lualib, service, luaclib, cservice) for the Lua rows
  --own-tree DIR  where our own Lua layer is (the workspace)
  --keep DIR      where the compiled services and configs go (a fresh directory in the temporary one)
  --quick         one short round: does everything work?
  --list          print the rows and stop";

/// One of the two executables.
pub struct Side {
    /// `peer` or `ours`, as the tables call it.
    pub name: &'static str,
    pub exe: PathBuf,
}

/// What the command line asks for.
pub struct Args {
    pub peer: Option<Side>,
    pub ours: Side,
    pub only: Vec<String>,
    pub rounds: usize,
    pub out: Option<PathBuf>,
    pub include: PathBuf,
    pub tree: Option<PathBuf>,
    pub own_tree: PathBuf,
    pub keep: Option<PathBuf>,
    pub quick: bool,
    pub list: bool,
}

impl Args {
    /// Parse the words after the program's name; the error is the text to print.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
        let workspace = workspace();
        let mut args = Args {
            peer: None,
            ours: Side {
                name: "ours",
                exe: workspace.join("target/release/skynet"),
            },
            only: Vec::new(),
            rounds: 0,
            out: None,
            include: workspace.join("include"),
            tree: None,
            own_tree: workspace,
            keep: None,
            quick: false,
            list: false,
        };
        let mut rounds = None;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--list" => {
                    args.list = true;
                    continue;
                }
                "--quick" => {
                    args.quick = true;
                    continue;
                }
                _ => {}
            }
            let value = words
                .next()
                .ok_or_else(|| format!("{word}: no value\n{USAGE}"))?;
            match word.as_str() {
                "--peer" => {
                    args.peer = Some(Side {
                        name: "peer",
                        exe: absolute(&value)?,
                    })
                }
                "--ours" => args.ours.exe = absolute(&value)?,
                "--only" => args.only = value.split(',').map(str::to_owned).collect(),
                "--rounds" => {
                    let number = value
                        .parse()
                        .map_err(|_| format!("--rounds {value}: not a number"))?;
                    rounds = Some(number);
                }
                "--out" => args.out = Some(PathBuf::from(value)),
                "--include" => args.include = absolute(&value)?,
                "--tree" => args.tree = Some(absolute(&value)?),
                "--own-tree" => args.own_tree = absolute(&value)?,
                "--keep" => args.keep = Some(PathBuf::from(value)),
                _ => return Err(format!("{word}: unknown option\n{USAGE}")),
            }
        }
        args.rounds = rounds.unwrap_or(if args.quick { 1 } else { 5 });
        Ok(args)
    }

    /// Whether a target is met, in a word. A quick run tells whether a row works, not how fast it is.
    pub fn mark(&self, met: Option<bool>) -> &'static str {
        match met {
            Some(true) if !self.quick => "met",
            Some(false) if !self.quick => "MISSED",
            _ => "",
        }
    }

    /// The sides in the order of a round.
    pub fn sides(&self) -> impl Iterator<Item = &Side> {
        self.peer.iter().chain(std::iter::once(&self.ours))
    }
}

/// The workspace's directory, two levels above this crate.
pub fn workspace() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    std::fs::canonicalize(path).map_err(|e| format!("{path}: {e}"))
}
