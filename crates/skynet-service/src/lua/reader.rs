//! The values of a message, one after another.

use serde_core::Deserialize;

use super::de::One;
use super::error::Error;
use super::readings::{Field, Readings};
use super::table::Holes;
use super::top::Top;
use super::wire::Input;

/// Reads the values of a message one after another, each as the type that it is to be.
#[derive(Clone, Debug)]
pub struct Values<'de> {
    input: Input<'de>,
    /// So many nils may the lists that are left have.
    holes: usize,
}

impl<'de> Values<'de> {
    /// The values of a message.
    pub fn new(bytes: &'de [u8]) -> Values<'de> {
        Values {
            input: Input::new(bytes),
            holes: Holes::in_message(bytes),
        }
    }

    /// Whether there is none left.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// The next value; nil when there is none.
    ///
    /// # Errors
    ///
    /// When it has another type, or the bytes are not of this format.
    #[expect(
        clippy::should_implement_trait,
        reason = "each value has a type of its own"
    )]
    pub fn next<T: Deserialize<'de>>(&mut self) -> Result<T, Error> {
        let mut readings = Readings::usual(self.input.rest().len());
        loop {
            let holes = Holes::of(self.holes);
            let mut input = self.input;
            input.field = readings.field();
            match T::deserialize(One::or_nil(&mut input)) {
                Ok(value) => {
                    input.field = Field::NONE;
                    self.input = input;
                    self.holes = holes.left();
                    return Ok(value);
                }
                Err(error) => readings.next(error)?,
            }
        }
    }

    /// The values that are left: one, or a tuple of several.
    ///
    /// # Errors
    ///
    /// As for [`Values::next`].
    pub fn rest<T: Deserialize<'de>>(self) -> Result<T, Error> {
        let mut readings = Readings::usual(self.input.rest().len());
        loop {
            let _holes = Holes::of(self.holes);
            let mut input = self.input;
            input.field = readings.field();
            match T::deserialize(Top { input: &mut input }) {
                Ok(value) => return Ok(value),
                Err(error) => readings.next(error)?,
            }
        }
    }
}
