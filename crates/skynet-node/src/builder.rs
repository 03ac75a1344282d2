//! What a node is made of, and the ways to run it.

use std::ffi::CString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use skynet_cli::Order;
use skynet_service::{Ctx, Service};
// Named, or the linker drops it with what C code in files looks for.
use skynet_lua as _;

use crate::error::Error;
use crate::linked::Linked;
use crate::main_service::{self, Main, Outcome};
use crate::patience::Bounds;
use crate::{api, isolated};

/// The node of this process. There is one, and only for as long as a function of [`Builder`] runs it.
pub enum Node {}

impl Node {
    /// What the node is to be.
    pub fn builder() -> Builder {
        Builder {
            config: None,
            settings: Vec::new(),
            services: Vec::new(),
            files: Vec::new(),
            patience: Duration::from_secs(60),
            limit: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// See [`Node::builder`].
#[must_use = "nothing runs before `run`, `main`, `block_on` or `test`"]
pub struct Builder {
    config: Option<PathBuf>,
    settings: Vec<(String, String)>,
    services: Vec<Linked>,
    files: Vec<(&'static str, &'static [u8])>,
    patience: Duration,
    limit: Duration,
}

impl Builder {
    /// A config file. Without one, all settings have their defaults, but that the node stands alone (`harbor = 0`).
    pub fn config(mut self, path: impl AsRef<Path>) -> Builder {
        self.config = Some(path.as_ref().to_path_buf());
        self
    }

    /// A setting, as a config file has it: `.set("thread", 4)`. It goes over that of the file.
    pub fn set(mut self, key: &str, value: impl ToString) -> Builder {
        self.settings.push((key.to_string(), value.to_string()));
        self
    }

    /// The clock jumps to the next timer when nothing else is left to do: an hour of sleeps takes milliseconds. For tests. It stands still while
    /// services work, also on other threads by [`Ctx::offload`] and [`Ctx::elsewhere`]. Of what other threads do besides, it does not know.
    pub fn virtual_time(self) -> Builder {
        self.set("virtual_time", true)
    }

    /// A service in Rust. It is found by that name where a file of C code would be, and goes before one. A type has one name.
    pub fn service<S: Service>(mut self, name: &str) -> Builder {
        self.services.push(Linked::new::<S>(name));
        self
    }

    /// A file of Lua inside of the program, by its name in the project: `service/main.lua`, `lualib/map.lua`. It is found where the config's
    /// paths have no such file.
    ///
    /// ```
    /// # const MAIN: &[u8] = b"";
    /// # let builder = skynet_node::Node::builder();
    /// builder.file("service/main.lua", MAIN) // include_bytes!("../service/main.lua")
    /// # ;
    /// ```
    pub fn file(mut self, name: &'static str, source: &'static [u8]) -> Builder {
        self.files.push((name, source));
        self
    }

    /// How long [`Builder::test`] waits for a test, in real time: a minute, if nothing else is said.
    pub fn patience(mut self, patience: Duration) -> Builder {
        self.patience = patience;
        self
    }

    /// How much virtual time a [test](Builder::test) may take: a day, if nothing else is said. A test that waits for what never comes fails as
    /// soon as nothing else is left to do, or, when a service goes on doing something, when this is over.
    pub fn limit(mut self, limit: Duration) -> Builder {
        self.limit = limit;
        self
    }

    /// Runs the node until its last service has ended.
    ///
    /// # Errors
    ///
    /// When no node was started. (One that fails on its way ends the process, with status 1.)
    pub fn run(self) -> Result<(), Error> {
        let start = self.link()?;
        start.node()
    }

    /// Runs what the arguments of the program ask for, as the `skynet` executable does: `game config`, `game run`, `game test`,
    /// `game console`, and so on; `game --help` lists them. Services and files that are linked in are there in all nodes. A config file that was
    /// set here does not count.
    pub fn main(self) -> ExitCode {
        let start = match self.link() {
            Ok(start) => start,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        };
        let result = match skynet_cli::order(std::env::args_os().skip(1), skynet::EMBEDDED) {
            Order::Config(path) => start.with(Some(path.into()), |_| {}),
            Order::Settings(settings) => {
                start.with(settings.config.clone(), |known| settings.apply(known))
            }
            Order::Check(arguments) => return skynet::check(arguments.into_iter()),
            Order::Done(status) => return status,
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Runs a node whose application is a future: a task of a service, which can do what services can. It begins when the services that every node
    /// has are there (the config's `start` is not started), and the node ends with it.
    ///
    /// ```no_run
    /// # use skynet_node::{Error, Node};
    /// # fn main() -> Result<(), Error> {
    /// let answer = Node::builder().block_on(|ctx| async move {
    ///     let store = ctx.launch("snlua store")?;
    ///     ctx.call_lua::<String>(store, &("get", "name")).await.map_err(Box::<dyn std::error::Error + Send + Sync>::from)
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Builder::run`], and when there is no result: the future has panicked, or a service has ended the node before.
    pub fn block_on<F, Fut, T>(self, main: F) -> Result<T, Error>
    where
        F: FnOnce(Ctx) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        self.block_on_within(None, main)
    }

    fn block_on_within<F, Fut, T>(self, bounds: Option<Bounds>, main: F) -> Result<T, Error>
    where
        F: FnOnce(Ctx) -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let start = self
            .service::<Main>(main_service::NAME)
            .file(main_service::READY_FILE, main_service::READY_SOURCE)
            .set("bootstrap", main_service::NAME)
            .set("start", main_service::READY)
            .link()?;
        let outcome = Outcome::of(main, bounds);
        start.node()?;
        outcome.take()
    }

    /// A test in a node: as [`Builder::block_on`], in a process of its own, because a process runs one node and tests share theirs. The
    /// program of the tests is started again for the test that calls this, by the name of the function in which the closure stands.
    ///
    /// ```
    /// use skynet_node::Node;
    ///
    /// # /*
    /// #[test]
    /// # */
    /// fn an_hour_passes() {
    ///     Node::builder().virtual_time().test(|ctx| async move {
    ///         let begun = ctx.now();
    ///         ctx.sleep(std::time::Duration::from_secs(3600)).await;
    ///         assert!(ctx.now() - begun >= std::time::Duration::from_secs(3600));
    ///     });
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// When the future panics, the node fails, or the test takes longer than its [patience](Builder::patience) or its [limit](Builder::limit). The
    /// message has what the node has written, and of a test that took too long, which requests it waits for.
    pub fn test<F, Fut>(self, test: F)
    where
        F: FnOnce(Ctx) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let name = isolated::name_of(&test);
        if !isolated::is_child(name) {
            return isolated::run(name, self.patience);
        }
        let is_virtual = |(key, value): &(String, String)| key == "virtual_time" && value == "true";
        let bounds = Bounds {
            patience: self.patience,
            limit: self.settings.iter().any(is_virtual).then_some(self.limit),
        };
        match self.block_on_within(Some(bounds), test) {
            Ok(()) => isolated::passed(name),
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes services and files known to the core of this process. Nothing is touched when something in them is refused.
    fn link(self) -> Result<Start, Error> {
        static STARTED: AtomicBool = AtomicBool::new(false);
        Linked::check(&self.services)?;
        check_files(&self.files)?;
        let settings = settings(&self.settings)?;
        if STARTED.swap(true, Ordering::SeqCst) {
            return Err(Error::AnotherNode);
        }
        api::install();
        for service in self.services {
            service.link();
        }
        for (name, source) in self.files {
            skynet::link_file(name, source);
        }
        Ok(Start {
            config: self.config,
            settings,
        })
    }
}

fn check_files(files: &[(&'static str, &'static [u8])]) -> Result<(), Error> {
    let refused = |name: &str, reason| {
        let name = name.to_string();
        Err(Error::Name { name, reason })
    };
    for (at, (name, _)) in files.iter().enumerate() {
        if skynet::EMBEDDED.iter().any(|(known, _)| known == name) {
            return refused(name, "the Lua layer has a file of this name");
        }
        if files[..at].iter().any(|(other, _)| other == name) {
            return refused(name, "two files have this name");
        }
    }
    Ok(())
}

fn settings(given: &[(String, String)]) -> Result<Settings, Error> {
    let pairs = given.iter().map(|(key, value)| {
        let pair = CString::new(key.as_str())
            .ok()
            .zip(CString::new(value.as_str()).ok());
        pair.ok_or_else(|| Error::Config {
            reason: format!("setting {key:?}: a zero byte in it"),
        })
    });
    pairs.collect()
}

type Settings = Vec<(CString, CString)>;

/// What is left to do once services and files are known.
struct Start {
    config: Option<PathBuf>,
    settings: Settings,
}

impl Start {
    fn node(self) -> Result<(), Error> {
        let config = self.config.clone();
        let alone = config.is_none();
        self.with(config, |known| {
            if alone && known.iter().all(|(key, _)| key.as_c_str() != c"harbor") {
                known.push((c"harbor".to_owned(), c"0".to_owned()));
            }
        })
    }

    /// Runs a node of that file, with the builder's settings and then `change` over it.
    fn with(self, config: Option<PathBuf>, change: impl Fn(&mut Settings)) -> Result<(), Error> {
        let ours = self.settings;
        let result = skynet::run_node(config, |known| {
            for (key, value) in &ours {
                known.retain(|(name, _)| name != key);
                known.push((key.clone(), value.clone()));
            }
            change(known);
        });
        result.map_err(|reason| Error::Config { reason })
    }
}
