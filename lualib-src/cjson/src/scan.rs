//! The text that `decode` reads, token by token. Nothing here knows Lua.

use std::ffi::CStr;

use crate::number::{self, Number};
use crate::string;

/// A token of the kind that a message names when it stands where another one should.
pub enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Colon,
    Comma,
    String,
    Number(Number),
    Boolean,
    Null,
    End,
}

impl Token {
    /// The name that lua-cjson has for it: programs look for these.
    pub fn name(&self) -> &'static CStr {
        match self {
            Token::ObjectBegin => c"T_OBJ_BEGIN",
            Token::ObjectEnd => c"T_OBJ_END",
            Token::ArrayBegin => c"T_ARR_BEGIN",
            Token::ArrayEnd => c"T_ARR_END",
            Token::Colon => c"T_COLON",
            Token::Comma => c"T_COMMA",
            Token::String => c"T_STRING",
            Token::Number(Number::Integer(_)) => c"T_INTEGER",
            Token::Number(Number::Real(_)) => c"T_NUMBER",
            Token::Boolean => c"T_BOOLEAN",
            Token::Null => c"T_NULL",
            Token::End => c"T_END",
        }
    }
}

/// What is wrong, and where (from 0).
#[derive(Debug, PartialEq)]
pub struct Problem {
    pub text: &'static CStr,
    pub at: usize,
}

/// A text, and how much of it has been read.
pub struct Scanner<'a> {
    pub text: &'a [u8],
    pub at: usize,
    pub comments: bool,
    pub invalid_numbers: bool,
}

impl<'a> Scanner<'a> {
    /// The next byte; 0 at the end.
    #[inline(always)]
    pub fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Skips blanks, and comments if they are allowed. A comment without an end is left for the next token.
    #[inline(always)]
    pub fn skip_blanks(&mut self) {
        if self.peek() <= b' ' || self.peek() == b'/' && self.comments {
            self.skip_more();
        }
    }

    fn skip_more(&mut self) {
        loop {
            while matches!(self.peek(), b' ' | b'\n' | b'\t' | b'\r') {
                self.at += 1;
            }
            if !self.comments {
                return;
            }
            let rest = &self.text[self.at..];
            let len = match rest {
                [b'/', b'/', ..] => rest
                    .iter()
                    .position(|&byte| byte == b'\n')
                    .unwrap_or(rest.len()),
                [b'/', b'*', body @ ..] => match body.windows(2).position(|pair| pair == b"*/") {
                    Some(len) => len + 4,
                    None => return,
                },
                _ => return,
            };
            self.at += len;
        }
    }

    /// The string whose first quote has been read, if no escape is in it.
    #[inline(always)]
    pub fn plain_string(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        let end = string::plain_end(self.text, start);
        if self.text.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        Some(&self.text[start..end])
    }

    /// The number that begins here.
    #[inline(always)]
    pub fn number(&mut self) -> Result<Number, Problem> {
        match number::json(self.text, self.at) {
            Some((number, end)) => {
                self.at = end;
                Ok(number)
            }
            None => self.odd_number(),
        }
    }

    #[cold]
    fn odd_number(&mut self) -> Result<Number, Problem> {
        let found = if self.invalid_numbers {
            number::of_c(&self.text[self.at..])
        } else {
            None
        };
        match found {
            Some((number, len)) => {
                self.at += len;
                Ok(number)
            }
            None => Err(self.problem(c"invalid number")),
        }
    }

    /// Reads `word` if it is next.
    #[inline(always)]
    pub fn word(&mut self, word: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn problem(&self, text: &'static CStr) -> Problem {
        Problem { text, at: self.at }
    }

    /// The next token, whatever it is, and where it begins.
    pub fn token(&mut self) -> Result<(Token, usize), Problem> {
        self.skip_blanks();
        let start = self.at;
        let token = match self.peek() {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => {
                self.at += 1;
                string::unescape(self, &mut string::Nowhere)?;
                return Ok((Token::String, start));
            }
            b'-' | b'0'..=b'9' => return Ok((Token::Number(self.number()?), start)),
            b't' if self.word(b"true") => return Ok((Token::Boolean, start)),
            b'f' if self.word(b"false") => return Ok((Token::Boolean, start)),
            b'n' if self.word(b"null") => return Ok((Token::Null, start)),
            b'+' | b'i' | b'I' | b'n' | b'N' if self.invalid_numbers && self.names_number() => {
                return Ok((Token::Number(self.odd_number()?), start));
            }
            0 if start == self.text.len() => return Ok((Token::End, start)),
            b'/' if self.comments && self.text[start..].starts_with(b"/*") => {
                let at = self.text.len();
                return Err(Problem {
                    text: c"unclosed multi-line comment",
                    at,
                });
            }
            _ => return Err(self.problem(c"invalid token")),
        };
        self.at += 1;
        Ok((token, start))
    }

    /// Whether what begins like a word is a number.
    fn names_number(&self) -> bool {
        let rest = &self.text[self.at..];
        let is = |name: &[u8]| {
            rest.get(..3)
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        rest.first() == Some(&b'+') || is(b"inf") || is(b"nan")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanner(text: &[u8]) -> Scanner<'_> {
        Scanner {
            text,
            at: 0,
            comments: false,
            invalid_numbers: true,
        }
    }

    fn names(text: &str, comments: bool) -> Result<Vec<(String, usize)>, Problem> {
        let mut scanner = Scanner {
            comments,
            ..scanner(text.as_bytes())
        };
        let mut names = Vec::new();
        loop {
            let (token, at) = scanner.token()?;
            names.push((token.name().to_string_lossy()[2..].to_owned(), at));
            if let Token::End = token {
                return Ok(names);
            }
        }
    }

    #[test]
    fn tokens_have_names_and_places() -> Result<(), Problem> {
        let found = names(" {\"a\\u0062\":[1,-2.5e3 ,true,false,null]}", false)?;
        let (found, places): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        assert_eq!(
            found.join(" "),
            "OBJ_BEGIN STRING COLON ARR_BEGIN INTEGER COMMA NUMBER COMMA BOOLEAN COMMA BOOLEAN COMMA NULL ARR_END OBJ_END END"
        );
        assert_eq!(places[..4], [1, 2, 11, 12]);
        assert_eq!(places[15], 40);
        Ok(())
    }

    #[test]
    fn comments_are_blanks_if_they_are_allowed() {
        let text = "// one\n[ /* two ** */ 1 //three\r\n]/**/";
        let found = names(text, true).map(|names| names.len());
        assert_eq!(found, Ok(4));
        let refused = names(text, false);
        assert_eq!(
            refused,
            Err(Problem {
                text: c"invalid token",
                at: 0
            })
        );
        let open = names("[]/* no end", true);
        assert_eq!(
            open,
            Err(Problem {
                text: c"unclosed multi-line comment",
                at: 11
            })
        );
        assert!(names("[]/*/", true).is_err());
    }

    #[test]
    fn a_zero_is_the_end_of_a_text_only_where_it_ends() {
        assert_eq!(
            names("1\0", false),
            Err(Problem {
                text: c"invalid token",
                at: 1
            })
        );
    }
}
