//! What a message is sent with.

use crate::payload::Payload;

/// The bytes of a message that is sent: others' bytes, which the core copies into the message, or a [`Payload`], whose memory it takes over.
/// Few bytes cost the core no allocation when it copies them, so what is not a payload yet need not become one.
#[derive(Debug)]
#[non_exhaustive]
pub enum Body<'a> {
    /// They are copied.
    Bytes(&'a [u8]),
    /// They are copied, and freed.
    Vec(Vec<u8>),
    /// It is handed over.
    Payload(Payload),
}

impl From<Payload> for Body<'_> {
    #[inline]
    fn from(payload: Payload) -> Self {
        Body::Payload(payload)
    }
}

impl<'a> From<&'a [u8]> for Body<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Body::Bytes(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Body<'a> {
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        Body::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Body<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Body::Bytes(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Body<'a> {
    #[inline]
    fn from(text: &'a String) -> Self {
        Body::Bytes(text.as_bytes())
    }
}

impl<'a> From<&'a Vec<u8>> for Body<'a> {
    #[inline]
    fn from(bytes: &'a Vec<u8>) -> Self {
        Body::Bytes(bytes)
    }
}

impl From<String> for Body<'_> {
    #[inline]
    fn from(text: String) -> Self {
        Body::Vec(text.into_bytes())
    }
}

impl From<Vec<u8>> for Body<'_> {
    #[inline]
    fn from(bytes: Vec<u8>) -> Self {
        Body::Vec(bytes)
    }
}
