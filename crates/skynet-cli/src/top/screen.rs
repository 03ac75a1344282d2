//! The terminal: taken for the screen, and given back however the program ends or stops.

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use std::io::{self, Stdout};
use std::sync::Once;

/// The status of a program that has panicked.
const PANICKED: i32 = 101;

/// The terminal while this program has it.
pub struct Screen {
    pub terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal.
    pub fn new() -> io::Result<Screen> {
        give_back_on_panic();
        take()?;
        match Terminal::new(CrosstermBackend::new(io::stdout())) {
            Ok(terminal) => Ok(Screen { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Takes it anew: somebody else may have had it.
    pub fn take_again(&mut self) -> io::Result<()> {
        // Its settings were changed by others, so those of this program are not what they were said to be.
        let _ = disable_raw_mode();
        take()?;
        self.redraw()
    }

    /// Lets the next drawing draw everything. (`Terminal::clear` asks the terminal where its cursor is; the answer would be for
    /// the thread that reads keys.)
    pub fn redraw(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Gives it back for a while.
    pub fn leave(&mut self) {
        give_back();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen).inspect_err(|_| give_back())
}

/// A terminal that has gone takes nothing back.
fn give_back() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

/// A panic, of any thread, tells its reason on a screen that can be read, and ends the program: nobody would draw, or look, after it.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
            std::process::exit(PANICKED);
        }));
    });
}
