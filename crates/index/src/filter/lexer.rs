//! A filter's characters into tokens, each with its column. Full-width signs count as plain ones outside of
//! quotes, so that what a Chinese keyboard writes is read.

use super::error::{FilterError, place};
use super::value::plain;

/// How two things are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What stands in a filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A bare word: a name, a keyword or a value.
    Word(String),
    /// A text in quotes.
    Quoted(String),
    Sign(Sign),
    Open,
    Close,
    Comma,
    End,
}

impl Token {
    /// For messages.
    pub(super) fn shown(&self) -> String {
        let sign = |sign: &Sign| match sign {
            Sign::Equal => "=",
            Sign::NotEqual => "!=",
            Sign::Less => "<",
            Sign::AtMost => "<=",
            Sign::More => ">",
            Sign::AtLeast => ">=",
        };
        match self {
            Self::Word(word) => cut(word),
            Self::Quoted(text) => format!("the text {:?}", cut(text)),
            Self::Sign(which) => sign(which).into(),
            Self::Open => "(".into(),
            Self::Close => ")".into(),
            Self::Comma => "a comma".into(),
            Self::End => "the end".into(),
        }
    }
}

/// The beginning of a long text.
pub(super) fn cut(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut out: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

/// Quotes that begin a text, and those that end it.
const QUOTES: [(char, &str); 8] = [
    ('"', "\""),
    ('\'', "'"),
    ('“', "”“"),
    ('”', "”"),
    ('‘', "’‘"),
    ('’', "’"),
    ('「', "」"),
    ('『', "』"),
];

/// Reads tokens from characters.
pub(super) struct Lexer<'c> {
    chars: &'c [char],
    at: usize,
}

impl<'c> Lexer<'c> {
    pub(super) fn new(chars: &'c [char]) -> Self {
        Self { chars, at: 0 }
    }

    /// All tokens with their columns; the last one is [`Token::End`].
    pub(super) fn tokens(mut self) -> Result<Vec<(usize, Token)>, FilterError> {
        let mut tokens = Vec::new();
        loop {
            while self.peek().is_some_and(char::is_whitespace) {
                self.at += 1;
            }
            let column = self.at + 1;
            let token = self.token()?;
            let is_end = token == Token::End;
            tokens.push((column, token));
            if is_end {
                return Ok(tokens);
            }
        }
    }

    /// The next character; in full width it is the plain one.
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied().map(plain)
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn token(&mut self) -> Result<Token, FilterError> {
        let Some(c) = self.peek() else { return Ok(Token::End) };
        if let Some((_, ends)) = QUOTES.iter().find(|(start, _)| *start == c) {
            return self.quoted(ends);
        }
        if is_word(c) {
            let from = self.at;
            while self.peek().is_some_and(is_word) {
                self.at += 1;
            }
            let word = self.chars[from..self.at].iter().map(|&c| plain(c)).collect();
            return Ok(Token::Word(word));
        }
        self.at += 1;
        Ok(match c {
            '(' => Token::Open,
            ')' => Token::Close,
            ',' | '、' => Token::Comma,
            '=' => {
                self.take('=');
                Token::Sign(Sign::Equal)
            }
            '≠' => Token::Sign(Sign::NotEqual),
            '≤' | '≦' => Token::Sign(Sign::AtMost),
            '≥' | '≧' => Token::Sign(Sign::AtLeast),
            '!' if self.take('=') => Token::Sign(Sign::NotEqual),
            '<' if self.take('=') => Token::Sign(Sign::AtMost),
            '<' if self.take('>') => Token::Sign(Sign::NotEqual),
            '<' => Token::Sign(Sign::Less),
            '>' if self.take('=') => Token::Sign(Sign::AtLeast),
            '>' => Token::Sign(Sign::More),
            other => {
                self.at -= 1;
                let found = format!("the sign {:?}", other.to_string());
                let expected = "a name, a value or an operator; other signs stand in quotes: \"…\"";
                return Err(self.wrong(self.at, found, expected));
            }
        })
    }

    fn quoted(&mut self, ends: &str) -> Result<Token, FilterError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        // Inside, a character is what it is: only the ASCII quotes have full-width forms.
        while let Some(&c) = self.chars.get(self.at) {
            self.at += 1;
            if ends.contains(c) || (ends == "\"" && c == '\u{ff02}') {
                return Ok(Token::Quoted(text));
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            match self.chars.get(self.at) {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(&c) if !c.is_alphanumeric() => text.push(c),
                _ => {
                    let expected = r"\\ for one backslash, or a sign behind it: \n, \t";
                    return Err(self.wrong(self.at - 1, "a lone backslash".into(), expected));
                }
            }
            self.at += 1;
        }
        Err(self.wrong(start, "a text without an end".into(), "its closing quote"))
    }

    fn wrong(&self, at: usize, found: String, expected: &str) -> FilterError {
        let column = at + 1;
        let place = place(self.chars, column);
        FilterError::Syntax { column, found, expected: expected.into(), place }
    }
}

/// Whether a character is part of a bare word: `2020-05-17T12:30`, `-3.5`, `a/b.jpg`, `狗`.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "_-./:+#@%".contains(c)
}
